// Layers on generated configurations: no shape breaks them, and their gradients are right to second order.

import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { setBackend, type Tensor } from "../../engine/index.ts";
import * as nn from "../../nn/index.ts";
import { checkModule, close, normals, values } from "./tools.ts";

beforeAll(() => setBackend("wasm"));

/** Checks a one-input module on generated configurations: no shape may break it, and its gradients are right. */
function checked<C>(
  name: string,
  config: fc.Arbitrary<C>,
  make: (config: C) => nn.Module,
  shape: (config: C) => number[],
) {
  test(name, () => {
    fc.assert(
      fc.property(config, fc.nat(1000), (drawn, seed) => {
        const module = make(drawn).to("f64").initialize(seed);
        checkModule(module, [normals(shape(drawn), seed)], (x) => module.forward(x));
      }),
      { numRuns: 4 },
    );
  });
}

const few = fc.integer({ min: 1, max: 3 });
const nothing = fc.constant(0);

describe("gradients of every layer", () => {
  const conv = fc.record({ g: fc.integer({ min: 1, max: 2 }), k: few, stride: few, n: fc.nat(2), bias: fc.boolean() });
  checked(
    "Conv1d",
    conv,
    ({ g, k, stride, bias }) => new nn.Conv1d(2, 2 * g, k, { groups: g, stride, bias, padding: 1 }),
    (c) => [c.n, 2, 4],
  );
  checked(
    "Conv1d, causal",
    conv,
    ({ g, k }) => new nn.Conv1d(2, 2, k, { groups: g, padding: "causal" }),
    (c) => [c.n, 2, 3],
  );
  checked(
    "Conv2d",
    conv,
    ({ g, k, stride }) => new nn.Conv2d(2, 2, [k, 2], { groups: g, stride, padding: "same" }),
    () => [1, 2, 3, 3],
  );
  checked(
    "ConvTranspose1d",
    conv,
    ({ g, k, stride }) => new nn.ConvTranspose1d(2, 2, k, { groups: g, stride }),
    (c) => [c.n, 2, 2],
  );
  checked(
    "ConvTranspose2d",
    conv,
    ({ g, k }) => new nn.ConvTranspose2d(2, 2, k, { groups: g }),
    () => [1, 2, 2, 2],
  );
  checked(
    "MaxPool1d",
    few,
    (k) => new nn.MaxPool1d(k, { stride: 1 }),
    () => [1, 2, 3],
  );
  checked(
    "MaxPool2d",
    few,
    (k) => new nn.MaxPool2d(k),
    () => [1, 2, 3, 3],
  );
  checked(
    "AvgPool1d",
    few,
    (k) => new nn.AvgPool1d(k, { stride: 1 }),
    () => [1, 2, 3],
  );
  checked(
    "AvgPool2d",
    few,
    (k) => new nn.AvgPool2d(k),
    () => [1, 2, 3, 3],
  );
  checked(
    "AdaptiveAvgPool1d",
    few,
    (k) => new nn.AdaptiveAvgPool1d(k),
    () => [2, 4],
  );
  checked(
    "AdaptiveAvgPool2d",
    few,
    (k) => new nn.AdaptiveAvgPool2d(k),
    () => [1, 4, 3],
  );
  const norm = fc.record({ affine: fc.boolean(), bias: fc.boolean(), n: few });
  checked(
    "LayerNorm",
    norm,
    ({ n, ...o }) => new nn.LayerNorm([n, 3], o),
    ({ n }) => [2, n, 3],
  );
  checked(
    "RMSNorm",
    norm,
    ({ n, affine }) => new nn.RMSNorm(n + 1, { affine }),
    ({ n }) => [2, n + 1],
  );
  checked(
    "GroupNorm",
    norm,
    ({ n, ...o }) => new nn.GroupNorm(n, 2 * n, o),
    ({ n }) => [1, 2 * n, 2],
  );
  checked(
    "InstanceNorm1d",
    norm,
    ({ affine }) => new nn.InstanceNorm1d(2, { affine }),
    ({ n }) => [n, 2, 3],
  );
  checked(
    "InstanceNorm2d",
    norm,
    ({ affine }) => new nn.InstanceNorm2d(2, { affine }),
    () => [1, 2, 2, 2],
  );
  checked(
    "BatchNorm1d",
    norm,
    ({ affine }) => new nn.BatchNorm1d(2, { affine }),
    ({ n }) => [3, 2, n],
  );
  checked(
    "BatchNorm2d",
    norm,
    ({ affine }) => new nn.BatchNorm2d(2, { affine }),
    () => [2, 2, 2, 1],
  );
  checked(
    "BatchNorm1d in evaluation",
    norm,
    ({ affine }) => new nn.BatchNorm1d(2, { affine }).eval(),
    ({ n }) => [n, 2],
  );
  checked(
    "LayerScale",
    few,
    (n) => new nn.LayerScale(n, 0.5),
    (n) => [2, n],
  );
  checked(
    "PReLU",
    fc.boolean(),
    (each) => new nn.PReLU(each ? 3 : 1),
    () => [2, 3, 2],
  );
  checked(
    "FeedForward",
    nothing,
    () => new nn.FeedForward(3, 4),
    () => [2, 3],
  );
  checked(
    "GatedFeedForward",
    nothing,
    () => new nn.GatedFeedForward(3, 4, { activation: new nn.GELU() }),
    () => [2, 3],
  );
  const plain: [string, () => nn.Module][] = [
    ["GELU, tanh", () => new nn.GELU({ approximate: "tanh" })],
    ["LeakyReLU", () => new nn.LeakyReLU(0.2)],
    ["ELU", () => new nn.ELU(0.7)],
    ["SELU", () => new nn.SELU()],
    ["Mish", () => new nn.Mish()],
    ["LogSigmoid", () => new nn.LogSigmoid()],
    ["Hardtanh", () => new nn.Hardtanh(-0.5, 0.4)],
    ["Hardsigmoid", () => new nn.Hardsigmoid()],
    ["Hardswish", () => new nn.Hardswish()],
    ["Softmax", () => new nn.Softmax()],
    ["LogSoftmax", () => new nn.LogSoftmax(0)],
    ["Identity", () => new nn.Identity()],
    ["GLU", () => new nn.GLU()],
    ["ReGLU", () => new nn.ReGLU()],
    ["GEGLU", () => new nn.GEGLU()],
    ["SwiGLU", () => new nn.SwiGLU()],
    ["LearnedPositions", () => new nn.LearnedPositions(4, 4) as unknown as nn.Module],
    ["SinusoidalPositions", () => new nn.SinusoidalPositions() as unknown as nn.Module],
  ];
  for (const [name, make] of plain) checked(name, nothing, make, () => [2, 4]);

  test("Bilinear", () => {
    fc.assert(
      fc.property(few, few, few, (l, r, o) => {
        const layer = new nn.Bilinear(l, r, o, { dtype: "f64" }).initialize(1);
        const [x, z] = [normals([2, l], 1), normals([2, r], 2)];
        const [a, b, w, c] = [x, z, layer.weight, layer.bias as Tensor].map(values);
        const expected = [0, 1].flatMap((n) =>
          Array.from({ length: o }, (_, k) => {
            let sum = c[k];
            for (let i = 0; i < l; i++)
              for (let j = 0; j < r; j++) sum += a[n * l + i] * w[(k * l + i) * r + j] * b[n * r + j];
            return sum;
          }),
        );
        close(layer.forward(x, z), expected, 1e-12);
        checkModule(layer, [x, z], (p, q) => layer.forward(p, q));
      }),
      { numRuns: 4 },
    );
    expect(() => new nn.Bilinear(2, 3, 1).forward(normals([1, 2], 1), normals([1, 2], 1))).toThrow(/takes \[..., 2\]/);
  });
});
