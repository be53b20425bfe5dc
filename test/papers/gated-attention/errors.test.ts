// What cannot be built or run says why: sizes, gates that make no sense, inputs of other shapes.

import { beforeAll, describe, expect, test } from "vitest";
import { ArgumentError, DTypeError, ShapeError, setBackend, tensor, zeros } from "../../../engine/index.ts";
import { GatedAttention } from "../../../papers/gated-attention/attention.ts";
import type { GateSpec } from "../../../papers/gated-attention/gate.ts";
import { TransformerLM } from "../../../papers/gated-attention/model.ts";
import { matchParams, type Variant, variantOf, withVariant } from "../../../papers/gated-attention/variants.ts";
import { tiny, tinyOptions } from "./tools.ts";

beforeAll(() => setBackend("reference"));

const attention =
  (changes: Partial<ConstructorParameters<typeof GatedAttention>[0]>): (() => GatedAttention) =>
  () =>
    new GatedAttention({ dModel: 4, nHeads: 4, nKvHeads: 2, headDim: 2, ...changes });

describe("a layer", () => {
  test("needs sizes that fit", () => {
    expect(attention({ nKvHeads: 3 })).toThrow("GatedAttention: nKvHeads = 3 does not divide nHeads = 4");
    expect(attention({ dModel: 0 })).toThrow("GatedAttention: dModel must be at least 1, got 0");
    expect(attention({ headDim: 1.5 })).toThrow("headDim must be at least 1, got 1.5");
    expect(attention({ headDim: 3 })).toThrow(/RotaryEmbedding: size must be even, got 3/);
    expect(attention({ headDim: 3, rope: null })).not.toThrow();
  });

  test("needs a gate that makes sense", () => {
    const noHeads = /after the output projection \(G5\) there are no heads/;
    expect(attention({ gate: { position: "G5", granularity: "headwise" } })).toThrow(noHeads);
    expect(attention({ gate: { position: "G5", sharing: "shared" } })).toThrow(noHeads);
    expect(attention({ gate: { position: "G1", inputIndependent: true }, gateBias: 1 })).toThrow(/is a bias already/);
    for (const gateInputDims of [0, 5, 1.5])
      expect(attention({ gate: { position: "G1" }, gateInputDims })).toThrow(
        `gateInputDims must be from 1 to dModel = 4, got ${gateInputDims}`,
      );
    const misspelt = { position: "G1", activation: "tanh" } as unknown as GateSpec;
    expect(attention({ gate: misspelt })).toThrow(
      'AttentionGate: activation must be one of sigmoid, silu, ns-sigmoid, identity, got "tanh"',
    );
    expect(attention({ gate: { position: "G6" } as unknown as GateSpec })).toThrow(/one of G1, G2, .* got "G6"/);
    expect(attention({ switchHead: { keys: false, experts: 2, topK: 3 } })).toThrow(
      /SwitchProjection: topK must be from 1 to experts = 2, got 3/,
    );
  });

  test("takes [B, n, dModel]", () => {
    const layer = attention({})();
    expect(() => layer.forward(zeros([2, 4]))).toThrow(ShapeError);
    expect(() => layer.forward(zeros([1, 2, 5]))).toThrow("GatedAttention: takes [B, n, 4], got [1, 2, 5]");
  });
});

describe("a model", () => {
  test("takes ids i32 [B, n], and a cache for every layer", () => {
    const model = new TransformerLM(tiny);
    expect(() => model.forward(tensor([1, 2], { dtype: "i32" }))).toThrow("takes ids [B, n], got rank 1");
    expect(() => model.forward(zeros([1, 2]))).toThrow(DTypeError);
    const ids = tensor([[1, 2]], { dtype: "i32" });
    expect(() => model.forward(ids, { caches: model.cache(1, 4).slice(1) })).toThrow("needs 2 caches, got 1");
    expect(() => model.forward(tensor([[1, 9]], { dtype: "i32" })).dataSync()).toThrow(
      /index 9 is out of range for axis 0 of length 7/,
    );
    expect(() => new TransformerLM({ ...tiny, learnedPositions: 1 }).forward(ids)).toThrow(
      /LearnedPositions: takes .*T <= 1/,
    );
    const caches = model.cache(1, 2);
    model.forward(ids, { caches }).dataSync();
    expect(() => model.forward(ids, { caches }).dataSync()).toThrow(/index 2 is out of range for axis 0 of length 2/);
  });

  test("has a positive limit", () => {
    expect(() => new TransformerLM({ ...tiny, clip: 0 })).toThrow("DecoderLayer: clip must be above 0, got 0");
    expect(() => new TransformerLM({ ...tiny, clip: Number.NaN })).toThrow(/clip must be above 0, got NaN/);
  });
});

describe("a variant", () => {
  test("needs a baseline that it can change", () => {
    expect(() => withVariant(tiny, variantOf("more-experts"))).toThrow(/there are no experts to add to/);
    const odd: Variant = { queryHeads: 1.1 };
    expect(() => withVariant(tiny, odd)).toThrow(/1.1 times nHeads = 4 is no whole number of heads/);
  });

  test("is matched in parameters only by a dense feed-forward that is wide enough", () => {
    expect(() => matchParams(tinyOptions("more-experts"))).toThrow(ArgumentError);
    expect(() => matchParams(tinyOptions("g1-elementwise", { feedForward: 2 }))).toThrow(
      /the gate has more parameters \(32\) than the feed-forward to take from/,
    );
  });
});
