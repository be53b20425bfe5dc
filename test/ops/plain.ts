// Arrays in plain JavaScript, f64: what operations are judged by. Slow, obvious, and independent of the engine.

import { expect } from "vitest";
import type { Tensor } from "../../engine/index.ts";

export interface Nd {
  readonly shape: readonly number[];
  readonly data: readonly number[];
}

export const nd = (x: Tensor): Nd => ({ shape: x.shape, data: Array.from(x.dataSync()) });

export const sizeOf = (shape: readonly number[]): number => shape.reduce((size, side) => size * side, 1);

/** Row-major position to index. */
export function unravel(flat: number, shape: readonly number[]): number[] {
  const index: number[] = [];
  let rest = flat;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    index.unshift(rest % shape[axis]);
    rest = Math.floor(rest / shape[axis]);
  }
  return index;
}

export const at = (x: Nd, index: readonly number[]): number =>
  x.data[index.reduce((flat, i, axis) => flat * x.shape[axis] + i, 0)];

/** The array whose element at each index is `value(index)`. */
export const build = (shape: readonly number[], value: (index: number[]) => number): Nd => ({
  shape,
  data: Array.from({ length: sizeOf(shape) }, (_, flat) => value(unravel(flat, shape))),
});

/** Element of a broadcast array: missing axes and sides of 1 are read at 0. */
const broadcastAt = (x: Nd, index: readonly number[]): number =>
  at(
    x,
    index.slice(index.length - x.shape.length).map((i, axis) => (x.shape[axis] === 1 ? 0 : i)),
  );

export function broadcast(...shapes: (readonly number[])[]): number[] {
  const rank = Math.max(...shapes.map((shape) => shape.length));
  const sideOf = (shape: readonly number[], axis: number) => shape[shape.length - rank + axis] ?? 1;
  return Array.from({ length: rank }, (_, axis) => {
    const sides = shapes.map((shape) => sideOf(shape, axis));
    return sides.find((side) => side !== 1) ?? 1;
  });
}

/** `f` of the elements of broadcast arrays. */
export const zip =
  (f: (...values: number[]) => number) =>
  (...xs: Nd[]): Nd =>
    build(broadcast(...xs.map((x) => x.shape)), (index) => f(...xs.map((x) => broadcastAt(x, index))));

/** `f` of all values along the axes; they disappear, or stay as 1. */
export function fold(x: Nd, axes: readonly number[], f: (values: number[]) => number, keepDims = false): Nd {
  const kept = x.shape.map((side, i) => (axes.includes(i) ? 1 : side));
  const inner = axes.map((axis) => x.shape[axis]);
  const wide = build(kept, (index) =>
    f(
      Array.from({ length: sizeOf(inner) }, (_, flat) => {
        const along = unravel(flat, inner);
        return at(
          x,
          index.map((i, axis) => (axes.includes(axis) ? along[axes.indexOf(axis)] : i)),
        );
      }),
    ),
  );
  return keepDims ? wide : { shape: x.shape.filter((_, i) => !axes.includes(i)), data: wide.data };
}

/** `f` of each line of values along one axis, a line of the same or another length in its place. */
export function lines(x: Nd, axis: number, length: number, f: (values: number[]) => number[]): Nd {
  return build(x.shape.with(axis, length), (index) => {
    const line = Array.from({ length: x.shape[axis] }, (_, i) => at(x, index.with(axis, i)));
    return f(line)[index[axis]];
  });
}

export interface Tolerance {
  readonly relative: number;
  readonly absolute: number;
}

/** Whether two values agree: NaN with NaN, infinities with themselves, others within the tolerance. */
export function agree(actual: number, expected: number, { relative, absolute }: Tolerance): boolean {
  if (Number.isNaN(expected)) return Number.isNaN(actual);
  if (!Number.isFinite(expected)) return actual === expected;
  return Math.abs(actual - expected) <= absolute + relative * Math.abs(expected);
}

/** Fails with the shape, position and both values where a tensor is not what it should be. */
export function expectClose(actual: Tensor, expected: Nd, tolerance: Tolerance, label = ""): void {
  expect(actual.shape, `${label}: shape`).toEqual(expected.shape);
  const values = actual.dataSync();
  for (const [i, value] of expected.data.entries()) {
    if (!agree(values[i], value, tolerance)) {
      const where = `[${unravel(i, expected.shape)}] of [${expected.shape}]`;
      expect.fail(`${label}: ${values[i]} instead of ${value} at ${where}`);
    }
  }
}
