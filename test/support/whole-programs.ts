// Random programs over whole numbers of all of i32: every operation that makes or takes them. Runs in Node and in a browser.

import fc from "fast-check";
import * as S from "../../engine/index.ts";
import { build } from "../../engine/primitives/index.ts";

/** Numbers at which limbs, floats and i32 itself end. */
export const edges = [0, 1, -1, 2, 255, 256, -256, 65535, 65536, -65536, 2 ** 24, 2 ** 24 + 1, 2 ** 31 - 1, -(2 ** 31)];
const anyWhole = fc.oneof(fc.constantFrom(...edges), fc.integer({ min: -9, max: 9 }), fc.integer());

/** A step: which operation, which earlier values, a free choice. All values are [3, 4], i32. */
export interface Recipe {
  readonly leaves: readonly (readonly number[])[];
  readonly steps: readonly (readonly [op: number, x: number, y: number, choice: number])[];
}
const choice = fc.nat({ max: 1000 });
export const recipes: fc.Arbitrary<Recipe> = fc.record({
  leaves: fc.array(fc.array(anyWhole, { minLength: 12, maxLength: 12 }), { minLength: 2, maxLength: 3 }),
  steps: fc.array(fc.tuple(choice, choice, choice, choice), { minLength: 1, maxLength: 5 }),
});

const shape = [3, 4];
const spread = (x: S.Tensor): S.Tensor => S.broadcastTo(x, shape);
const number = (value: number): S.Tensor => S.full(shape, value, { dtype: "i32" });
/** The primitive: `div` of the public operations divides floats. */
const quotient = (x: S.Tensor, y: S.Tensor): S.Tensor => new S.Tensor(build.div(x.node, y.node));
const axisOf = (choice: number) => choice % 2;
const index = (x: S.Tensor, axis: number): S.Tensor => S.remainder(x, number(shape[axis]));

export const operations: Record<string, (x: S.Tensor, y: S.Tensor, choice: number) => S.Tensor> = {
  add: S.add,
  sub: S.sub,
  mul: S.mul,
  div: quotient,
  remainder: S.remainder,
  pow: (x, y) => S.pow(x, S.remainder(y, number(40))),
  maximum: S.maximum,
  minimum: S.minimum,
  neg: S.neg,
  abs: S.abs,
  sign: S.sign,
  small: (x, _y, c) => S.remainder(x, number(c + 1)),
  halved: (x) => quotient(x, number(65536)),
  constant: (x, _y, c) => S.mul(x, number(edges[c % edges.length])),
  iota: (x, _y, c) => S.add(x, S.reshape(S.arange(c, c + 12, 1, { dtype: "i32" }), shape)),
  where: (x, y) => S.where(S.less(x, y), x, y),
  orders: (x, y, c) => S.cast([S.less, S.lessEqual, S.equal, S.notEqual][c % 4](x, y), "i32"),
  bool: (x) => S.cast(S.cast(x, "bool"), "i32"),
  // Through a float: what an i32 rounds to, and what a float saturates at.
  float: (x) => S.cast(S.cast(x, "f32"), "i32"),
  scaled: (x, _y, c) => S.cast(S.mul(S.cast(x, "f32"), 2 ** ((c % 9) - 4)), "i32"),
  sum: (x, _y, c) => spread(S.sum(x, [axisOf(c)], { keepDims: true })),
  prod: (x, _y, c) => spread(S.prod(x, [axisOf(c)], { keepDims: true })),
  max: (x, _y, c) => spread(S.max(x, [axisOf(c)], { keepDims: true })),
  min: (x) => spread(S.min(x)),
  argmax: (x, _y, c) => spread(S.argmax(x, axisOf(c), { keepDims: true })),
  argsort: (x, _y, c) => S.argsort(x, axisOf(c), { descending: c % 3 === 0 }),
  cumsum: (x, _y, c) => S.cumsum(x, axisOf(c), { reverse: c % 3 === 0 }),
  cummax: (x, _y, c) => S.cummax(x, axisOf(c)).values,
  recurrence: (x, y, c) => S.linearRecurrence(x, y, axisOf(c), { reverse: c % 3 === 0 }),
  gather: (x, y, c) => S.gather(x, axisOf(c), index(y, axisOf(c))),
  scatter: (x, y, c) => S.scatterAdd(x, axisOf(c), index(y, axisOf(c)), S.flip(x, [0])),
  concat: (x, y) => S.narrow(S.concat([x, y, number(7)], 0), 0, 1, 3),
  padded: (x, _y, c) =>
    S.narrow(
      S.pad(
        x,
        [
          [1, 0],
          [0, 0],
        ],
        edges[c % edges.length],
      ),
      0,
      0,
      3,
    ),
  draws: (x, _y, c) => S.sub(x, S.randint(-c, 2 ** (c % 32), shape, { generator: S.generator(c, "whole") })),
  shuffled: (x, _y, c) => S.add(x, spread(S.permutation(4, { generator: S.generator(c) }))),
  flip: (x, y) => S.add(S.flip(x, [0, 1]), S.reshape(S.transpose(S.reshape(y, [4, 3])), shape)),
  scan: (x, y) =>
    S.scan(
      (h: S.Tensor, v: S.Tensor): [S.Tensor, S.Tensor] => [S.add(S.mul(h, 31), v), S.sub(h, v)],
      S.narrow(y, 0, 0, 1).reshape([4]),
      x,
    )[1],
};
export const names = Object.keys(operations);

/** A recipe as tensors, and as text. */
export function play({ leaves, steps }: Recipe): { values: S.Tensor[]; texts: string[] } {
  const values = leaves.map((leaf) => S.tensor(Int32Array.from(leaf), { shape, dtype: "i32" }));
  const texts = leaves.map((_, i) => `leaf ${i}`);
  for (const [op, x, y, c] of steps) {
    const name = names[op % names.length];
    const [a, b] = [x % values.length, y % values.length];
    values.push(operations[name](values[a], values[b], c));
    texts.push(`${name}(#${a}, #${b}, ${c})`);
  }
  return { values: values.slice(leaves.length), texts: texts.slice(leaves.length) };
}

/** The values of a recipe, one array a step. */
export const evaluate = (recipe: Recipe): Promise<number[][]> => {
  const run = S.compile((..._leaves: S.Tensor[]) => play(recipe).values);
  return Promise.all(run().map(async (value) => Array.from(await value.data())));
};
