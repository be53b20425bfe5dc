// Diagnostics: each against its definition in plain loops, the uniform floor's published numbers, and what a run reads.

import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { compile, setBackend, type Tensor, tensor } from "../../../engine/index.ts";
import {
  diagnostics,
  firstTokenAttention,
  gateWeightedFirstAttention,
  maxActivation,
  outputSparsity,
  scoreHistogram,
  scoreStatistics,
  sparsity,
  uniformFloor,
  valueDrain,
} from "../../../papers/gated-attention/diagnostics.ts";
import { TransformerLM } from "../../../papers/gated-attention/model.ts";
import { close, f64, normals, values } from "../../nn/tools.ts";
import { attentionOf, randomIds, setParameter, tinyOptions } from "./tools.ts";

beforeAll(() => setBackend("reference"));

const mean = (list: readonly number[]): number => list.reduce((sum, v) => sum + v, 0) / list.length;
const nested = (x: Tensor): number[][][][] => x.toArray() as number[][][][];

describe("F-Attn", () => {
  test("is the mean weight of the first token over batch, heads and later queries", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5 }), fc.nat(4), fc.nat(99), (n, skip, seed) => {
        const from = Math.min(skip, n - 1);
        const weights = normals([2, 3, n, n], seed).softmax(-1);
        const first = nested(weights).flatMap((heads) =>
          heads.flatMap((rows) => rows.slice(from).map((row) => row[0])),
        );
        expect(firstTokenAttention(weights, from).item()).toBeCloseTo(mean(first), 12);
        const scores = normals([2, n, 3, 2], seed + 1).sigmoid();
        const gated = nested(weights).flatMap((heads, b) =>
          heads.flatMap((rows, h) => rows.slice(from).map((row, i) => row[0] * mean(nested(scores)[b][from + i][h]))),
        );
        expect(gateWeightedFirstAttention(weights, scores, from).item()).toBeCloseTo(mean(gated), 12);
      }),
      { numRuns: 20 },
    );
  });

  test("of uniform causal attention is the floor, at its published numbers", () => {
    for (const [n, floor] of [
      [32, 0.1268],
      [64, 0.0741],
      [128, 0.0424],
      [4096, 0.0022],
    ]) {
      expect(uniformFloor(n)).toBeCloseTo(floor, 4);
    }
    const uniform = f64([
      [Array.from({ length: 6 }, (_, i) => Array.from({ length: 6 }, (_, j) => (j <= i ? 1 / (i + 1) : 0)))],
    ]);
    for (const from of [0, 3]) expect(firstTokenAttention(uniform, from).item()).toBeCloseTo(uniformFloor(6, from), 12);
    expect(uniformFloor(10, 9)).toBeCloseTo(0.1, 12);
  });

  test("weighed by a gate: one without it, shared and input-independent scores spread", () => {
    const weights = normals([2, 3, 4, 4], 1).softmax(-1);
    const plain = firstTokenAttention(weights, 1).item();
    expect(gateWeightedFirstAttention(weights, undefined, 1).item()).toBeCloseTo(plain, 12);
    const half = tensor(0.5, { dtype: "f64" });
    for (const shape of [
      [2, 4, 1, 2],
      [1, 1, 3, 2],
      [1, 1, 1, 1],
      [2, 4, 3, 1],
    ])
      expect(gateWeightedFirstAttention(weights, half.broadcastTo(shape), 1).item()).toBeCloseTo(plain / 2, 12);
  });

  test("has queries to average over", () => {
    const weights = normals([1, 1, 4, 4], 1).softmax(-1);
    expect(() => firstTokenAttention(weights, 4)).toThrow(/the first query must be in \[0, 4\), got 4/);
    expect(() => valueDrain(normals([1, 1, 1, 2], 0))).toThrow(/needs at least two tokens/);
  });
});

test("M-Act is the largest magnitude, value drain a ratio of norms, sparsity a share", () => {
  const hidden = f64([[[1, -7, 3]], [[2, 5, -6]]]);
  expect(maxActivation(hidden).item()).toBe(7);
  const v = normals([3, 2, 4, 2], 5);
  const drains = [0, 1].map((h) =>
    mean(
      nested(v).map((heads) => {
        const norms = heads[h].map((token) => Math.hypot(...token));
        return norms[0] / mean(norms.slice(1));
      }),
    ),
  );
  close(valueDrain(v), drains, 1e-12);
  expect(sparsity(f64([0.005, -0.005, 0.02, -1]), 1e-2).item()).toBe(0.5);
  expect(sparsity(f64([0.01, 0]), 1e-2).item()).toBe(0.5);
});

test("statistics and histogram of scores", () => {
  fc.assert(
    fc.property(
      fc.array(fc.double({ min: -0.5, max: 1.5, noNaN: true }), { minLength: 1 }),
      fc.integer({ min: 1, max: 9 }),
      (list, bins) => {
        const scores = f64(list);
        const { mean: average, std, min, max } = scoreStatistics(scores);
        expect(average.item()).toBeCloseTo(mean(list), 12);
        expect(std.item() ** 2).toBeCloseTo(mean(list.map((v) => (v - mean(list)) ** 2)), 10);
        expect([min.item(), max.item()]).toEqual([Math.min(...list), Math.max(...list)]);
        const counts = new Array<number>(bins).fill(0);
        for (const v of list) {
          if (v < 0 || v > 1) continue;
          const at = Array.from({ length: bins }, (_, i) => i / bins).findLastIndex((edge) => v >= edge);
          counts[at] += 1 / list.length;
        }
        close(scoreHistogram(scores, bins), counts, 1e-12);
      },
    ),
    { numRuns: 60 },
  );
  close(scoreHistogram(f64([0, 0.5, 1, 1.2, -1]), 2), [0.2, 0.4], 1e-12);
});

test("sparsity of Y: before, after, and scaled by the mean score alone", () => {
  const layer = attentionOf({ ...tinyOptions("g1-elementwise"), initStd: 0.05 }, 3);
  // Scores far from their mean: the gate does more than rescale.
  setParameter(layer, "gate.proj.weight", values(normals([8, 4], 9).mul(6)));
  const trace = layer.inspect(normals([2, 5, 4], 1));
  const { scores, sdpaOutput, gatedOutput } = trace;
  if (scores === undefined) throw new Error("no scores");
  const found = outputSparsity(trace, scores);
  const share = (list: readonly number[], limit: number): number =>
    mean(list.map((v) => (Math.abs(v) < limit ? 1 : 0)));
  const [y, gated] = [values(sdpaOutput), values(gatedOutput)];
  const control = y.map((v) => v * mean(values(scores)));
  expect(found.before.item()).toBeCloseTo(mean(y.map(Math.abs)), 12);
  expect(found.after.item()).toBeCloseTo(mean(gated.map(Math.abs)), 12);
  const limits = [1e-2, 1e-3];
  close(
    found.sparsityBefore,
    limits.map((limit) => share(y, limit)),
    1e-12,
  );
  close(
    found.sparsityAfter,
    limits.map((limit) => share(gated, limit)),
    1e-12,
  );
  close(
    found.sparsityControl,
    limits.map((limit) => share(control, limit)),
    1e-12,
  );
  // The sizes are such that the shares tell something.
  expect(found.sparsityBefore.dataSync()[0]).toBeGreaterThan(0);
  expect(values(found.sparsityControl)).not.toEqual(values(found.sparsityAfter));
  close(outputSparsity(trace, undefined).sparsityControl, values(found.sparsityBefore), 1e-12);
});

describe("a model's diagnostics", () => {
  const ids = tensor(Int32Array.from(randomIds(20, 7, 0)), { shape: [2, 10] });

  test("come compiled, one entry a layer", async () => {
    await setBackend("wasm");
    for (const name of [
      "baseline",
      "g1-elementwise",
      "g1-shared",
      "g1-const",
      "g2-headwise",
      "g5-elementwise",
    ] as const) {
      const options = tinyOptions(name);
      const model = new TransformerLM(options);
      const measure = compile((tokens: Tensor) => diagnostics(model.inspect(tokens), options.gate ?? null));
      const layers = measure(ids);
      expect(layers.length).toBe(2);
      const traces = model.inspect(ids).layers;
      layers.forEach((layer, i) => {
        expect(layer.fAttn.item(), name).toBeCloseTo(firstTokenAttention(traces[i].weights).item(), 10);
        expect(layer.fAttnLater.item()).toBeCloseTo(firstTokenAttention(traces[i].weights, 8).item(), 10);
        expect(layer.mAct.item()).toBeCloseTo(Math.max(...values(traces[i].hidden).map(Math.abs)), 10);
        expect(layer.drain.shape).toEqual([options.nKvHeads]);
        expect(layer.scores === undefined).toBe(name === "baseline");
        if (layer.histogram !== undefined) expect(layer.histogram.sum().item()).toBeCloseTo(1, 10);
        // Only a gate at G1 stands between the sink and W_O.
        const weighed = layer.gateWeightedFAttn.item() / layer.fAttnLater.item();
        if (name.startsWith("g1")) expect(weighed).toBeLessThan(0.95);
        else expect(weighed).toBeCloseTo(1, 10);
      });
    }
    await setBackend("reference");
  });

  test("are not computed by those who do not read them", async () => {
    await setBackend("wasm");
    const model = new TransformerLM(tinyOptions("g1-elementwise"));
    const forward = compile((tokens: Tensor) => model.forward(tokens));
    const inspected = compile((tokens: Tensor) => model.inspect(tokens).logits);
    forward(ids).dataSync();
    inspected(ids).dataSync();
    const kernels = (text: string): string[] => text.match(/\d+ kernel calls of \d+ kernels/g) ?? [];
    expect(kernels(inspected.explain())).toEqual(kernels(forward.explain()));
    expect(kernels(forward.explain()).length).toBe(1);
    await setBackend("reference");
  });
});
