// Layers against their formulas and against each other: running statistics, groups, gates, ties, stochastic depth.

import { beforeAll, describe, expect, test } from "vitest";
import { compile, manualSeed, setBackend, type Tensor, tensor, valueAndGrad } from "../../engine/index.ts";
import * as nn from "../../nn/index.ts";
import { checkModule, close, f64, i32, normals, values } from "./tools.ts";

beforeAll(() => setBackend("wasm"));

describe("batch normalisation", () => {
  test("running statistics follow their equations, in a compiled step and without", () => {
    for (const compiled of [false, true]) {
      const norm = new nn.BatchNorm1d(2, { momentum: 0.3, dtype: "f64" });
      const step = (x: Tensor): Tensor => norm.forward(x);
      const run = compiled ? compile(step) : step;
      let [mean, variance] = [
        [0, 0],
        [1, 1],
      ];
      for (let t = 0; t < 3; t++) {
        const x = normals([5, 2], t);
        run(x);
        const [m, v] = [x.mean(0), x.var(0)].map(values);
        mean = mean.map((old, i) => 0.7 * old + 0.3 * m[i]);
        variance = variance.map((old, i) => 0.7 * old + 0.3 * v[i]);
      }
      close(norm.runningMean as Tensor, mean, 1e-12);
      close(norm.runningVar as Tensor, variance, 1e-12);
      expect((norm.numBatchesTracked as Tensor).item()).toBe(3);
      const x = normals([2, 2], 9);
      const expected = values(x).map((value, i) => (value - mean[i % 2]) / Math.sqrt(variance[i % 2] + 1e-5));
      close(norm.eval().forward(x), expected, 1e-12);
      expect((norm.numBatchesTracked as Tensor).item()).toBe(3);
    }
  });

  test("momentum null averages all batches; a batch of one value is refused", () => {
    const norm = new nn.BatchNorm2d(1, { momentum: null, dtype: "f64" });
    const batches = [1, 2, 3].map((seed) => normals([2, 1, 2, 2], seed));
    for (const x of batches) norm.forward(x);
    close(norm.runningMean as Tensor, [batches.reduce((sum, x) => sum + x.mean().item(), 0) / 3], 1e-12);
    expect(() => norm.forward(normals([1, 1, 1, 1], 1))).toThrow(/more than one value/);
    expect(norm.eval().forward(normals([1, 1, 1, 1], 1)).shape).toEqual([1, 1, 1, 1]);
    expect(() => norm.forward(normals([1, 2, 1, 1], 1))).toThrow(/takes \[N, 1, H, W\]/);
  });
});

describe("equivalences", () => {
  test("GroupNorm of one group is LayerNorm over the sample; of single channels, InstanceNorm", () => {
    const x = normals([2, 4, 3], 1);
    const one = new nn.GroupNorm(1, 4, { affine: false }).forward(x);
    close(new nn.LayerNorm([4, 3], { affine: false }).forward(x), values(one), 1e-12);
    const each = new nn.GroupNorm(4, 4, { affine: false }).forward(x);
    close(new nn.InstanceNorm1d(4).forward(x), values(each), 1e-12);
    expect(() => new nn.GroupNorm(3, 4)).toThrow(/3 does not divide 4/);
  });

  test("a depthwise convolution is one convolution per channel", () => {
    const layer = new nn.Conv1d(3, 3, 2, { groups: 3, dtype: "f64" }).initialize(1);
    const x = normals([1, 3, 5], 1);
    const [w, b] = [layer.weight, layer.bias as Tensor];
    const parts = [0, 1, 2].flatMap((c) =>
      values(x.narrow(1, c, 1).conv1d(w.narrow(0, c, 1), { bias: b.narrow(0, c, 1) })),
    );
    close(layer.forward(x), parts, 1e-12);
    expect(() => new nn.Conv1d(3, 4, 2, { groups: 3 })).toThrow(/3 does not divide 4/);
    expect(new nn.ConvTranspose2d(2, 6, [2, 3], { groups: 2 }).weight.shape).toEqual([2, 3, 2, 3]);
  });

  test("GLUs gate their first half by their second", () => {
    const x = f64([[1, 2, 0.5, -1]]);
    const sigmoid = (v: number): number => 1 / (1 + Math.exp(-v));
    close(new nn.GLU().forward(x), [sigmoid(0.5), 2 * sigmoid(-1)], 1e-12);
    close(new nn.SwiGLU().forward(x), [0.5 * sigmoid(0.5), -2 * sigmoid(-1)], 1e-12);
    close(new nn.ReGLU().forward(x), [0.5, 0], 1e-12);
    expect(() => new nn.GLU().forward(f64([1, 2, 3]))).toThrow(/even/);
  });

  test("padding ids give zeros and their row no gradient, even after initialize", () => {
    const table = new nn.Embedding(4, 2, { padding: 1, dtype: "f64" }).initialize(5);
    const [y, [gradient]] = valueAndGrad((w: Tensor) =>
      nn.withParameters(table, { weight: w }, () => table.forward(i32([1, 2, 1])).sum()),
    )(table.weight.detach());
    close(y, [values(table.weight)[4] + values(table.weight)[5]], 1e-12);
    expect(values(gradient)).toEqual([0, 0, 0, 0, 1, 1, 0, 0]);
    expect(() => new nn.Embedding(4, 2, { padding: 4 })).toThrow(/padding/);
  });

  test("a tied output layer is an untied one with equal weights; its table gets both gradients", () => {
    const table = new nn.Embedding(5, 3, { dtype: "f64" }).initialize(2);
    const untied = new nn.Linear(3, 5, { bias: false, dtype: "f64" });
    untied.weight.copyFrom(table.weight.dataSync());
    const x = normals([2, 3], 1);
    close(table.attend(x), values(untied.forward(x)), 1e-14);
    checkModule(table, [], () => table.attend(table.forward(i32([0, 3])).tanh()));
  });
});

describe("stochastic depth and layer scale", () => {
  test("DropPath drops whole samples and scales the others", () => {
    manualSeed(3);
    const layer = new nn.DropPath(0.25);
    const y = layer.forward(tensor(new Float32Array(8000).fill(3), { shape: [4000, 2] })).toArray() as number[][];
    expect(y.every(([a, b]) => a === b && (a === 0 || a === 4))).toBe(true);
    expect(y.filter(([a]) => a === 0).length / 4000).toBeCloseTo(0.25, 1);
    expect(values(layer.eval().forward(tensor([[1, 2]])))).toEqual([1, 2]);
    expect(() => new nn.DropPath(1)).toThrow(/rate/);
  });

  test("a block with a tiny layer scale is nearly the identity", () => {
    const scale = new nn.LayerScale(2, 1e-9, { dtype: "f64" });
    close(scale.forward(f64([1, 2])), [1e-9, 2e-9], 1e-20);
  });
});
