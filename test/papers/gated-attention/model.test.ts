// The whole model: what loops say, gradients of every parameter, other rotations, and a gate that is added late.

import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { gradcheck, setBackend, tensor } from "../../../engine/index.ts";
import { withParameters } from "../../../nn/index.ts";
import { TransformerLM, type TransformerLMOptions } from "../../../papers/gated-attention/model.ts";
import { withLateGate } from "../../../papers/gated-attention/retrofit.ts";
import { type VariantName, variantNames } from "../../../papers/gated-attention/variants.ts";
import { close, normals, values } from "../../nn/tools.ts";
import { modelByLoops } from "./by-loops.ts";
import { randomIds, setParameter, tinyOptions } from "./tools.ts";

beforeAll(() => setBackend("reference"));

const ids = tensor(Int32Array.from(randomIds(6, 7, 0)), { shape: [2, 3] });

test("is what the loops say, for every dense variant", () => {
  const check = (name: VariantName, seed: number, changes: Partial<TransformerLMOptions>): void => {
    const model = new TransformerLM(tinyOptions(name, { ...changes, seed }));
    // No two norms alike: one in the place of another would be seen.
    for (const [i, [own, p]] of model.namedParameters().entries()) {
      if (!/norm/i.test(own)) continue;
      const weight = values(normals(p.shape, 100 * seed + i)).map((v) => 1 + v / 4);
      setParameter(model, own, weight);
    }
    const expected = (ids.toArray() as number[][]).flatMap((row) => modelByLoops(model, row));
    close(model.forward(ids), expected.flat(), 1e-10);
  };
  const dense = variantNames.filter((name) => name !== "more-experts");
  const changes = fc.record({
    nLayers: fc.integer({ min: 0, max: 2 }),
    tied: fc.boolean(),
    learnedPositions: fc.constantFrom(undefined, 3),
    outNorm: fc.constantFrom("none" as const, "sandwich" as const),
    clip: fc.constantFrom(undefined, 80),
  });
  fc.assert(fc.property(fc.constantFrom(...dense), fc.nat(99), changes, check), { numRuns: 20 });
  for (const name of dense) check(name, 4, { nLayers: 1 });
});

describe("gradients of the whole model", () => {
  const cases: readonly (readonly [VariantName, Partial<TransformerLMOptions>])[] = [
    ["baseline", { learnedPositions: 3, rope: null, qkNorm: false }],
    ["g1-elementwise", { tied: false, gateBias: 0.5, gateInputDims: 1 }],
    ["g2-headwise", {}],
  ];
  test.each(cases)("%s", (name, changes) => {
    const small = { dModel: 2, nHeads: 2, nKvHeads: 1, headDim: 2, feedForward: 2, vocabSize: 3, nLayers: 1 };
    const model = new TransformerLM(tinyOptions(name, { ...small, ...changes }));
    const named = model.namedParameters();
    const tokens = tensor(Int32Array.from([0, 2, 2]), { shape: [1, 3] });
    gradcheck(
      (...given) =>
        withParameters(model, Object.fromEntries(named.map(([own], i) => [own, given[i]])), () =>
          model.forward(tokens),
        ),
      named.map(([, p]) => p.detach()),
    );
  });
});

describe("context extension", () => {
  test("weights load into a model with another rotation; YaRN by a factor of 1 changes nothing", async () => {
    const model = new TransformerLM(tinyOptions("g1-elementwise", { headDim: 4 }));
    const outputs = async (rope: TransformerLMOptions["rope"]): Promise<number[]> => {
      const other = new TransformerLM({ ...model.options, rope, seed: 99 });
      await other.loadStateDict(await model.stateDict());
      return values(other.forward(ids));
    };
    const plain = values(model.forward(ids));
    expect(await outputs({ yarn: { factor: 1, originalLength: 4 } })).toEqual(plain);
    const [stretched, slower] = [
      await outputs({ yarn: { factor: 4, originalLength: 4 } }),
      await outputs({ theta: 1e6 }),
    ];
    expect(stretched).not.toEqual(plain);
    expect(slower).not.toEqual(plain);
  });
});

describe("a gate that is added late", () => {
  test("keeps the weights; open it changes nothing, as drawn it halves the attention", async () => {
    const model = new TransformerLM(tinyOptions("baseline", { nLayers: 1 }));
    const open = await withLateGate(model, { gate: { position: "G1" }, gateBias: 45 }, 5);
    setParameter(open, "layers.0.selfAttn.gate.proj.weight", new Float64Array(32));
    close(open.forward(ids), values(model.forward(ids)), 1e-12);
    const drawn = await withLateGate(model, { gate: { position: "G1", granularity: "headwise" } }, 5);
    setParameter(drawn, "layers.0.selfAttn.gate.proj.weight", new Float64Array(16));
    const attention = (of: TransformerLM): number[] => values(of.inspect(ids).layers[0].output);
    close(
      attention(drawn),
      attention(model).map((v) => v / 2),
      1e-12,
    );
  });

  test("is not a second one", async () => {
    const gated = new TransformerLM(tinyOptions("g2-headwise"));
    await expect(withLateGate(gated, { gate: { position: "G1" } }, 0)).rejects.toThrow(/the model has a gate at G2/);
  });
});
