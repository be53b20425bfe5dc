// From sequences of items to examples and batches: leave-last-out split, training prefixes, right padding.

import { ArgumentError, type Tensor, tensor } from "../../engine/index.ts";
import { Stream } from "../../nn/index.ts";
import { type HistoryBatch, padHistories } from "./model/index.ts";

/** Items of users in order of time. */
export interface Interactions {
  /** Ids, the padding id 0 included: an item is a number in 1 .. items - 1. */
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

/** A batch as the models take it: padded histories, and targets i32 [B]. */
export interface Batch extends HistoryBatch {
  readonly targets: Tensor;
}

/** Examples as a batch: histories right-padded to `steps`, their oldest items dropped where they are longer. */
export const toBatch = (examples: readonly Example[], items: number, steps: number): Batch => ({
  ...padHistories(
    examples.map(({ history }) => history),
    items,
    steps,
  ),
  targets: tensor(Int32Array.from(examples, ({ target }) => target)),
});

export interface BatchOptions {
  readonly batch: number;
  /** Ids, padding included. */
  readonly items: number;
  /** The padded length, L. */
  readonly steps: number;
  readonly seed: number;
}

/**
 * Batches of examples, epoch after epoch; each epoch has examples and an order of its own, which depend on the seed and the epoch only.
 * A last batch that is not full is left out, for there is one compiled step. Ask for steps in order: going back draws the epochs anew.
 */
export class Batches {
  readonly #examples: (epoch: number) => readonly Example[];
  readonly #options: BatchOptions;
  #epoch = -1;
  /** The step at which the epoch began, and its examples in order. */
  #start = 0;
  #shuffled: readonly Example[] = [];

  /** @throws ArgumentError, when batches are taken, for an epoch that has not enough examples for one */
  constructor(examples: (epoch: number) => readonly Example[], options: BatchOptions) {
    this.#examples = examples;
    this.#options = options;
  }

  /** The batch of a step, from 0 on. */
  at(step: number): Batch {
    const { batch, items, steps } = this.#options;
    if (step < this.#start) [this.#epoch, this.#start, this.#shuffled] = [-1, 0, []];
    while (step >= this.#start + this.#count()) this.#next();
    const from = (step - this.#start) * batch;
    return toBatch(this.#shuffled.slice(from, from + batch), items, steps);
  }

  #count(): number {
    return Math.floor(this.#shuffled.length / this.#options.batch);
  }

  #next(): void {
    this.#start += this.#count();
    this.#epoch += 1;
    const examples = this.#examples(this.#epoch);
    if (examples.length < this.#options.batch)
      throw new ArgumentError("Batches", `${examples.length} examples make no batch of ${this.#options.batch}`);
    const order = new Stream(this.#options.seed, `order ${this.#epoch}`).permutation(examples.length);
    this.#shuffled = order.map((i) => examples[i]);
  }
}
