// Products over sorted rows: what holds for any groups, and what is refused.

import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import * as S from "../../engine/index.ts";
import { tensorOf, valuesOf } from "../../testing/index.ts";
import { groups, offsetsOf, rowsOf } from "./samples/experts.ts";

const close = (actual: S.Tensor, expected: S.Tensor): void => {
  expect(actual.shape).toEqual(expected.shape);
  const [a, b] = [actual.dataSync(), expected.dataSync()];
  for (let i = 0; i < b.length; i++) expect(Math.abs(a[i] - b[i])).toBeLessThanOrEqual(1e-4 * (1 + Math.abs(b[i])));
};
const real = (shape: readonly number[], salt: number): S.Tensor =>
  tensorOf(valuesOf("real", S.sizeOf(shape), 7, salt), shape, "f32");

describe.each(["reference", "wasm"] as const)("grouped products on %s", (backend) => {
  beforeAll(() => S.setBackend(backend));
  afterAll(() => S.setBackend("reference"));

  it("is one matrix product for each group, forward and backward", () => {
    fc.assert(
      fc.property(groups(5, 40), fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 20 }), (drawn, k, n) => {
        const [offsets, r] = [offsetsOf(drawn), rowsOf(drawn)];
        const [x, w, g] = [real([r, k], 1), real([drawn.sizes.length, k, n], 2), real([r, n], 3)];
        const bounds = S.tensor(Int32Array.from(offsets));
        const [y, pull] = S.vjp((a, b) => S.groupedMatmul(a, b, bounds), x, w);
        const [dx, dw] = pull(g);
        drawn.sizes.forEach((size, i) => {
          const rows = (t: S.Tensor) => t.narrow(0, offsets[i], size);
          const [one, pullOne] = S.vjp((a, b) => a.matmul(b), rows(x), w.select(0, i));
          const [dxi, dwi] = pullOne(rows(g));
          close(rows(y), one);
          close(rows(dx), dxi);
          close(dw.select(0, i), dwi);
        });
      }),
      { numRuns: 60 },
    );
  });

  it("commutes with a permutation within a group, and one group is a plain product", () => {
    const [x, w] = [real([12, 5], 1), real([2, 5, 3], 2)];
    const offsets = S.tensor(Int32Array.of(0, 7, 12));
    const swap = S.tensor(Int32Array.of(6, 5, 4, 3, 2, 1, 0, 11, 10, 9, 8, 7));
    close(S.groupedMatmul(x.indexSelect(0, swap), w, offsets), S.groupedMatmul(x, w, offsets).indexSelect(0, swap));
    close(S.groupedMatmul(x, w.narrow(0, 0, 1), S.tensor(Int32Array.of(0, 12))), x.matmul(w.select(0, 0)));
  });

  it("is the dense mixture when every expert is chosen, gradients included", () => {
    const [b, d, n, experts] = [6, 4, 3, 3];
    const [x, w, bias, gate] = [
      real([b, d], 1),
      real([experts, d, n], 2),
      real([experts, n], 3),
      real([b, experts], 4),
    ];
    const all = S.iota([b, experts], 1);
    const sparse = (xs: S.Tensor, ws: S.Tensor, bs: S.Tensor, gs: S.Tensor): S.Tensor => {
      const plan = S.dispatchByExpert(all, experts);
      const y = S.groupedMatmul(S.gatherByExpert(xs, plan), ws, plan.offsets, { bias: bs });
      return S.combineByExpert(y.tanh(), gs, plan);
    };
    const dense = (xs: S.Tensor, ws: S.Tensor, bs: S.Tensor, gs: S.Tensor): S.Tensor =>
      xs.unsqueeze(0).matmul(ws).add(bs.unsqueeze(1)).tanh().mul(gs.t().unsqueeze(-1)).sum(0);
    const [y, pull] = S.vjp(sparse, x, w, bias, gate);
    const [z, pullDense] = S.vjp(dense, x, w, bias, gate);
    close(y, z);
    const seed = real([b, n], 5);
    pull(seed).forEach((g, i) => {
      close(g, pullDense(seed)[i]);
    });
  });

  it("refuses offsets and indices that do not fit", () => {
    const [x, w] = [real([4, 2], 1), real([2, 2, 3], 2)];
    const product = (...offsets: number[]) => S.groupedMatmul(x, w, S.tensor(Int32Array.from(offsets)));
    expect(() => product(0, 3, 2)).toThrow(S.ShapeError);
    expect(() => product(0, 3, 2)).toThrow("got 2 after 3");
    expect(() => product(-1, 3, 4)).toThrow("got -1 after 0");
    expect(() => product(0, 3, 5)).toThrow("offset 5 is beyond the 4 rows");
    expect(() => product(0, 3, 4, 4)).toThrow("got [4, 2], [2, 2, 3], [4]");
    expect(() => S.groupedMatmul(x, real([2, 3, 3], 2), S.tensor(Int32Array.of(0, 1, 4)))).toThrow("[2, 3, 3]");
    expect(() => S.groupedMatmul(x, w, S.tensor([0, 1, 4]))).toThrow(S.DTypeError);
    expect(() => S.groupedMatmul(x, w, S.tensor(Int32Array.of(0, 1, 4)), { bias: real([2, 2], 3) })).toThrow("[2, 2]");
    // Offsets that are computed are looked at when the program runs.
    const shifted = S.tensor(Int32Array.of(0, 2, 1)).add(1);
    expect(() => S.groupedMatmul(x, w, shifted).dataSync()).toThrow("got 2 after 3");
    expect(S.groupedMatmul(x, w, S.tensor(Int32Array.of(0, 2, 4))).dataSync().length).toBe(12);
    const beyond = S.dispatchByExpert(S.tensor(Int32Array.of(0, 3)), 3);
    expect(() => beyond.offsets.dataSync()).toThrow(
      "dispatchByExpert: index 3 is out of range for axis 0 of length 3 (argument expertIndex)",
    );
    expect(() => S.dispatchByExpert(S.tensor([0.5]), 3)).toThrow(S.DTypeError);
    expect(() => S.dispatchByExpert(S.tensor(Int32Array.of(0)), 0)).toThrow(S.ArgumentError);
    const plan = S.dispatchByExpert(S.tensor(Int32Array.of(0, 1)), 2);
    expect(() => S.gatherByExpert(real([3, 2], 1), plan)).toThrow("[3, 2]");
    expect(() => S.combineByExpert(real([2, 2], 1), real([3], 1), plan)).toThrow("[3]");
  });
});
