// Samples of running sums, products and extremes, and of linear recurrences: a loop over each line.

import fc from "fast-check";
import * as S from "../../../engine/index.ts";
import { shapes } from "../../../testing/index.ts";
import { at, build, lines, type Nd } from "../plain.ts";
import { front, type Sample } from "./sample.ts";

/** A shape, one of its axes, and a direction. */
const scanned = (maxSize: number): fc.Arbitrary<[number[], number, boolean]> =>
  shapes({ maxSize, minRank: 1 }).chain((shape) =>
    fc.tuple(fc.constant(shape), fc.integer({ min: -shape.length, max: shape.length - 1 }), fc.boolean()),
  );

type Running = (x: S.Tensor, axis: number, options: S.CumulativeOptions) => S.Tensor;

/** `next(before, value)`, from the first element on. */
const running =
  (run: Running, next: (before: number, value: number) => number): Sample =>
  (maxSize) =>
    scanned(maxSize).map(([shape, axis, reverse]) => ({
      label: `[${shape}] axis ${axis}${reverse ? " reversed" : ""}`,
      inputs: [{ shape, domain: "real" }],
      run: (x) => run(x, axis, { reverse }),
      expected: (x) => loop(x, front(axis, shape.length), reverse, next),
      // A running extreme has no derivative where elements are equal.
      distinct: true,
    }));

export function loop(x: Nd, axis: number, reverse: boolean, next: (before: number, value: number) => number): Nd {
  return lines(x, axis, x.shape[axis], (line) => {
    const values = reverse ? line.toReversed() : line;
    const results: number[] = [];
    for (const [i, value] of values.entries()) results.push(i === 0 ? value : next(results[i - 1], value));
    return reverse ? results.reverse() : results;
  });
}

/** h = a * h + b along an axis, from h0 (of size 1 along it) or 0. */
export function recurrence(a: Nd, b: Nd, h0: Nd | undefined, axis: number, reverse: boolean): Nd {
  const result = new Map<string, number>();
  const value = (index: readonly number[]): number => {
    const first = reverse ? a.shape[axis] - 1 : 0;
    const before = index.with(axis, index[axis] + (reverse ? 1 : -1));
    const key = index.join();
    if (!result.has(key)) {
      const start = h0 === undefined ? 0 : at(h0, index.with(axis, 0));
      const h = index[axis] === first ? start : value(before);
      result.set(key, at(a, index) * h + at(b, index));
    }
    return result.get(key) as number;
  };
  return build(a.shape, value);
}

export const cumulative: Record<string, Sample> = {
  cumsum: running(S.cumsum, (sum, value) => sum + value),
  cumprod: running(S.cumprod, (product, value) => product * value),
  cummax: running((x, axis, options) => S.cummax(x, axis, options).values, Math.max),
  cummin: running((x, axis, options) => S.cummin(x, axis, options).values, Math.min),
  logcumsumexp: running(S.logcumsumexp, (before, value) => Math.log(Math.exp(before) + Math.exp(value))),
  linearRecurrence: (maxSize) =>
    fc.tuple(scanned(Math.ceil(maxSize / 2)), fc.boolean()).map(([[shape, axis, reverse], started]) => {
      const along = front(axis, shape.length);
      const start = shape.filter((_, i) => i !== along);
      return {
        label: `[${shape}] axis ${axis}${reverse ? " reversed" : ""}${started ? " from h0" : ""}`,
        inputs: [shape, shape, ...(started ? [start] : [])].map((of) => ({ shape: of, domain: "real" as const })),
        run: (a, b, h0?: S.Tensor) => S.linearRecurrence(a, b, axis, { reverse, ...(h0 === undefined ? {} : { h0 }) }),
        expected: (a, b, h0?: Nd) =>
          recurrence(a, b, h0 && { shape: shape.with(along, 1), data: h0.data }, along, reverse),
      };
    }),
};
