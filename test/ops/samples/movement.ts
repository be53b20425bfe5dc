// Samples of movement: each result element is an element of the input.

import fc from "fast-check";
import * as S from "../../../engine/index.ts";
import { at, build, type Nd, sizeOf } from "../plain.ts";
import { along, front, moved, type Sample } from "./sample.ts";

type Shape = readonly number[];

const nothing = () => fc.constant(null);
const reshaped = (x: Nd, shape: Shape): Nd => ({ shape, data: x.data });
const axesOf = (shape: Shape): number[] => shape.map((_, i) => i);
const permuted = (x: Nd, order: readonly number[]): Nd =>
  build(
    order.map((axis) => x.shape[axis]),
    (index) => {
      const from = new Array<number>(order.length);
      order.forEach((axis, i) => {
        from[axis] = index[i];
      });
      return at(x, from);
    },
  );
const swapped = (rank: number, a: number, b: number): number[] =>
  Array.from({ length: rank }, (_, i) => (i === a ? b : i === b ? a : i));
const axisPair = (shape: Shape) =>
  fc.tuple(
    fc.integer({ min: -shape.length, max: shape.length - 1 }),
    fc.integer({ min: -shape.length, max: shape.length - 1 }),
  );
const tiled = (x: Nd, reps: readonly number[]): Nd => {
  const shape = [...new Array<number>(Math.max(0, reps.length - x.shape.length)).fill(1), ...x.shape];
  const counts = [...new Array<number>(Math.max(0, shape.length - reps.length)).fill(1), ...reps];
  return build(
    shape.map((side, i) => side * counts[i]),
    (index) =>
      at(
        { shape, data: x.data },
        index.map((i, axis) => i % shape[axis]),
      ),
  );
};
const repetitions = (shape: Shape) =>
  fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 0, maxLength: shape.length + 1 });

export const movement: Record<string, Sample> = {
  reshape: moved(
    (shape) => fc.constantFrom<Shape>([-1], [1, -1], [...shape, 1], [1, ...shape]),
    (shape, to) => ({
      run: (x) => S.reshape(x, sizeOf(shape) === 0 ? [0, 2] : to),
      expected: (x) =>
        reshaped(x, sizeOf(shape) === 0 ? [0, 2] : to.map((side) => (side === -1 ? sizeOf(shape) : side))),
    }),
  ),
  permute: moved(
    (shape) => fc.shuffledSubarray(axesOf(shape), { minLength: shape.length }),
    (shape, order) => ({
      run: (x) =>
        S.permute(
          x,
          order.map((axis, i) => (i % 2 === 0 ? axis : axis - shape.length)),
        ),
      expected: (x) => permuted(x, order),
    }),
  ),
  transpose: moved(
    axisPair,
    (shape, [a, b]) => ({
      run: (x) => S.transpose(x, a, b),
      expected: (x) => permuted(x, swapped(shape.length, front(a, shape.length), front(b, shape.length))),
    }),
    { minRank: 1 },
  ),
  t: moved(nothing, (shape) => ({ run: S.t, expected: (x) => permuted(x, axesOf(shape).reverse()) }), { maxRank: 2 }),
  mT: moved(
    nothing,
    (shape) => ({ run: S.mT, expected: (x) => permuted(x, swapped(shape.length, shape.length - 1, shape.length - 2)) }),
    { minRank: 2 },
  ),
  moveAxis: moved(
    axisPair,
    (shape, [a, b]) => ({
      run: (x) => S.moveAxis(x, a, b),
      expected: (x) => {
        const order = axesOf(shape).toSpliced(front(a, shape.length), 1);
        return permuted(x, order.toSpliced(front(b, shape.length), 0, front(a, shape.length)));
      },
    }),
    { minRank: 1 },
  ),
  broadcastTo: moved(
    () => fc.tuple(fc.nat(2), fc.nat(3)),
    (shape, sides) => ({
      run: (x) => S.broadcastTo(S.unsqueeze(x, -1), [sides[0], ...shape, sides[1]]),
      expected: (x) => build([sides[0], ...shape, sides[1]], (index) => at(x, index.slice(1, -1))),
    }),
  ),
  expand: moved(
    () => fc.nat(3),
    (shape, side) => ({
      run: (x) => S.expand(x, [side, ...shape.map(() => -1)]),
      expected: (x) => build([side, ...shape], (index) => at(x, index.slice(1))),
    }),
  ),
  squeeze: moved(nothing, (shape) => ({
    run: (x) => [S.squeeze(x), S.squeeze(S.unsqueeze(x, 0), 0)],
    expected: (x) => [
      reshaped(
        x,
        shape.filter((side) => side !== 1),
      ),
      x,
    ],
  })),
  unsqueeze: moved(
    (shape) => fc.nat(shape.length),
    (shape, axis) => ({
      run: (x) => S.unsqueeze(x, axis - shape.length - 1),
      expected: (x) => reshaped(x, shape.toSpliced(axis, 0, 1)),
    }),
  ),
  flatten: moved(nothing, (shape) => ({
    run: (x) => (shape.length < 2 ? S.flatten(x) : S.flatten(x, 1)),
    expected: (x) => reshaped(x, shape.length < 2 ? [sizeOf(shape)] : [shape[0], sizeOf(shape.slice(1))]),
  })),
  unflatten: along(1, (shape, axis) => ({
    run: (x) => S.unflatten(x, axis, [1, -1, 1]),
    expected: (x) => reshaped(x, shape.toSpliced(front(axis, shape.length), 1, 1, shape[front(axis, shape.length)], 1)),
  })),
  flip: moved(
    (shape) => fc.subarray(axesOf(shape)),
    (shape, axes) => ({
      run: (x) => S.flip(x, axes),
      expected: (x) =>
        build(shape, (index) =>
          at(
            x,
            index.map((i, axis) => (axes.includes(axis) ? shape[axis] - 1 - i : i)),
          ),
        ),
    }),
  ),
  tile: moved(repetitions, (_, reps) => ({ run: (x) => S.tile(x, reps), expected: (x) => tiled(x, reps) })),
  repeat: moved(repetitions, (_, reps) => ({ run: (x) => S.repeat(x, reps), expected: (x) => tiled(x, reps) })),
  repeatInterleave: along(0, (shape, axis) => ({
    run: (x) => S.repeatInterleave(x, 3, axis),
    expected: (x) => {
      const a = front(axis, shape.length);
      return build(shape.with(a, shape[a] * 3), (index) => at(x, index.with(a, Math.floor(index[a] / 3))));
    },
  })),
};
