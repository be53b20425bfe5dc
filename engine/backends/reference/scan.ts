// Scans by definition: along each line of an axis, one element after the other.

import type { DType } from "../../dtype.ts";
import { type Shape, sizeOf } from "../../shape.ts";

type Values = Float64Array;

/** Fills a result line by line: `next(at, before)` gives the element at `at` from the result so far. */
function alongAxis(
  shape: Shape,
  axis: number,
  reverse: boolean,
  next: (result: Values, at: number, before: number | undefined) => number,
): Values {
  const result = new Float64Array(sizeOf(shape));
  const length = shape[axis];
  const inner = sizeOf(shape.slice(axis + 1));
  for (let start = 0; start < result.length; start += length * inner) {
    for (let i = 0; i < inner; i++) {
      let before: number | undefined;
      for (let step = 0; step < length; step++) {
        const at = start + (reverse ? length - 1 - step : step) * inner + i;
        result[at] = next(result, at, before);
        before = at;
      }
    }
  }
  return result;
}

interface Along {
  readonly axis: number;
  readonly reverse: boolean;
}

export function cumsum(shape: Shape, dtype: DType, x: Values, { axis, reverse }: Along): Values {
  const wrap = (value: number): number => (dtype === "i32" ? value | 0 : value);
  return alongAxis(shape, axis, reverse, (sums, at, before) => wrap((before === undefined ? 0 : sums[before]) + x[at]));
}

export const cummax = (shape: Shape, x: Values, { axis, reverse }: Along): Values =>
  alongAxis(shape, axis, reverse, (best, at, before) => (before === undefined ? x[at] : Math.max(best[before], x[at])));

export function recurrence(
  shape: Shape,
  dtype: DType,
  a: Values,
  b: Values,
  { axis, reverse, lag }: Along & { readonly lag: boolean },
): Values {
  return alongAxis(shape, axis, reverse, (h, at, before) => {
    if (before === undefined) return b[at];
    const coefficient = a[lag ? before : at];
    return dtype === "i32" ? (Math.imul(coefficient, h[before]) + b[at]) | 0 : coefficient * h[before] + b[at];
  });
}
