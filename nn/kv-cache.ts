// The keys and values of what a decoder has read so far, in buffers of fixed size, so that compiled steps replay.

import {
  ArgumentError,
  assignAll,
  type DType,
  iota,
  noGrad,
  type Tensor,
  tensor,
  where,
  zeros,
} from "../engine/index.ts";
import { checkSizes } from "./checks.ts";

export interface CacheShape {
  readonly batch: number;
  /** Heads of keys and values. */
  readonly heads: number;
  /** How many positions it can hold. */
  readonly capacity: number;
  /** Features of a head. */
  readonly size: number;
  readonly dtype?: DType;
}

/** One attention layer's cache. A leaf like a parameter: updated at once, or by each call of a compiled step. */
export class KVCache {
  /** [batch, heads, capacity, size]; zeros from `length` on. */
  readonly keys: Tensor;
  readonly values: Tensor;
  /** How many positions are filled: a scalar, i32. */
  readonly length: Tensor;
  readonly capacity: number;

  constructor({ batch, heads, capacity, size, dtype }: CacheShape) {
    checkSizes("KVCache", { batch, heads, capacity, size });
    this.keys = zeros([batch, heads, capacity, size], { dtype });
    this.values = zeros([batch, heads, capacity, size], { dtype });
    this.length = tensor(0, { dtype: "i32" });
    this.capacity = capacity;
  }

  /** Forgets everything. */
  clear(): void {
    this.length.copyFrom([0]);
  }

  /** Positions of the next `count` elements, i32 [count]. One beyond the capacity is a ShapeError when the program runs. */
  next(count: number): Tensor {
    // Numbers read from a list of themselves: the gather is what refuses one out of range.
    return iota([this.capacity]).indexSelect(0, this.length.add(iota([count])));
  }

  /**
   * Adds keys and values [batch, heads, T, size] and returns all of them, [batch, heads, capacity, size]: positions
   * from the new length on are to be masked. What exceeds the capacity is lost (`next` refuses it); no gradient flows into
   * the cache.
   */
  append(keys: Tensor, values: Tensor): { readonly keys: Tensor; readonly values: Tensor } {
    const count = keys.shape[2];
    if (count > this.capacity)
      throw new ArgumentError("KVCache", `${count} positions do not fit a capacity of ${this.capacity}`);
    const [all, more] = noGrad(() => [this.placed(this.keys, keys), this.placed(this.values, values)]);
    void noGrad(() =>
      assignAll([
        [this.keys, all],
        [this.values, more],
        [this.length, this.length.add(count)],
      ]),
    );
    return { keys: all, values: more };
  }

  /** `old` with `fresh` from position `length` on. The length is data, so each position asks where it comes from. */
  private placed(old: Tensor, fresh: Tensor): Tensor {
    const count = fresh.shape[2];
    const from = iota([this.capacity]).sub(this.length);
    const inside = from.greaterEqual(0).logicalAnd(from.less(count)).reshape([this.capacity, 1]);
    const spread = count === 1 ? fresh : fresh.indexSelect(2, from.clamp(0, count - 1));
    return where(inside, spread, old);
  }
}
