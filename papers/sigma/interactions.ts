// From sequences of items to examples and batches: leave-last-out split, training prefixes, right padding.

import { ArgumentError, type Tensor, tensor } from "../../engine/index.ts";
import type { Stream } from "../../nn/index.ts";

/** Items of users in order of time. Ids count from 1; 0 is padding. */
export interface Interactions {
  /** How many items there are: ids are 1..items. */
  readonly items: number;
  readonly sequences: readonly (readonly number[])[];
}

/** What a user had, and what came next. */
export interface Example {
  readonly history: readonly number[];
  readonly target: number;
}

/** Leave-last-out: of v1..vn, (v1..v[n-1] -> vn) is test, (v1..v[n-2] -> v[n-1]) validation, v1..v[n-2] is trained on. */
export interface Split {
  /** What training may see of each user, at least 2 items. */
  readonly train: readonly (readonly number[])[];
  readonly validation: readonly Example[];
  readonly test: readonly Example[];
}

/** Splits each sequence. @throws ArgumentError where one has less than 4 items: training needs a pair of its own */
export function leaveLastOut(sequences: readonly (readonly number[])[]): Split {
  const short = sequences.findIndex((items) => items.length < 4);
  if (short >= 0) {
    throw new ArgumentError(
      "leaveLastOut",
      `sequence ${short} has ${sequences[short].length} items, needs 4: two for training, one for validation, one for test`,
    );
  }
  const cut = (items: readonly number[], left: number): Example => ({
    history: items.slice(0, items.length - left - 1),
    target: items[items.length - left - 1],
  });
  return {
    train: sequences.map((items) => items.slice(0, -2)),
    validation: sequences.map((items) => cut(items, 1)),
    test: sequences.map((items) => cut(items, 0)),
  };
}

/**
 * Prefix augmentation: of each user's v1..vn the pairs (v1..vj -> v[j+1]), all of them or, where `perUser` is fewer, that many
 * drawn without repetition. Users come in their order.
 */
export function prefixes(train: readonly (readonly number[])[], perUser: number, random: Stream): Example[] {
  return train.flatMap((items) => {
    const all = items.length - 1;
    const cuts = all <= perUser ? Array.from({ length: all }, (_, i) => i) : random.permutation(all).slice(0, perUser);
    return cuts.map((cut): Example => ({ history: items.slice(0, cut + 1), target: items[cut + 1] }));
  });
}

/** A batch as the models take it. */
export interface Batch {
  /** [B, L] i32: the most recent L items, first to last, then zeros. */
  readonly ids: Tensor;
  /** [B] i32: how many items of each row are no padding. */
  readonly lengths: Tensor;
  /** [B] i32. */
  readonly targets: Tensor;
}

/** Right-pads histories to L, dropping their oldest items. @throws ArgumentError for an empty history */
export function toBatch(examples: readonly Example[], L: number): Batch {
  const ids = new Int32Array(examples.length * L);
  const lengths = new Int32Array(examples.length);
  examples.forEach(({ history }, i) => {
    if (history.length === 0) throw new ArgumentError("toBatch", `example ${i} has an empty history`);
    const recent = history.slice(-L);
    ids.set(recent, i * L);
    lengths[i] = recent.length;
  });
  return {
    ids: tensor(ids, { shape: [examples.length, L] }),
    lengths: tensor(lengths),
    targets: tensor(Int32Array.from(examples, ({ target }) => target)),
  };
}
