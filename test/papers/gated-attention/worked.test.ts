// The worked example: two tokens, two heads of one channel, no norm, no rotation; every number by hand.

import { beforeAll, describe, expect, test } from "vitest";
import { setBackend } from "../../../engine/index.ts";
import { GatedAttention } from "../../../papers/gated-attention/attention.ts";
import { firstTokenAttention } from "../../../papers/gated-attention/diagnostics.ts";
import { type VariantName, variantOf } from "../../../papers/gated-attention/variants.ts";
import { close, f64 } from "../../nn/tools.ts";
import { setParameter } from "./tools.ts";

beforeAll(() => setBackend("wasm"));

const ln3 = Math.log(3);
const x = f64([
  [
    [1, 0],
    [1, 1],
  ],
]);

/** The example's layer. Weights are given as the paper writes them, X W: a Linear holds the transpose. */
function layer(name: VariantName): GatedAttention {
  const { gate = null, control } = variantOf(name);
  const sizes = { dModel: 2, nHeads: 2, nKvHeads: 2, headDim: 1 };
  const attention = new GatedAttention({ ...sizes, gate, control, qkNorm: false, rope: null, dtype: "f64" });
  setParameter(attention, "qProj.weight", [1, 0, 0, 1]);
  setParameter(attention, "kProj.weight", [1, 0, 0, 1]);
  setParameter(attention, "vProj.weight", [1, 3, 2, -1]);
  setParameter(attention, "oProj.weight", [1, 0, 1, 2]);
  if (attention.gate?.proj !== undefined) setParameter(attention, "gate.proj.weight", [ln3, -2 * ln3, -ln3, 2 * ln3]);
  return attention;
}

const outputs: readonly (readonly [VariantName, readonly number[]])[] = [
  ["baseline", [1, 5, 2.5, 5.037883]],
  ["g1-elementwise", [0.75, 1.75, 0.625, 2.528412]],
  ["ns-sigmoid", [0.875, 3.375, 1.5625, 3.783147]],
  ["g1-shared", [0.5, 2.5, 1.25, 2.518941]],
  ["g1-additive-silu", [1.823959, 5.274653, 2.225347, 6.411148]],
  ["g1-elementwise-silu", [0.823959, -0.274653, -0.686633, 1.404479]],
  ["g1-additive-identity", [2.098612, 3.901388, 1.401388, 6.136495]],
  ["g1-silu", [0.731059, 4.254247, 2.310355, 4.291328]],
  ["g2-elementwise", [0.75, 1.75, 0.875, 2.240529]],
  ["g5-elementwise", [0.75, 1.25, 0.625, 3.778412]],
];

describe("the output", () => {
  test.each(outputs)("of %s", (name, expected) => {
    close(layer(name).forward(x), expected, 5e-7);
  });

  test("with one channel a head, headwise is elementwise", () => {
    close(layer("g1-headwise").forward(x), [0.75, 1.75, 0.625, 2.528412], 5e-7);
    close(layer("g2-headwise").forward(x), [0.75, 1.75, 0.875, 2.240529], 5e-7);
  });
});

test("what is inspected on the way", () => {
  const { weights, scores, sdpaOutput, gatedOutput, values } = layer("g1-elementwise").inspect(x);
  const e = Math.E / (1 + Math.E);
  close(weights, [1, 0, 0.5, 0.5, 1, 0, 1 - e, e], 1e-12);
  expect(scores?.shape).toEqual([1, 2, 2, 1]);
  if (scores !== undefined) close(scores, [0.75, 0.25, 0.25, 0.75], 1e-12);
  close(values, [1, 4, 2, 1], 1e-12);
  expect(sdpaOutput.shape).toEqual([1, 2, 2, 1]);
  close(sdpaOutput, [1, 2, 2.5, 2 * (1 - e) + e], 1e-12);
  close(sdpaOutput, [1, 2, 2.5, 1.268941], 5e-7);
  close(gatedOutput, [0.75, 0.5, 0.625, 0.75 * (2 - e)], 1e-12);
  expect(firstTokenAttention(weights).item()).toBeCloseTo(0.692235, 6);
  expect(firstTokenAttention(weights, 1).item()).toBeCloseTo(0.384471, 6);
});
