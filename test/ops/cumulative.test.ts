// Running operations where the general tests do not look: special values, places of extremes, dtypes, errors.

import { beforeAll, describe, expect, it } from "vitest";
import * as S from "../../engine/index.ts";

const { NaN: nan, POSITIVE_INFINITY: inf } = Number;
const values = (x: S.Tensor): number[] => Array.from(x.dataSync());

describe.each(["reference", "wasm"] as const)("on %s", (backend) => {
  beforeAll(() => S.setBackend(backend));

  it("cumprod keeps infinities, zeros and their signs", () => {
    const x = S.tensor([inf, 2, -1, 3], { dtype: "f64" });
    expect(values(S.cumprod(x))).toEqual([inf, inf, -inf, -inf]);
    expect(values(S.cumprod(S.tensor([2, 0, -3, 5])))).toEqual([2, 0, -0, -0]);
    expect(values(S.cumprod(S.tensor([3, -2, 5], { dtype: "i32" })))).toEqual([3, -6, -30]);
  });

  it("cumprod's gradient is right at zeros", () => {
    const x = S.tensor([2, 0, 3, 0, 4], { dtype: "f64" });
    const [g] = S.grad((v: S.Tensor) => S.sum(S.cumprod(v)))(x);
    // d/dx_1 (2 x_1 (1 + 3 (1 + 0))) = 8; the last two never count, behind a zero.
    expect(values(g)).toEqual([1, 8, 0, 0, 0]);
  });

  it("cummax and cummin say where, the latest of equals", () => {
    const x = S.tensor([1, 3, 3, 2, 5]);
    const up = S.cummax(x);
    expect([values(up.values), values(up.indices)]).toEqual([
      [1, 3, 3, 3, 5],
      [0, 1, 2, 2, 4],
    ]);
    const down = S.cummin(x, 0, { reverse: true });
    expect([values(down.values), values(down.indices)]).toEqual([
      [1, 2, 2, 2, 5],
      [0, 3, 3, 3, 4],
    ]);
    expect(values(S.cummin(S.tensor([5, -(2 ** 31), 7], { dtype: "i32" })).values)).toEqual([
      5,
      -(2 ** 31),
      -(2 ** 31),
    ]);
  });

  it("a NaN is the extreme from there on", () => {
    const { values: found, indices } = S.cummax(S.tensor([1, nan, 3]));
    expect(values(found)).toEqual([1, nan, nan]);
    expect(values(indices)).toEqual([0, 1, 1]);
  });

  it("the gradient of a running maximum goes to the element it came from", () => {
    const [g] = S.grad((v: S.Tensor) => S.sum(S.cummax(v).values))(S.tensor([1, 3, 2, 3, 5]));
    expect(values(g)).toEqual([1, 2, 0, 1, 1]);
  });

  it("logcumsumexp neither overflows nor loses small numbers", () => {
    const x = S.tensor([-inf, -2000, 1000, 1000, inf, 0], { dtype: "f64" });
    expect(values(S.logcumsumexp(x))).toEqual([-inf, -2000, 1000, 1000 + Math.LN2, inf, inf]);
    expect(values(S.logcumsumexp(S.tensor([-inf, -inf])))).toEqual([-inf, -inf]);
    expect(values(S.logcumsumexp(S.tensor([0, nan, 0])))).toEqual([0, nan, nan]);
    const [g] = S.grad((v: S.Tensor) => S.sum(S.logcumsumexp(v)))(S.tensor([-inf, 500, 500], { dtype: "f64" }));
    // -Inf - (-Inf) has no slope, and takes none from the others.
    expect(values(g)[1]).toBeCloseTo(1.5, 12);
    expect(values(g)[2]).toBeCloseTo(0.5, 12);
  });

  it("integers and bools count in i32, which wraps", () => {
    const sums = S.cumsum(S.tensor([2 ** 31 - 1, 1, 1], { dtype: "i32" }));
    expect([sums.dtype, values(sums)]).toEqual(["i32", [2 ** 31 - 1, -(2 ** 31), -(2 ** 31) + 1]]);
    expect(values(S.cumsum(S.tensor([true, false, true])))).toEqual([1, 1, 2]);
    expect(S.cummax(S.tensor([true, false])).values.dtype).toBe("i32");
  });

  it("a recurrence broadcasts, and starts from h0", () => {
    const h = S.linearRecurrence(S.tensor([[2], [3]]), S.ones([2, 3]), 0, { h0: S.tensor([1, 0, -1]) });
    expect(values(h)).toEqual([3, 1, -1, 10, 4, -2]);
    // Without h0 the first coefficient is not used.
    expect(values(S.linearRecurrence(S.tensor([nan, 2]), S.tensor([1, 1])))).toEqual([1, 3]);
  });
});

it("errors name shapes, axes and dtypes", () => {
  const x = S.ones([2, 3]);
  expect(() => S.cumsum(x, 2)).toThrow(/cumsum: axis 2 is out of range for a tensor \[2, 3\] of rank 2/);
  expect(() => S.cumsum(S.tensor(1))).toThrow(S.ShapeError);
  expect(() => S.linearRecurrence(x, S.ones([2, 4]))).toThrow(/shapes \[2, 3\] and \[2, 4\] do not broadcast/);
  expect(() => S.linearRecurrence(x, x, 0, { h0: S.ones([2]) })).toThrow(
    /h0 must be \[3\] for \[2, 3\] along axis 0, got \[2\]/,
  );
  expect(() => S.cumsum(3 as unknown as S.Tensor)).toThrow(/x must be a tensor, got a number/);
});
