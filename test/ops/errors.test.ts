// Errors are typed, name the operation and show what does not fit.

import { describe, expect, it } from "vitest";
import * as S from "../../engine/index.ts";

const x = S.ones([2, 3]);
const y = S.ones([4, 3]);
const i = S.zeros([2, 3], { dtype: "i32" });
type Refusal = [title: string, run: () => unknown, kind: new (...args: never[]) => Error, message: RegExp];

const broadcasting = [
  "add",
  "sub",
  "mul",
  "div",
  "pow",
  "maximum",
  "minimum",
  "remainder",
  "floorDivide",
  "less",
] as const;
const comparing = [
  "lessEqual",
  "greater",
  "greaterEqual",
  "equal",
  "notEqual",
  "logicalAnd",
  "logicalOr",
  "logicalXor",
] as const;
const bothShapes = /\[2, 3\] and \[4, 3\]/;

const refusals: Refusal[] = [
  ...[...broadcasting, ...comparing].map(
    (name): Refusal => [name, () => x[name](y), S.ShapeError, new RegExp(`${name}: shapes .*do not broadcast`)],
  ),
  ["where", () => S.where(S.ones([5], { dtype: "bool" }), x, 0), S.ShapeError, /where: shapes \[5\] and \[2, 3\]/],
  ["where of numbers", () => S.where(x, x, x), S.DTypeError, /condition must be bool, got f32/],
  ["matmul", () => S.matmul(x, y), S.ShapeError, /matmul: shapes \[2, 3\] and \[4, 3\] do not fit: .* is 3, .* 4/],
  ["matmul of scalars", () => S.matmul(S.ones([]), x), S.ShapeError, /matmul: .*\[\] and \[2, 3\]/],
  ["matmul batches", () => S.matmul(S.ones([2, 1, 3]), S.ones([4, 3, 1])), S.ShapeError, /matmul: .*do not broadcast/],
  ["dot", () => S.dot(x, y), S.ShapeError, bothShapes],
  ["outer", () => S.outer(x, y), S.ShapeError, bothShapes],
  ["einsum sides", () => S.einsum("ab,ab->a", x, y), S.ShapeError, /a is both 2 and 4 in shapes \[2, 3\], \[4, 3\]/],
  ["einsum axes", () => S.einsum("abc->a", x), S.ShapeError, /gives operand 0 3 axes; shapes are \[2, 3\]/],
  ["rearrange", () => S.rearrange("a (b c) -> a b c", x, { b: 2 }), S.ShapeError, /\[2, 3\]: 3 is not divisible by 2/],
  ["rearrange rank", () => S.rearrange("a b c -> a b c", x), S.ShapeError, /names 3 axes/],
  [
    "concat",
    () => S.concat([x, S.ones([2, 4])]),
    S.ShapeError,
    /concat: shapes \[2, 3\], \[2, 4\] differ outside axis 0/,
  ],
  ["concat of nothing", () => S.concat([]), S.ArgumentError, /at least one/],
  ["stack", () => S.stack([x, y]), S.ShapeError, bothShapes],
  ["reshape", () => S.reshape(x, [4, -1]), S.ShapeError, /cannot reshape \[2, 3\] \(6 elements\) to \[4, -1\]/],
  ["permute", () => S.permute(x, [0]), S.ShapeError, /permute/],
  ["permute twice", () => S.permute(x, [0, -2]), S.ShapeError, /permute: axis .* twice/],
  ["transpose", () => S.transpose(x, 0, 2), S.ShapeError, /axis 2 is out of range for a tensor \[2, 3\] of rank 2/],
  ["t", () => S.t(S.ones([1, 2, 3])), S.ShapeError, /use mT/],
  ["broadcastTo", () => S.broadcastTo(x, [4, 3]), S.ShapeError, /\[2, 3\] does not broadcast to \[4, 3\]/],
  ["squeeze", () => S.squeeze(x, 0), S.ShapeError, /axis 0 of \[2, 3\] is 2, not 1/],
  ["slice", () => S.slice(x, [2]), S.ShapeError, /index 2 is out of range for axis 0 of \[2, 3\]/],
  ["slice ranges", () => S.slice(x, [null, null, null]), S.ShapeError, /3 ranges for 2 axes/],
  ["slice step", () => S.slice(x, [{ step: 0 }]), S.ArgumentError, /step that is not 0/],
  ["narrow", () => S.narrow(x, 1, 2, 2), S.ShapeError, /narrow: 2 elements from 2 .* of \[2, 3\]/],
  ["pad", () => S.pad(x, [[1, 1]]), S.ShapeError, /per axis of \[2, 3\]/],
  [
    "pad crop",
    () =>
      S.pad(x, [
        [-3, 0],
        [0, 0],
      ]),
    S.ShapeError,
    /crops more than there is of axis 0/,
  ],
  ["split", () => S.split(x, [1, 1], 1), S.ShapeError, /sizes \[1, 1\] do not add up to axis 1 of \[2, 3\]/],
  ["chunk", () => S.chunk(x, 0), S.ArgumentError, /count/],
  ["sum", () => S.sum(x, 2), S.ShapeError, /sum: axis 2 is out of range/],
  ["mean", () => S.mean(x, [0, 0]), S.ShapeError, /mean: axis 0 is given twice/],
  ["norm", () => S.norm(x, 0, { p: -1 }), S.ArgumentError, /p must be positive/],
  ["layerNorm", () => S.layerNorm(x, [2]), S.ShapeError, /\[2, 3\] does not end in the normalised shape \[2\]/],
  [
    "layerNorm weight",
    () => S.layerNorm(x, [3], { weight: S.ones([2, 3]) }),
    S.ShapeError,
    /broadcast to \[3\], got \[2, 3\]/,
  ],
  ["gather dtype", () => S.gather(x, 0, x), S.DTypeError, /gather: the index must be i32, got f32/],
  ["takeAlongAxis", () => S.takeAlongAxis(x, S.zeros([1], { dtype: "i32" }), 0), S.ShapeError, /\[1\] and \[2, 3\]/],
  ["gather", () => S.gather(x, 0, S.zeros([2, 4], { dtype: "i32" })), S.ShapeError, /\[2, 4\] and \[2, 3\]/],
  ["scatterAdd", () => S.scatterAdd(x, 0, i, y), S.ShapeError, /index \[2, 3\] and updates \[4, 3\] differ/],
  ["topk", () => S.topk(x, 4), S.ArgumentError, /k must be in 0..3 for axis -1 of \[2, 3\], got 4/],
  ["argsort", () => S.argsort(S.ones([])), S.ShapeError, /argsort/],
  ["tril", () => S.tril(S.ones([2])), S.ShapeError, /needs matrices, got \[2\]/],
  ["attention", () => S.scaledDotProductAttention(x, x, y), S.ShapeError, /q \[2, 3\], k \[2, 3\] and v \[4, 3\]/],
  ["attention causal", () => S.scaledDotProductAttention(y, x, x, { causal: true }), S.ArgumentError, /got 2 and 4/],
  ["clamp", () => S.clamp(x, 1, 0), S.ArgumentError, /min 1 is larger than max 0/],
  ["randint", () => S.randint(3, 3, [1]), S.ArgumentError, /low < high/],
  ["bernoulli", () => S.bernoulli(1.5), S.ArgumentError, /p must be in \[0, 1\]/],
  ["manualSeed", () => S.manualSeed(0.5), S.ArgumentError, /32 bits/],
  ["not a tensor", () => S.relu([1] as unknown as S.Tensor), S.ArgumentError, /got an array/],
  [
    "not an operand",
    () => S.add(x, null as unknown as number),
    S.ArgumentError,
    /add: needs tensors or numbers, got null/,
  ],
  [
    "not a tensor in a list",
    () => S.concat([x, 1 as unknown as S.Tensor]),
    S.ArgumentError,
    /element 1 must be a tensor/,
  ],
];

const wide = S.broadcastTo(S.ones([1]), [2 ** 30]);
const far = S.tensor([1, 7], { dtype: "i32" });

/** What is only seen when the program runs, and what nothing may be allocated for. */
const excesses: typeof refusals = [
  ["concat beyond the index range", () => S.concat([wide, wide]), S.ShapeError, /concat: .* 2147483648 elements/],
  ["stack beyond the index range", () => S.stack([wide, wide]), S.ShapeError, /stack: .* 2147483648 elements/],
  [
    "broadcasting beyond the index range",
    () => S.add(S.ones([65536, 1]), S.ones([65536])),
    S.ShapeError,
    /add: shape \[65536, 65536\] has 4294967296 elements/,
  ],
  ["expand beyond the index range", () => S.expand(wide, [4, -1]), S.ShapeError, /expand: .* 4294967296/],
  ["matmul beyond the index range", () => S.outer(S.ones([65536]), S.ones([65536])), S.ShapeError, /4294967296/],
  ["tile", () => S.tile(x, [-1]), S.ArgumentError, /tile: repeats must be whole numbers >= 0, got \[-1\]/],
  ["repeatInterleave", () => S.repeatInterleave(x, 1.5, 0), S.ArgumentError, /a whole number >= 0, got 1.5/],
  ["roll", () => S.roll(x, 0.5, 0), S.ArgumentError, /roll: the shift must be a whole number, got 0.5/],
  [
    "an index",
    () => S.indexSelect(y, 0, far).dataSync(),
    S.ShapeError,
    /indexSelect: index 7 is out of range for axis 0 of length 4 \(argument index\)/,
  ],
  [
    "a scattered index",
    () => S.scatterAdd(S.ones([3]), 0, far, S.ones([2])).dataSync(),
    S.ShapeError,
    /scatterAdd: index 7 is out of range for axis 0 of length 3 \(argument index\)/,
  ],
];

describe("refuses", () => {
  it.each(excesses)("%s", (_, run, kind, message) => {
    expect(run).toThrow(kind);
    expect(run).toThrow(message);
  });

  it.each(refusals)("%s", (_, run, kind, message) => {
    expect(run).toThrow(kind);
    expect(run).toThrow(message);
  });
});

it("an error knows its operation", () => {
  try {
    S.add(x, y);
  } catch (error) {
    expect(error).toBeInstanceOf(S.SluiceError);
    expect((error as S.SluiceError).op).toBe("add");
  }
});
