// Parameter counts: the published ones, those of our scale, and arithmetic = what is made.

import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { setBackend } from "../../../engine/index.ts";
import { RotaryEmbedding } from "../../../nn/index.ts";
import {
  layerCount,
  modelRows,
  type PublishedName,
  parameterCount,
  published,
  publishedModels,
} from "../../../papers/gated-attention/describe.ts";
import { decayGroups, TransformerLM, type TransformerLMOptions } from "../../../papers/gated-attention/model.ts";
import {
  matchParams,
  type VariantName,
  variantNames,
  variantOf,
  withVariant,
} from "../../../papers/gated-attention/variants.ts";
import { close } from "../../nn/tools.ts";
import { shapesOf, tinyOptions } from "./tools.ts";

beforeAll(() => setBackend("wasm"));

const fullSize = (name: PublishedName, variant: VariantName): TransformerLMOptions =>
  withVariant(published[name], variantOf(variant));

describe("published counts", () => {
  test("what a variant adds to the 15A2B mixture", () => {
    const base = parameterCount(published["15A2B MoE"]);
    expect(base).toBe(15_577_227_264);
    const added: Partial<Record<VariantName, number>> = {
      "g1-elementwise": 201_326_592,
      "g4-elementwise": 201_326_592,
      "g1-shared": 201_326_592,
      "g1-additive-silu": 201_326_592,
      "g2-elementwise": 25_165_824,
      "g3-elementwise": 25_165_824,
      "g2-shared": 25_165_824,
      "g5-elementwise": 100_663_296,
      "g1-headwise": 1_572_864,
      "g2-headwise": 196_608,
      "more-kv": 50_331_648,
      "more-q": 201_326_592,
    };
    for (const [name, count] of Object.entries(added))
      expect(parameterCount(fullSize("15A2B MoE", name as VariantName)) - base, name).toBe(count);
    // By arithmetic, where the paper's table rounds to 400 M: 4 experts of 3 matrices, and 4 rows of the router.
    expect(parameterCount(fullSize("15A2B MoE", "more-experts")) - base).toBe(452_984_832 + 24 * 4 * 2048);
  });

  test("totals of the dense models", () => {
    expect(layerCount(published["1.7B-28L"])).toBe(50_336_000);
    expect(layerCount(published["1.7B-48L"])).toBe(30_674_176);
    const names = ["baseline", "g1-elementwise", "g1-headwise", "g2-elementwise", "g1-const"] as const;
    const totals = (name: PublishedName): number[] => names.map((variant) => parameterCount(fullSize(name, variant)));
    expect(totals("1.7B-28L")).toEqual([1_720_574_976, 1_838_015_488, 1_721_492_480, 1_779_295_232, 1_720_632_320]);
    expect(totals("1.7B-48L")).toEqual([1_705_735_680, 1_856_730_624, 1_706_915_328, 1_781_233_152, 1_705_833_984]);
  });

  test("the feed-forward that matches the gate's parameters", () => {
    const matched = matchParams(fullSize("1.7B-28L", "g1-elementwise"));
    expect(matched.feedForward).toBe(5461);
    expect(parameterCount(matched)).toBe(1_720_517_632);
    const ours = { vocabSize: 86, nLayers: 2, dModel: 48, nHeads: 4, nKvHeads: 2, headDim: 12, feedForward: 128 };
    const of = (name: VariantName): [unknown, number] => {
      const options = matchParams(withVariant(ours, variantOf(name)));
      const made = new TransformerLM(options).parameters().reduce((sum, p) => sum + p.size, 0);
      expect(made).toBe(parameterCount(options));
      return [options.feedForward, made];
    };
    expect(of("baseline")).toEqual([128, 55_104]);
    expect(of("g1-elementwise")).toEqual([112, 55_104]);
    expect(of("g1-headwise")).toEqual([127, 55_200]);
    expect(of("g2-elementwise")).toEqual([120, 55_104]);
    expect(of("g5-elementwise")).toEqual([112, 55_104]);
  });

  test("the gate is a twelfth of the projections of the 28-layer model; rows add up to the model", () => {
    const gated = modelRows(fullSize("1.7B-28L", "g1-elementwise"));
    const projections = gated.filter(({ name }) => name.startsWith("layers.") && !name.includes("gate.proj"));
    const sum = projections.reduce((total, { multiplyAdds }) => total + multiplyAdds, 0);
    const gate = gated.find(({ name }) => name.endsWith("selfAttn.gate.proj"));
    expect(gate?.multiplyAdds).toBe(28 * 2048 * 2048);
    expect(sum / (gate?.multiplyAdds ?? 0)).toBe(12);
    for (const { name, modules } of publishedModels()) {
      const [config, variant] = name.split(", ") as [PublishedName, VariantName];
      const total = modules.reduce((all, { parameters }) => all + parameters, 0);
      expect(total, name).toBe(parameterCount(fullSize(config, variant)));
    }
    // A token meets 8 of 128 experts: what the configuration's own arithmetic gives as active.
    const sparse = modelRows(published["15A2B MoE"]).filter(({ name }) => !name.startsWith("attention"));
    const norms = 24 * (2 * 2048 + 2 * 128) + 2048;
    const active = sparse.reduce((all, { multiplyAdds }) => all + multiplyAdds, 0) + 151_936 * 2048 + norms;
    expect(active).toBe(1_987_682_304);
  });
});

test("shapes by arithmetic are those of the model that is made, for every variant and size", () => {
  const options = fc.record({
    name: fc.constantFrom(...variantNames),
    dModel: fc.integer({ min: 1, max: 5 }),
    nKvHeads: fc.integer({ min: 1, max: 2 }),
    headDim: fc.constantFrom(2, 4),
    nLayers: fc.integer({ min: 0, max: 3 }),
    tied: fc.boolean(),
    qkNorm: fc.boolean(),
    gateBias: fc.constantFrom(undefined, 1),
    learnedPositions: fc.constantFrom(undefined, 5),
  });
  fc.assert(
    fc.property(options, ({ name, gateBias, nKvHeads, ...rest }) => {
      const free = variantOf(name).gate?.inputIndependent === true;
      const sizes = { ...rest, nKvHeads, nHeads: 2 * nKvHeads, gateBias: free ? undefined : gateBias };
      const made = tinyOptions(name, { ...sizes, gateInputDims: Math.ceil(rest.dModel / 2) });
      const model = new TransformerLM(made);
      expect(TransformerLM.shapes(made)).toEqual(shapesOf(model));
      expect(Object.keys(TransformerLM.shapes(made))).toEqual(Object.keys(shapesOf(model)));
    }),
    { numRuns: 150 },
  );
});

test("there are more than 30 variants, and no two are the same", () => {
  expect(variantNames.length).toBeGreaterThan(30);
  expect(new Set(variantNames.map((name) => JSON.stringify(tinyOptions(name)))).size).toBe(variantNames.length);
});

test("weight decay: matrices, but not norms, biases and an input-independent gate", () => {
  const namesOf = (name: VariantName, gateBias?: number): string[] => {
    const model = new TransformerLM(tinyOptions(name, { gateBias, nLayers: 1 }));
    const { decayed, free } = decayGroups(model);
    expect(decayed.length + free.length).toBe(model.parameters().length);
    return model.namedParameters().flatMap(([own, p]) => (free.includes(p) ? [own] : []));
  };
  const norms = ["inputLayernorm", "selfAttn.qNorm", "selfAttn.kNorm", "postAttentionLayernorm"];
  const expected = [...norms.map((norm) => `layers.0.${norm}.weight`), "norm.weight"];
  expect(namesOf("g1-elementwise").toSorted()).toEqual(expected.toSorted());
  expect(namesOf("g1-elementwise", 1).toSorted()).toEqual([...expected, "layers.0.selfAttn.gate.proj.bias"].toSorted());
  expect(namesOf("g1-const").toSorted()).toEqual([...expected, "layers.0.selfAttn.gate.logits"].toSorted());
});

test("YaRN's frequencies and factor", () => {
  const of = (size: number, theta: number, originalLength: number): RotaryEmbedding =>
    new RotaryEmbedding(size, { theta, yarn: { factor: 4, originalLength } });
  const wide = of(16, 1e6, 32_768);
  const expected = [1, 0.1778279, 0.03162278, 0.00421756, 0.0005, 4.445699e-5, 7.905694e-6, 1.405853e-6];
  close(
    wide.frequencies.map((frequency, i) => frequency / expected[i]),
    expected.map(() => 1),
    1e-6,
  );
  expect(wide.scale).toBeCloseTo(1.1386294, 7);
  const narrow = [1, 0.1346522, 0.01160397, 0.0025, 5.386087e-4, 1.160397e-4];
  close(
    of(12, 1e4, 64).frequencies.map((frequency, i) => frequency / narrow[i]),
    narrow.map(() => 1),
    1e-6,
  );
});
