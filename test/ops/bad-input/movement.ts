// Valid calls of operations that move elements, and of those that make tensors.

import * as S from "../../../engine/index.ts";
import { along, atLeast, axisOf, type Call, call, list, tensor, whole } from "./call.ts";

const matrix = () => tensor([2, 6], { ranks: [2] });
export const movement: Readonly<Record<string, Call>> = {
  reshape: call({ x: tensor([2, 6], { agree: [0, 1] }), shape: list([3, 4], 3, 4, { except: -1 }) }, ({ x, shape }) =>
    S.reshape(x, shape),
  ),
  permute: call({ x: matrix(), order: list([1, 0], -2, 1) }, ({ x, order }) => S.permute(x, order)),
  transpose: call({ x: tensor([2, 6], { ranks: [2, 3, 4] }), a: axisOf(2), b: axisOf(2) }, ({ x, a, b }) =>
    S.transpose(x, a, b),
  ),
  moveAxis: call({ x: tensor([2, 6], { ranks: [2, 3, 4] }), from: axisOf(2), to: axisOf(2) }, ({ x, from, to }) =>
    S.moveAxis(x, from, to),
  ),
  broadcastTo: call(
    { x: tensor([3, 6], { agree: [0, 1], ranks: [0, 1, 2] }), shape: list([3, 6], 3, 6, { lengths: "any" }) },
    ({ x, shape }) => S.broadcastTo(x, shape),
  ),
  expand: call(
    { x: tensor([3, 1], { agree: [0], ranks: [0, 1, 2] }), shape: list([3, 6], -1, 2 ** 31, { lengths: "any" }) },
    ({ x, shape }) => S.expand(x, shape),
  ),
  squeeze: call({ x: tensor([2, 1], { agree: [1], ranks: [2] }), axis: whole(1, -2, 1) }, ({ x, axis }) =>
    S.squeeze(x, axis),
  ),
  unsqueeze: call({ x: tensor([2, 3]), axis: axisOf(3) }, ({ x, axis }) => S.unsqueeze(x, axis)),
  flatten: call(
    { x: tensor([2, 3], { ranks: [0, 2, 3, 4] }), start: axisOf(2, 0), end: axisOf(2) },
    ({ x, start, end }) => S.flatten(x, start, end),
  ),
  unflatten: call(
    { x: tensor([2, 6], { agree: [1], ranks: [2] }), axis: whole(1, -2, 1), sizes: list([2, 3], 2, 3, { except: -1 }) },
    ({ x, axis, sizes }) => S.unflatten(x, axis, sizes),
  ),
  flip: along((x, axis) => S.flip(x, axis)),
  tile: call({ x: tensor([2, 3]), reps: list([2, 2], 0, Infinity, { lengths: "any" }) }, ({ x, reps }) =>
    S.tile(x, reps),
  ),
  repeat: call({ x: tensor([2, 3]), reps: list([2, 2], 0, Infinity, { lengths: "any" }) }, ({ x, reps }) =>
    S.repeat(x, reps),
  ),
  repeatInterleave: call(
    { x: tensor([2, 3], { ranks: [2, 3, 4] }), count: whole(2, 0), axis: axisOf(2) },
    ({ x, count, axis }) => S.repeatInterleave(x, count, axis),
  ),
  "slice at an index": call({ x: tensor([2, 3], { ranks: [1, 2, 3, 4] }), at: whole(1, -2, 1) }, ({ x, at }) =>
    S.slice(x, [at]),
  ),
  narrow: call(
    { x: tensor([2, 6], { ranks: [2, 3, 4] }), axis: whole(1, -2, 1), start: whole(1, -6, 3), length: whole(3, 0, 5) },
    ({ x, axis, start, length }) => S.narrow(x, axis, start, start < -3 || start > 0 ? length : 1),
  ),
  select: call({ x: tensor([6, 6], { ranks: [2, 3, 4] }), axis: axisOf(2), at: whole(1, -6, 5) }, ({ x, axis, at }) =>
    S.select(x, axis, at),
  ),
  pad: call(
    { x: tensor([2, 2], { ranks: [2] }), before: list([1, 2], -2, 2 ** 30, { lengths: "any" }) },
    ({ x, before }) =>
      S.pad(
        x,
        before.map((n) => [n, 0] as const),
      ),
  ),
  roll: call({ x: tensor([2, 6], { ranks: [2, 3, 4] }), axis: axisOf(2) }, ({ x, axis }) => S.roll(x, 1, axis)),
  split: call(
    { x: tensor([2, 6], { agree: [1] }), sizes: list([2, 4], 2, 4), axis: whole(1, -2, 1) },
    ({ x, sizes, axis }) => S.split(x, sizes, axis),
  ),
  "split evenly": call(
    { x: tensor([2, 6], { ranks: [2, 3, 4] }), size: atLeast(2, 1), axis: axisOf(2) },
    ({ x, size, axis }) => S.split(x, size, axis),
  ),
  chunk: call(
    { x: tensor([2, 6], { ranks: [2, 3, 4] }), count: atLeast(2, 1), axis: axisOf(2) },
    ({ x, count, axis }) => S.chunk(x, count, axis),
  ),
  concat: call(
    {
      x: tensor([2, 3], { agree: [0], ranks: [2] }),
      y: tensor([2, 4], { agree: [0], ranks: [2] }),
      axis: whole(1, -2, 1),
    },
    ({ x, y, axis }) => S.concat([x, y], axis),
  ),
  stack: call(
    {
      x: tensor([2, 3], { agree: [0, 1], ranks: [2] }),
      y: tensor([2, 3], { agree: [0, 1], ranks: [2] }),
      axis: axisOf(3),
    },
    ({ x, y, axis }) => S.stack([x, y], axis),
  ),
  rearrange: call({ x: tensor([2, 6], { agree: [1], ranks: [2] }), h: whole(2, 1, 6) }, ({ x, h }) =>
    S.rearrange("a (h d) -> h a d", x, { h }),
  ),
};

export const creation: Readonly<Record<string, Call>> = {
  zeros: call({ shape: list([2, 3], 0, Infinity, { lengths: "any" }) }, ({ shape }) => S.zeros(shape)),
  ones: call({ shape: list([2, 3], 0, Infinity, { lengths: "any" }) }, ({ shape }) => S.ones(shape)),
  full: call({ shape: list([2, 3], 0, Infinity, { lengths: "any" }) }, ({ shape }) => S.full(shape, 7)),
  iota: call({ shape: list([2, 3], 0, Infinity, { lengths: "any" }), axis: axisOf(2) }, ({ shape, axis }) =>
    S.iota(shape, axis),
  ),
  eye: call({ n: whole(2, 0), m: whole(3, 0) }, ({ n, m }) => S.eye(n, m)),
  linspace: call({ count: whole(3, 0) }, ({ count }) => S.linspace(0, 1, count)),
  rand: call({ shape: list([2, 3], 0, Infinity, { lengths: "any" }) }, ({ shape }) => S.rand(shape)),
  randn: call({ shape: list([2, 3], 0, Infinity, { lengths: "any" }) }, ({ shape }) => S.randn(shape)),
  randint: call(
    {
      low: whole(0, -(2 ** 31), 2 ** 31),
      high: whole(5, -(2 ** 31), 2 ** 31),
      shape: list([2, 3], 0, Infinity, { lengths: "any" }),
    },
    ({ low, high, shape }) => S.randint(low, high, shape),
  ),
  bernoulli: call({ shape: list([2, 3], 0, Infinity, { lengths: "any" }) }, ({ shape }) => S.bernoulli(0.5, { shape })),
  permutation: call({ n: whole(5, 0) }, ({ n }) => S.permutation(n)),
  tensor: call({ shape: list([2, 3], 2, 3) }, ({ shape }) => S.tensor([1, 2, 3, 4, 5, 6], { shape })),
};
