// Mixtures: what they compute, that experts and leaves can be permuted together, and that skipping experts is exact.

import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { setBackend, type Tensor, tensor } from "../../engine/index.ts";
import {
  COMETGate,
  ExpertList,
  evaluationsPerSample,
  HashGate,
  MLPExperts,
  MoE,
  MultiGateMoE,
  SoftmaxGate,
  sparseMixture,
  TopKGate,
  TreeEnsembleLayer,
  treeText,
} from "../../moe/index.ts";
import { Linear } from "../../nn/index.ts";
import { close, f64, i32, normals, values } from "../nn/tools.ts";

beforeAll(() => setBackend("wasm"));

const dtype = "f64";
const cometOf = (n: number, k: number, gamma = 0.5): COMETGate =>
  new COMETGate({ inputDim: 3, nExperts: n, k, gamma, initRange: 0.4, entropyReg: 0.1, dtype });

describe("experts", () => {
  test("stacked experts are so many networks, together and one by one", () => {
    const experts = new MLPExperts({ nExperts: 3, sizes: [2, 4, 2], activateLast: true, dtype }).initialize(1);
    const x = normals([5, 2], 1);
    const all = experts.forward(x);
    expect(all.shape).toEqual([3, 5, 2]);
    for (let i = 0; i < 3; i++) {
      close(experts.one(i, x), values(all.select(0, i)), 1e-12);
      const [w1, b1, w2, b2] = experts.parameters().map((p) => p.select(0, i));
      close(all.select(0, i), values(x.matmul(w1).add(b1).relu().matmul(w2).add(b2).relu()), 1e-12);
    }
    expect(Math.min(...values(all))).toBe(0);
    expect(() => experts.forward(normals([5, 3], 1))).toThrow(/needs x \[B, 2\], got \[5, 3\]/);
    expect(() => new MLPExperts({ nExperts: 2, sizes: [3] })).toThrow(/two sizes/);
  });

  test("their weights start with the variance that suits them", () => {
    const experts = new MLPExperts({ nExperts: 8, sizes: [50, 40, 30] }).initialize(1);
    const [w1, b1, w2] = experts.parameters().map(values);
    const variance = (list: number[]): number => list.reduce((sum, v) => sum + v * v, 0) / list.length;
    expect(variance(w1)).toBeCloseTo(2 / 50, 2);
    expect(variance(w2)).toBeCloseTo(1 / 40, 2);
    expect(b1.every((v) => v === 0)).toBe(true);
    const shapes = MLPExperts.shapes({ nExperts: 8, sizes: [50, 40, 30] });
    expect(experts.namedParameters().map(([name, p]) => [name, p.shape])).toEqual(Object.entries(shapes));
  });

  test("any modules can be experts", () => {
    const items = [new Linear(2, 1, { dtype }), new Linear(2, 1, { dtype })];
    const experts = new ExpertList(items).initialize(2);
    expect(experts.namedParameters().map(([name]) => name)).toEqual(["0.weight", "0.bias", "1.weight", "1.bias"]);
    const x = normals([3, 2], 1);
    close(experts.forward(x).select(0, 1), values(experts.one(1, x)), 0);
    expect(() => new ExpertList([])).toThrow(/at least one/);
  });
});

describe("mixtures", () => {
  test("weigh the experts' outputs", () => {
    const model = new MoE(new MLPExperts({ nExperts: 4, sizes: [3, 2], dtype }), cometOf(4, 2)).initialize(1);
    const x = normals([6, 3], 1);
    const { output, gate, regLoss } = model.forward(x);
    const [g, y] = [values(gate.weights), values(model.experts.forward(x))];
    const expected = Array.from({ length: 12 }, (_, at) =>
      [0, 1, 2, 3].reduce((sum, i) => sum + g[Math.floor(at / 2) * 4 + i] * y[i * 12 + at], 0),
    );
    close(output, expected, 1e-12);
    expect(regLoss.item()).toBe(gate.regLoss.item());
    expect(() => new MoE(model.experts, cometOf(5, 2))).toThrow(/4 experts, but a gate chooses among 5/);
  });

  test("several gates share the experts, and add their regularisers", () => {
    const [one, two] = [cometOf(4, 2), cometOf(4, 1)];
    const model = new MultiGateMoE(new MLPExperts({ nExperts: 4, sizes: [3, 2], dtype }), [one, two]).initialize(1);
    const x = normals([6, 3], 1);
    const { outputs, regLoss } = model.forward(x);
    for (const [i, gate] of [one, two].entries())
      close(outputs[i], values(new MoE(model.experts, gate).forward(x).output), 1e-12);
    expect(regLoss.item()).toBeCloseTo(one.forward(x).regLoss.item() + two.forward(x).regLoss.item(), 12);
    expect(() => new MultiGateMoE(model.experts, [])).toThrow(/at least one gate/);
  });

  test("gates may look at something else", () => {
    const model = new MoE(
      new MLPExperts({ nExperts: 2, sizes: [3, 1] }),
      new HashGate({ nIds: 5, nExperts: 2, seed: 4 }),
    ).initialize(1);
    const x = normals([4, 3], 1).cast("f32");
    const ids = i32([0, 1, 2, 3]);
    const chosen = values(model.gate.forward(ids).weights.argmax(-1));
    const { output } = model.forward(x, { gateInput: ids });
    close(
      output,
      chosen.map((expert, row) => values(model.experts.one(expert, x))[row]),
      1e-6,
    );
  });

  test("permuting the experts and, alike, the leaves changes nothing", () => {
    // Reversing the leaves: every node swaps its children (negated hyperplanes, mirrored positions).
    const gate = cometOf(4, 2).initialize(5);
    const mirrored = cometOf(4, 2);
    const experts = new MLPExperts({ nExperts: 4, sizes: [3, 2], dtype }).initialize(6);
    const reversed = new MLPExperts({ nExperts: 4, sizes: [3, 2], dtype });
    const put = (target: Tensor, source: Tensor, order: readonly number[], sign = 1): void =>
      target.copyFrom(order.flatMap((i) => values(source.select(0, i).mul(sign))));
    put(mirrored.hyperplanes, gate.hyperplanes, [0, 2, 1], -1);
    put(mirrored.offsets as Tensor, gate.offsets as Tensor, [0, 2, 1], -1);
    put(mirrored.scores, gate.scores, [3, 2, 1, 0]);
    put(mirrored.scoreOffsets, gate.scoreOffsets, [3, 2, 1, 0]);
    for (const [i, p] of reversed.parameters().entries()) put(p, experts.parameters()[i], [3, 2, 1, 0]);
    const x = normals([7, 3], 1);
    close(new MoE(reversed, mirrored).forward(x).output, values(new MoE(experts, gate).forward(x).output), 1e-12);
  });
});

describe("skipping experts", () => {
  test("equals the dense sum, soft and hard, and counts what ran", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 2, max: 6 }),
        fc.integer({ min: 1, max: 2 }),
        fc.integer({ min: 0, max: 1e6 }),
        async (n, k, seed) => {
          const model = new MoE(
            new MLPExperts({ nExperts: n, sizes: [3, 4, 2] }),
            cometOf(n, k, 0.2).to("f32"),
          ).initialize(seed);
          const x = normals([40, 3], seed).cast("f32");
          for (const inference of ["soft", "hard"] as const) {
            const dense = model.forward(x, { inference });
            const sparse = await model.sparse(x, { inference });
            close(sparse.output, values(dense.output), 1e-6);
            const used = values(dense.gate.weights).filter((g) => g > 0).length;
            expect(sparse.runs.reduce((a, b) => a + b, 0)).toBe(used);
            expect(sparse.perSample).toBe(used / 40);
            expect(await evaluationsPerSample(dense.gate.weights)).toBe(used / 40);
            if (inference === "hard") expect(sparse.perSample).toBeLessThanOrEqual(k);
          }
        },
      ),
      { numRuns: 8 },
    );
  });

  test("runs no expert without samples, and top-k costs exactly k", async () => {
    class Counting extends MLPExperts {
      readonly asked: number[] = [];
      override one(index: number, x: Tensor): Tensor {
        this.asked.push(index);
        return super.one(index, x);
      }
    }
    const experts = new Counting({ nExperts: 4, sizes: [2, 1] });
    const x = normals([5, 2], 1).cast("f32");
    const weights = tensor(
      [0, 1, 0, 0.5].flatMap((g) => [g]),
      { shape: [1, 4] },
    ).expand([5, 4]);
    const { runs, output } = await sparseMixture(experts, weights, x);
    expect(experts.asked).toEqual([1, 3]);
    expect(runs).toEqual([0, 5, 0, 5]);
    close(output, values(experts.one(1, x).add(experts.one(3, x).mul(0.5))), 1e-6);
    const topk = new MoE(experts, new TopKGate({ inputDim: 2, nExperts: 4, k: 3 }));
    expect((await topk.sparse(x)).perSample).toBe(3);
  });

  test("hard inference gives at most k experts weight, whatever the gate", () => {
    const x = normals([30, 3], 2);
    for (const [gate, most] of [
      [cometOf(8, 2, 5), 2],
      [new SoftmaxGate({ inputDim: 3, nExperts: 8, dtype }), 1],
    ] as const) {
      gate.initialize(1);
      expect(Math.min(...values(gate.forward(x).support))).toBe(8);
      expect(Math.max(...values(gate.forward(x, "hard").support))).toBeLessThanOrEqual(most);
    }
  });
});

describe("trees", () => {
  test("node shares flow from the root down", () => {
    const gate = cometOf(5, 2).initialize(3);
    const x = normals([50, 3], 1);
    const shares = values(gate.nodeShares(x).select(1, 1));
    expect(shares).toHaveLength(9);
    expect(shares[0]).toBe(1);
    for (let q = 0; q < 4; q++) expect(shares[2 * q + 1] + shares[2 * q + 2]).toBeCloseTo(shares[q], 12);
    const leaves = values(gate.forward(x).leafProbs.mean(0).select(1, 1));
    close(
      [7, 8, 4, 5, 6].map((q) => shares[q]),
      leaves,
      1e-12,
    );
  });

  test("are drawn with the share on each edge", () => {
    expect(treeText([1, 0.6, 0.4, 0.5, 0.1])).toBe(
      ["node 0 100%", "├─ node 1 60%", "│  ├─ expert 0 50%", "│  └─ expert 1 10%", "└─ expert 2 40%"].join("\n"),
    );
    expect(() => treeText([1, 0.5])).toThrow(/2n - 1 shares, got 2/);
  });

  test("a tree ensemble adds up its leaves by their probabilities", () => {
    const layer = new TreeEnsembleLayer({ inputDim: 1, outputDim: 1, trees: 1, depth: 1, gamma: 1, dtype });
    layer.hyperplanes.copyFrom([1]);
    layer.offsets.copyFrom([0]);
    layer.leaves.copyFrom([10, 20]);
    // S(0.1) = 0.648, and saturated on either side.
    close(layer.forward(f64([[0.1], [9], [-9]])), [0.648 * 10 + 0.352 * 20, 10, 20], 1e-12);
    expect(() => new TreeEnsembleLayer({ inputDim: 1, outputDim: 1, trees: 0, depth: 1 })).toThrow(
      /trees must be at least 1/,
    );
    expect(() => new TreeEnsembleLayer({ inputDim: 1, outputDim: 1, trees: 1, depth: 1, gamma: 0 })).toThrow(/gamma/);
  });
});
