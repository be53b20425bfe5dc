// NaN, infinities, signed zeros, subnormals and empty tensors: a table per operation, on both backends.

import { beforeAll, describe, expect, it } from "vitest";
import * as S from "../../engine/index.ts";

const inf = Number.POSITIVE_INFINITY;
const nan = Number.NaN;

/** Input -> output, f32. -0 and 0 are told apart. */
const unary: Record<string, [(x: S.Tensor) => S.Tensor, ...[input: number, output: number][]]> = {
  exp: [S.exp, [-inf, 0], [inf, inf], [nan, nan], [0, 1], [-0, 1], [1000, inf], [-1000, 0]],
  log: [S.log, [0, -inf], [-0, -inf], [-1, nan], [inf, inf], [nan, nan], [1, 0]],
  log1p: [S.log1p, [-1, -inf], [0, 0], [-0, -0], [inf, inf], [-2, nan], [1e-20, Math.fround(1e-20)]],
  expm1: [S.expm1, [-inf, -1], [0, 0], [-0, -0], [inf, inf], [1e-20, Math.fround(1e-20)]],
  sqrt: [S.sqrt, [0, 0], [-0, -0], [-1, nan], [inf, inf]],
  rsqrt: [S.rsqrt, [0, inf], [inf, 0], [4, 0.5], [-1, nan]],
  reciprocal: [S.reciprocal, [0, inf], [-0, -inf], [inf, 0], [-inf, -0], [nan, nan]],
  tanh: [S.tanh, [inf, 1], [-inf, -1], [nan, nan], [0, 0], [-0, -0]],
  sigmoid: [S.sigmoid, [inf, 1], [-inf, 0], [nan, nan], [0, 0.5]],
  erf: [S.erf, [inf, 1], [-inf, -1], [nan, nan], [0, 0]],
  sin: [S.sin, [inf, nan], [-inf, nan], [0, 0], [-0, -0]],
  cos: [S.cos, [inf, nan], [0, 1]],
  neg: [S.neg, [0, -0], [-0, 0], [inf, -inf], [nan, nan]],
  abs: [S.abs, [-0, 0], [-inf, inf], [nan, nan]],
  sign: [S.sign, [inf, 1], [-inf, -1], [nan, nan], [0, 0]],
  round: [S.round, [0.5, 0], [1.5, 2], [2.5, 2], [-0.5, -0], [-1.5, -2], [inf, inf], [nan, nan]],
  floor: [S.floor, [-0.5, -1], [-0, -0], [inf, inf], [nan, nan]],
  ceil: [S.ceil, [-0.5, -0], [0.2, 1], [-inf, -inf]],
  trunc: [S.trunc, [-0.5, -0], [1.9, 1], [inf, inf]],
  relu: [S.relu, [-inf, 0], [inf, inf], [nan, nan], [0, 0]],
  leakyRelu: [S.leakyRelu, [-inf, -inf], [inf, inf], [nan, nan], [0, 0]],
  elu: [S.elu, [-inf, -1], [inf, inf], [nan, nan], [0, 0]],
  silu: [S.silu, [-inf, 0], [inf, inf], [nan, nan], [0, 0], [-1000, -0]],
  gelu: [S.gelu, [-inf, 0], [inf, inf], [nan, nan], [0, 0]],
  geluTanh: [(x) => S.gelu(x, { approximate: "tanh" }), [-inf, 0], [inf, inf], [nan, nan], [0, 0]],
  softplus: [S.softplus, [-inf, 0], [inf, inf], [nan, nan], [1000, 1000], [-1000, 0]],
  logSigmoid: [S.logSigmoid, [-inf, -inf], [inf, -0], [nan, nan], [-1000, -1000]],
  clamp: [(x) => S.clamp(x, -1, 1), [-inf, -1], [inf, 1], [nan, nan]],
  hardtanh: [S.hardtanh, [-inf, -1], [inf, 1], [nan, nan]],
  isNaN: [S.isNaN, [nan, 1], [inf, 0], [0, 0]],
  isInf: [S.isInf, [nan, 0], [inf, 1], [-inf, 1], [0, 0]],
  isFinite: [S.isFinite, [nan, 0], [inf, 0], [-inf, 0], [3e38, 1]],
  castI32: [(x) => S.cast(x, "i32"), [nan, 0], [inf, 2147483647], [-inf, -2147483648], [-1.9, -1]],
  castBool: [(x) => S.cast(x, "bool"), [nan, 1], [0, 0], [-0, 0], [1e-40, 1]],
};

const binary: Record<string, [(x: S.Tensor, y: S.Tensor) => S.Tensor, ...[x: number, y: number, output: number][]]> = {
  mul: [S.mul, [0, inf, nan], [0, -1, -0], [inf, -inf, -inf], [nan, 0, nan]],
  add: [S.add, [inf, -inf, nan], [-0, -0, -0], [0, -0, 0]],
  sub: [S.sub, [inf, inf, nan], [0, 0, 0]],
  div: [S.div, [1, 0, inf], [1, -0, -inf], [0, 0, nan], [inf, inf, nan]],
  maximum: [S.maximum, [nan, 1, nan], [1, nan, nan], [inf, 1, inf]],
  minimum: [S.minimum, [nan, 1, nan], [1, nan, nan], [-inf, 1, -inf]],
  pow: [S.pow, [0, 0, 1], [nan, 0, 1], [2, inf, inf], [0.5, inf, 0], [-8, 3, -512], [-1, 0.5, nan], [0, -1, inf]],
  remainder: [S.remainder, [5, 3, 2], [-5, 3, 1], [5, -3, -1], [1, 0, nan]],
  less: [S.less, [nan, 1, 0], [1, nan, 0], [-inf, inf, 1], [-0, 0, 0]],
  equal: [S.equal, [nan, nan, 0], [0, -0, 1], [inf, inf, 1]],
  notEqual: [S.notEqual, [nan, nan, 1], [0, -0, 0]],
  logicalAnd: [S.logicalAnd, [nan, 1, 1], [0, nan, 0]],
};

describe.each(["reference", "wasm"] as const)("on %s", (backend) => {
  beforeAll(() => S.setBackend(backend));

  it.each(Object.entries(unary))("%s", (_, [run, ...rows]) => {
    // Twice the row, so that full vectors and remainders are both met.
    const all = [...rows, ...rows, ...rows];
    const result = Array.from(run(S.tensor(all.map(([input]) => input))).dataSync());
    expect(result).toEqual(all.map(([, output]) => output));
  });

  it.each(Object.entries(binary))("%s", (_, [run, ...rows]) => {
    const all = [...rows, ...rows, ...rows];
    const [x, y] = [0, 1].map((i) => S.tensor(all.map((row) => row[i])));
    expect(Array.from(run(x, y).dataSync())).toEqual(all.map(([, , output]) => output));
  });

  const value = (x: S.Tensor) => Array.from(x.dataSync());

  it("reductions of NaN, infinities and nothing", () => {
    const x = S.tensor([
      [1, nan, 3],
      [inf, 2, -inf],
    ]);
    expect(value(x.max(1))).toEqual([nan, inf]);
    expect(value(x.min(1))).toEqual([nan, -inf]);
    expect(value(x.argmax(1))).toEqual([1, 0]);
    expect(value(x.argmin(1))).toEqual([1, 2]);
    expect(value(x.sum(1))).toEqual([nan, nan]);
    expect(value(S.tensor([2, 5, 5, 1]).argmax())).toEqual([1]);
    const none = S.zeros([0, 2]);
    expect(value(none.sum(0))).toEqual([0, 0]);
    expect(value(none.prod(0))).toEqual([1, 1]);
    expect(value(none.mean(0))).toEqual([nan, nan]);
    expect(value(none.any(0))).toEqual([0, 0]);
    expect(value(none.all(0))).toEqual([1, 1]);
    expect(value(none.logsumexp(0))).toEqual([-inf, -inf]);
    expect(value(none.sum(1))).toEqual([]);
    expect(() => none.max(0)).toThrow(/nothing to choose from/);
    expect(() => none.argmin(0)).toThrow(S.ArgumentError);
    expect(value(S.tensor([3]).var())).toEqual([nan]);
    expect(value(S.tensor([3]).var(0, { correction: 0 }))).toEqual([0]);
  });

  it("softmax and logsumexp of infinities", () => {
    expect(value(S.tensor([0, -inf]).softmax())).toEqual([1, 0]);
    expect(value(S.tensor([0, -inf]).logSoftmax())).toEqual([0, -inf]);
    expect(value(S.tensor([-inf, -inf]).softmax())).toEqual([nan, nan]);
    expect(value(S.tensor([inf, 0]).softmax())).toEqual([nan, nan]);
    expect(value(S.tensor([inf, 0]).logSoftmax())).toEqual([nan, nan]);
    expect(value(S.tensor([-inf, -inf]).logsumexp())).toEqual([-inf]);
    expect(value(S.tensor([inf, 0]).logsumexp())).toEqual([inf]);
    expect(value(S.tensor([1000, 1000]).softmax())).toEqual([0.5, 0.5]);
    expect(value(S.grad((x: S.Tensor) => x.logsumexp())(S.tensor([-inf, -inf]))[0])).toEqual([0, 0]);
    expect(value(S.grad((x: S.Tensor) => x.softmax().select(0, 0))(S.tensor([0, -inf]))[0])).toEqual([0, 0]);
  });

  it("attention: causal, masked, and blind", () => {
    const q = S.tensor([
      [1, 0],
      [0, 1],
    ]);
    const v = S.tensor([[1], [3]]);
    expect(value(S.scaledDotProductAttention(q, q, v, { causal: true }).select(0, 0))).toEqual([1]);
    const blind = S.tensor([
      [true, false],
      [false, false],
    ]);
    expect(value(S.scaledDotProductAttention(q, q, v, { mask: blind }))).toEqual([1, nan]);
  });

  it("orders: stable, NaN last in both directions", () => {
    const x = S.tensor([2, nan, -inf, 2, inf]);
    expect(value(x.argsort())).toEqual([2, 0, 3, 4, 1]);
    expect(value(x.argsort(0, { descending: true }))).toEqual([4, 0, 3, 2, 1]);
    expect(value(x.topk(2).indices)).toEqual([4, 0]);
    expect(value(S.tensor([1, 1, 1]).topk(2).indices)).toEqual([0, 1]);
    expect(value(S.zeros([0]).sort().values)).toEqual([]);
  });

  it("integers wrap, divide down, and survive zero", () => {
    const i = (...values: number[]) => S.tensor(values, { dtype: "i32" });
    expect(value(i(2147483647).add(1))).toEqual([-2147483648]);
    expect(value(i(65536).mul(65536))).toEqual([0]);
    expect(value(i(-7, 7, -7, 5).floorDivide(i(2, -2, -2, 0)))).toEqual([-4, -4, 3, 0]);
    expect(value(i(-7, 7, -7, 5).remainder(i(2, -2, -2, 0)))).toEqual([1, -1, -1, 0]);
    expect(value(i(7).div(2))).toEqual([3.5]);
    expect(value(i(3).pow(3))).toEqual([27]);
  });

  it("one-hot of an index outside is all 0; gathers outside are errors", () => {
    const index = S.tensor([-1, 1, 2], { dtype: "i32" });
    expect(S.oneHot(index, 2).toArray()).toEqual([
      [0, 0],
      [0, 1],
      [0, 0],
    ]);
    expect(() => S.indexSelect(S.ones([2, 2]), 0, index).dataSync()).toThrow(/out of range/);
  });
});
