// Finding and counting values: places in sorted ones, how often each occurs, which there are. Where the result's shape
// depends on values, these are read at once: not inside compile(), and on an asynchronous backend only values that
// were read before (`await x.data()`).

import { type HostArray, isFloat, promote } from "../dtype.ts";
import { ArgumentError, DTypeError, ShapeError } from "../errors.ts";
import { Storage } from "../graph/storage.ts";
import { operation } from "../operation.ts";
import { currentTrace } from "../runtime/trace.ts";
import { formatShape, sameShape } from "../shape.ts";
import { leafTensor, type Tensor } from "../tensor.ts";
import { add, cast, isNaN, less, lessEqual, logicalAnd, logicalNot, logicalOr, sub, where } from "./elementwise.ts";
import { scatterAdd, takeAlongAxis } from "./indexing.ts";
import { reshape } from "./movement.ts";
import { checkTensor, filled } from "./operand.ts";
import { argsort } from "./sorting.ts";

export interface SearchSortedOptions {
  /** Among equals: the place before the first ("left", the default) or after the last. */
  readonly side?: "left" | "right";
}

/**
 * The places (i32) in ascending `sorted` [..., n] where `values` [..., m] would go to keep the order: how many elements
 * are smaller (side "left") or not larger ("right"). NaN is the largest value, as `sort` has it. One line of sorted [n]
 * serves values of any shape; otherwise the axes before the last must agree. Throws a ShapeError where they do not.
 */
export const searchsorted = operation(
  "searchsorted",
  (sorted: Tensor, values: Tensor, options: SearchSortedOptions = {}): Tensor => {
    checkTensor("searchsorted", sorted, "sorted");
    checkTensor("searchsorted", values, "values");
    const { side = "left" } = options;
    if (side !== "left" && side !== "right") {
      throw new ArgumentError("searchsorted", `side must be "left" or "right", got ${String(side)}`);
    }
    if (sorted.rank === 1 && values.rank !== 1) {
      return reshape(searchsorted(sorted, reshape(values, [values.size]), options), values.shape);
    }
    if (sorted.rank === 0 || !sameShape(sorted.shape.slice(0, -1), values.shape.slice(0, -1))) {
      throw new ShapeError(
        "searchsorted",
        `sorted ${formatShape(sorted.shape)} must be one line, or have the leading axes of values ${formatShape(values.shape)}`,
      );
    }
    const dtype = promote(promote(sorted.dtype, values.dtype), "i32");
    const [line, wanted] = [cast(sorted, dtype), cast(values, dtype)];
    const n = line.shape[line.rank - 1];
    const comesBefore = (x: Tensor): Tensor => (side === "left" ? below(x, wanted) : logicalNot(below(wanted, x)));
    let place = filled(values.shape, "i32", 0);
    // Bits of the place from the highest on: set where one more such step stays among elements that come before.
    for (let step = 2 ** Math.floor(Math.log2(Math.max(1, n))); n > 0 && step >= 1; step /= 2) {
      const next = add(place, step);
      const inside = lessEqual(next, n);
      const element = takeAlongAxis(line, where(inside, sub(next, 1), 0), -1);
      place = where(logicalAnd(inside, comesBefore(element)), next, place);
    }
    return place;
  },
);

/** x < y where NaN is the largest. */
function below(x: Tensor, y: Tensor): Tensor {
  const smaller = less(x, y);
  return isFloat(x.dtype) ? logicalOr(smaller, logicalAnd(isNaN(y), logicalNot(isNaN(x)))) : smaller;
}

export interface BincountOptions {
  /** What each element counts for, of x's shape: the result has their dtype, and a gradient. Default 1, in i32. */
  readonly weights?: Tensor;
  /** The result is at least this long; default 0. */
  readonly minLength?: number;
  /** The result is exactly this long, and x is not read; one out of range is then an error when the program runs. */
  readonly length?: number;
}

/**
 * How often each whole number 0, 1, ... occurs in x (i32, any shape), or the sum of its weights: [max(x) + 1]. Throws an
 * ArgumentError for a negative element, a DTypeError where x is not i32.
 */
export const bincount = operation(
  "bincount",
  (x: Tensor, options: BincountOptions = {}): Tensor => {
    checkTensor("bincount", x);
    const { weights, minLength = 0, length } = options;
    if (x.dtype !== "i32") throw new DTypeError("bincount", `needs i32 elements to count, got ${x.dtype}; cast first`);
    for (const [name, value] of Object.entries({ minLength, length: length ?? 0 })) {
      if (!Number.isInteger(value) || value < 0) {
        throw new ArgumentError("bincount", `${name} must be a whole number >= 0, got ${value}`);
      }
    }
    if (weights !== undefined) {
      checkTensor("bincount", weights, "weights");
      if (!sameShape(weights.shape, x.shape)) {
        const shapes = `${formatShape(weights.shape)} and ${formatShape(x.shape)}`;
        throw new ShapeError("bincount", `weights and x must have one shape, got ${shapes}`);
      }
    }
    const each = weights === undefined ? filled(x.shape, "i32", 1) : cast(weights, promote(weights.dtype, "i32"));
    const start = filled([length ?? Math.max(minLength, bound(x))], each.dtype, 0);
    return scatterAdd(start, 0, reshape(x, [x.size]), reshape(each, [x.size]));
  },
  "x",
);

/** One more than the largest element. */
function bound(x: Tensor): number {
  let largest = -1;
  for (const value of read("bincount", x, "give options.length")) {
    if (value < 0) throw new ArgumentError("bincount", `counts whole numbers from 0 on, got ${value}`);
    largest = Math.max(largest, value);
  }
  return largest + 1;
}

function read(op: string, x: Tensor, otherwise: string): HostArray {
  if (currentTrace() !== undefined) {
    throw new ArgumentError(op, `the result's shape depends on values, which compile() does not know: ${otherwise}`);
  }
  try {
    return x.dataSync();
  } catch (error) {
    if (!(error instanceof ArgumentError)) throw error;
    const advice = `read x first (await x.data()), or ${otherwise}`;
    throw new ArgumentError(op, `the result's shape depends on values: ${advice}`, { cause: error });
  }
}

export interface Distinct {
  /** [u]; a gradient goes to each value's first occurrence. */
  readonly values: Tensor;
  /** i32, of x's shape: x = values at these places. */
  readonly inverse: Tensor;
  /** i32 [u]: how often each occurs. */
  readonly counts: Tensor;
}

/** The different values of x (of any shape) in ascending order. All NaNs are one, the last; -0 is 0. */
export const unique = operation("unique", (x: Tensor): Distinct => {
  checkTensor("unique", x);
  const flat = reshape(x, [x.size]);
  const values = read("unique", x, "call it outside");
  return distinct(x, values, read("unique", argsort(flat), "call it outside"));
});

/** The values of x (of any shape, row-major) without those that equal the one before. */
export const uniqueConsecutive = operation("uniqueConsecutive", (x: Tensor): Distinct => {
  checkTensor("uniqueConsecutive", x);
  const values = read("uniqueConsecutive", x, "call it outside");
  return distinct(x, values, Int32Array.from(values.keys()));
});

/** Runs of equals in this order. */
function distinct(x: Tensor, values: HostArray, order: ArrayLike<number>): Distinct {
  const inverse = new Int32Array(values.length);
  const firsts: number[] = [];
  const counts: number[] = [];
  for (let i = 0; i < values.length; i++) {
    const [at, before] = [values[order[i]], values[order[i - 1]]];
    const repeated = i > 0 && (at === before || (Number.isNaN(at) && Number.isNaN(before)));
    if (!repeated) {
      firsts.push(order[i]);
      counts.push(0);
    }
    counts[counts.length - 1] += 1;
    inverse[order[i]] = counts.length - 1;
  }
  const indices = (list: Int32Array, shape: readonly number[]) =>
    leafTensor(new Storage("i32", list.length, list), shape);
  return {
    values: takeAlongAxis(reshape(x, [x.size]), indices(Int32Array.from(firsts), [firsts.length]), 0),
    inverse: indices(inverse, x.shape),
    counts: indices(Int32Array.from(counts), [counts.length]),
  };
}
