// The local search: its schedule, its regulariser, and what a permutation does to a gate.

import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { compile, setBackend, tensor } from "../../engine/index.ts";
import {
  COMETGate,
  DSelectKGate,
  HashGate,
  hungarian,
  MLPExperts,
  MoE,
  PermutationSearch,
  SoftmaxGate,
  TopKGate,
} from "../../moe/index.ts";
import { Adam, Stream } from "../../nn/index.ts";
import { close, f64, i32, normals, values } from "../nn/tools.ts";

beforeAll(() => setBackend("reference"));

/** [n, n] with a 1 at [i, columns[i]]. */
const matrixOf = (columns: readonly number[]): number[][] =>
  columns.map((column) => columns.map((_, j) => (j === column ? 1 : 0)));

describe("the search", () => {
  test("follows the official schedule", () => {
    const search = new PermutationSearch({ nExperts: 4, iterations: 100 });
    const found = [0, 25, 50, 75, 100].map((step) => search.schedule(step));
    close(
      found.map(({ tau }) => Math.log10(tau)),
      [-3, -4, -5, -6, -7],
      1e-9,
    );
    expect(found.map(({ rounds }) => rounds)).toEqual([20, 52, 85, 117, 150]);
    const warm = new PermutationSearch({ nExperts: 4, iterations: 10, preset: "warm" });
    expect([warm.schedule(0).tau, warm.schedule(10).tau].map((tau) => Math.log10(tau))).toEqual([-1, -3]);
    expect(new PermutationSearch({ nExperts: 4, iterations: 10, tauInit: 0.5 }).schedule(0).tau).toBeCloseTo(0.5, 12);
  });

  test("its regulariser is 2 n ln n at the uniform matrix and about 0 at a permutation", () => {
    for (const [n, expected] of [
      [4, 11.090323],
      [16, 88.722327],
    ] as const) {
      const search = new PermutationSearch({ nExperts: n, iterations: 1, zeta: 1, dtype: "f64" });
      const uniform = tensor(new Float64Array(n * n).fill(1 / n), { shape: [n, n] });
      expect(search.regLoss(uniform).item()).toBeCloseTo(expected, 6);
      expect(Math.abs(search.regLoss(search.hard).item())).toBeLessThan(1e-3);
    }
  });

  test("advances, then hardens by itself; evaluation uses a permutation throughout", async () => {
    const search = new PermutationSearch({ nExperts: 4, iterations: 3, preset: "warm", dtype: "f64" }).initialize(3);
    expect(values(search.eval().forward())).toEqual(matrixOf([0, 1, 2, 3]).flat());
    search.train();
    const taus: number[] = [];
    while (await search.advance()) taus.push(search.tau.item());
    expect(taus.map((tau) => Math.log10(tau))).toEqual([-1, -5 / 3, -7 / 3].map((v) => expect.closeTo(v, 12)));
    expect(search.learning).toBe(false);
    const p = values(search.forward());
    expect(p.filter((v) => v === 1)).toHaveLength(4);
    expect(p.filter((v) => v === 0)).toHaveLength(12);
    // It is the permutation nearest to the last soft matrix.
    const soft = search.soft().neg().toArray() as number[][];
    expect(p).toEqual(matrixOf(hungarian(soft)).flat());
    expect(search.regLoss(search.forward()).item()).toBe(0);
  });

  test("a hard permutation: permuted experts behind the conjugated gate give the same output", async () => {
    fc.assert(
      fc.property(fc.constantFrom(2, 4, 8), fc.integer({ min: 0, max: 1e6 }), (n, seed) => {
        const columns = new Stream(seed, "p").permutation(n);
        const x = normals([5, 3], seed);
        const config = { inputDim: 3, nExperts: n, k: 2, dtype: "f64" } as const;
        const gates = [
          new COMETGate({ ...config, initRange: 0.5 }),
          new DSelectKGate(config),
          new TopKGate(config),
          new SoftmaxGate(config),
        ];
        for (const gate of gates) {
          gate.initialize(seed);
          const search = new PermutationSearch({ nExperts: n, iterations: 1, dtype: "f64" });
          search.hard.copyFrom(matrixOf(columns).flat());
          const experts = new MLPExperts({ nExperts: n, sizes: [3, 2], dtype: "f64" }).initialize(seed);
          // Expert columns[i] stands where gate output i goes.
          const moved = new MLPExperts({ nExperts: n, sizes: [3, 2], dtype: "f64" });
          for (const [at, p] of moved.parameters().entries()) {
            const source = experts.parameters()[at];
            const inverse = columns.map((_, l) => columns.indexOf(l));
            p.copyFrom(inverse.flatMap((i) => values(source.select(0, i))));
          }
          const plain = new MoE(experts, gate).forward(x);
          const permuted = new MoE(moved, search.wrap(gate)).eval().forward(x);
          close(permuted.output, values(plain.output), 1e-12);
          close(permuted.gate.weights.sum(-1), values(plain.gate.weights.sum(-1)), 1e-12);
          expect(values(permuted.gate.support)).toEqual(values(plain.gate.support));
        }
      }),
      { numRuns: 6 },
    );
  });

  test("the identity is the plain gate, and a hash gate stays a hash gate", () => {
    const search = new PermutationSearch({ nExperts: 4, iterations: 1 }).eval();
    const hash = new HashGate({ nIds: 20, nExperts: 4, seed: 1 });
    const ids = i32(Array.from({ length: 20 }, (_, i) => i));
    expect(values(search.wrap(hash).eval().forward(ids).weights)).toEqual(values(hash.forward(ids).weights));
    search.hard.copyFrom(matrixOf([2, 0, 3, 1]).flat());
    const relabelled = values(search.wrap(hash).eval().forward(ids).weights.argmax(-1));
    expect(relabelled).toEqual(values(hash.table).map((expert) => [2, 0, 3, 1][expert]));
  });

  test("a soft permutation keeps weights that add up to 1, but for DSelect-k, which is not renormalised", () => {
    const search = new PermutationSearch({
      nExperts: 4,
      iterations: 9,
      tauInit: 0.02,
      sinkhornIters: [1, 1],
      dtype: "f64",
    }).initialize(1);
    const config = { inputDim: 2, nExperts: 4, k: 2, dtype: "f64" } as const;
    const x = normals([3, 2], 1);
    const sums = (gate: COMETGate | DSelectKGate): number[] =>
      values(search.wrap(gate.initialize(1)).forward(x).weights.sum(-1));
    close(sums(new COMETGate(config)), [1, 1, 1], 1e-12);
    const p = search.forward().sum(1);
    const inner = new DSelectKGate(config).initialize(1);
    close(sums(inner), values(inner.forward(x).weights.matmul(p)), 1e-12);
    expect(sums(inner).some((sum) => Math.abs(sum - 1) > 1e-4)).toBe(true);
  });

  test("gates that share a search add its regulariser once", () => {
    const search = new PermutationSearch({ nExperts: 2, iterations: 9, zeta: 1, dtype: "f64" });
    const gates = [1, 2].map(() => search.wrap(new SoftmaxGate({ inputDim: 1, nExperts: 2, dtype: "f64" })));
    const [first, second] = gates.map((gate) => gate.forward(f64([[1]])).regLoss.item());
    expect(first).not.toBe(0);
    expect(second).toBe(0);
  });

  test("learns within one trace while the temperature and the rounds change", async () => {
    const search = new PermutationSearch({
      nExperts: 3,
      iterations: 6,
      preset: "warm",
      sinkhornIters: [2, 8],
    }).initialize(1);
    const optimizer = new Adam(search.parameters(), { lr: 0.05 });
    const target = tensor(matrixOf([1, 2, 0]));
    const step = compile((learning: boolean) => {
      expect(learning).toBe(true);
      optimizer.zeroGrad();
      const loss = search.train().forward().sub(target).square().sum();
      loss.backward();
      void optimizer.step();
      return loss;
    });
    for (let i = 0; i < 6; i++) {
      expect(await search.advance()).toBe(true);
      expect(Number.isFinite(step(true).item())).toBe(true);
    }
    expect(step.traces).toBe(1);
    expect(await search.advance()).toBe(false);
  });

  test("noise perturbs the logits in training only", () => {
    const search = new PermutationSearch({
      nExperts: 3,
      iterations: 5,
      preset: "warm",
      noise: 1,
      dtype: "f64",
    }).initialize(1);
    expect(values(search.soft())).not.toEqual(values(search.soft()));
    search.eval();
    expect(values(search.soft())).toEqual(values(search.soft()));
  });

  test("refuses settings that make no sense", () => {
    const config = { nExperts: 4, iterations: 10 };
    expect(() => new PermutationSearch({ ...config, nExperts: 1 })).toThrow(/nExperts is out of range: 1/);
    expect(() => new PermutationSearch({ ...config, iterations: 0 })).toThrow(/iterations/);
    expect(() => new PermutationSearch({ ...config, tauInit: 0 })).toThrow(/tauInit/);
    expect(() => new PermutationSearch({ ...config, sinkhornIters: [0, 5] })).toThrow(/sinkhornIters/);
    expect(() => new PermutationSearch({ ...config, preset: "hot" as "warm" })).toThrow(/unknown preset "hot"/);
    expect(() => new PermutationSearch(config).wrap(new SoftmaxGate({ inputDim: 2, nExperts: 3 }))).toThrow(
      /3 experts, the search 4/,
    );
  });
});
