// Every variant of the table: what loops say, gradients, causality, decoding with a cache, one by one = in a batch.

import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { compile, setBackend, type Tensor, tensor } from "../../../engine/index.ts";
import { TransformerLM, type TransformerLMOptions } from "../../../papers/gated-attention/model.ts";
import { type VariantName, variantNames } from "../../../papers/gated-attention/variants.ts";
import { close, normals, values } from "../../nn/tools.ts";
import { attentionByLoops } from "./by-loops.ts";
import { attentionOf, randomIds, setParameter, tinyOptions } from "./tools.ts";

// The oracle runs small things at once; that the default backend agrees is the last test.
beforeAll(() => setBackend("reference"));

const name = fc.constantFrom(...variantNames);
const seeds = fc.nat(999);
const idsOf = (rows: readonly (readonly number[])[]): Tensor =>
  tensor(Int32Array.from(rows.flat()), { shape: [rows.length, rows[0].length] });

/** A model whose norms and input-independent gates are not at their first values: those would hide mistakes. */
function trained(variant: VariantName, changes: Partial<TransformerLMOptions> = {}): TransformerLM {
  const model = new TransformerLM(tinyOptions(variant, changes));
  for (const [i, [own, p]] of model.namedParameters().entries()) {
    if (/norm|logits/i.test(own))
      setParameter(
        model,
        own,
        values(normals(p.shape, i)).map((v) => 1 + v / 4),
      );
  }
  return model;
}

test("the layer is what the loops say, for every variant with and without norm, rotation, bias, narrow gates", () => {
  const settings = fc.record({
    qkNorm: fc.boolean(),
    rope: fc.constantFrom(null, { theta: 100 }),
    gateBias: fc.constantFrom(undefined, 0.7),
    gateInputDims: fc.constantFrom(undefined, 3),
    nKvHeads: fc.constantFrom(1, 2, 4),
    headDim: fc.constantFrom(2, 4),
    control: fc.constantFrom("none" as const, "silu" as const, "rmsnorm" as const),
  });
  const check = (variant: VariantName, seed: number, steps: number, { gateBias, ...rest }: TransformerLMSettings) => {
    const free = tinyOptions(variant).gate?.inputIndependent === true;
    const options = tinyOptions(variant, { ...rest, nHeads: 4, ...(free ? {} : { gateBias }) });
    if (options.nHeads % options.nKvHeads !== 0) return;
    const layer = attentionOf(options, seed);
    for (const [i, [own, p]] of layer.namedParameters().entries())
      if (/norm|logits|bias/i.test(own)) setParameter(layer, own, values(normals(p.shape, 100 * seed + i)));
    const x = normals([2, steps, options.dModel], seed);
    const rows = x.toArray() as number[][][];
    close(layer.forward(x), rows.map((row) => attentionByLoops(layer, options, row)).flat(2), 1e-11);
  };
  type TransformerLMSettings = Partial<TransformerLMOptions>;
  fc.assert(fc.property(name, seeds, fc.integer({ min: 1, max: 5 }), settings, check), { numRuns: 120 });
  for (const variant of variantNames) check(variant, 3, 4, {});
});

test.each(variantNames)("%s: nothing before a token changes with it", (variant) => {
  const model = trained(variant);
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 4 }), seeds, (at, seed) => {
      const ids = randomIds(5, 7, seed);
      const other = ids.map((id, t) => (t === at ? (id + 1 + (seed % 6)) % 7 : id));
      const [a, b] = model.forward(idsOf([ids, other])).toArray() as number[][][];
      expect(a.slice(0, at)).toEqual(b.slice(0, at));
      expect(a.slice(at)).not.toEqual(b.slice(at));
    }),
    { numRuns: 3 },
  );
});

describe("decoding with a cache is the forward pass at once", () => {
  test("in pieces of any size, for every variant", () => {
    const check = (variant: VariantName, pieces: readonly number[], seed: number, learnedPositions?: number): void => {
      const rope = learnedPositions === undefined ? {} : null;
      const model = trained(variant, { learnedPositions, rope });
      const steps = pieces.reduce((a, b) => a + b);
      const rows = [randomIds(steps, 7, seed), randomIds(steps, 7, seed + 1)];
      const caches = model.cache(2, steps + 1);
      let at = 0;
      const parts = pieces.map((count) => {
        const piece = rows.map((row) => row.slice(at, at + count));
        at += count;
        return model.forward(idsOf(piece), { caches }).toArray() as number[][][];
      });
      const whole = model.forward(idsOf(rows)).toArray() as number[][][];
      for (const row of [0, 1])
        close(
          parts.flatMap((part) => part[row].flat()),
          whole[row].flat(),
          1e-11,
        );
    };
    const pieces = fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 1, maxLength: 4 });
    fc.assert(fc.property(name, pieces, seeds, fc.constantFrom(undefined, 12), check), { numRuns: 30 });
    for (const variant of variantNames) check(variant, [2, 1], 5);
  });

  test("compiled, one trace for all steps; gated values are what the cache holds", () => {
    const model = trained("g2-elementwise", { nLayers: 1 });
    const caches = model.cache(1, 5);
    const step = compile((id: Tensor) => model.forward(id, { caches }));
    const ids = randomIds(5, 7, 0);
    const whole = (model.forward(idsOf([ids])).toArray() as number[][][])[0];
    ids.forEach((id, t) => {
      close(step(idsOf([[id]])), whole[t], 1e-11);
    });
    expect(step.traces).toBe(1);
    const layer = model.layers[0];
    const x = layer.inputLayernorm.forward(model.embedTokens.forward(idsOf([ids])));
    const plain = layer.selfAttn.vProj.forward(x);
    const scores = layer.selfAttn.gate?.forward(x);
    if (scores === undefined) throw new Error("no gate");
    close(caches[0].values, values(plain.mul(scores).transpose(1, 2)), 1e-12);
  });
});

test("one by one = in a batch, for every variant", () => {
  for (const variant of variantNames) {
    const model = trained(variant);
    const rows = [1, 2, 3].map((seed) => randomIds(4, 7, seed));
    const batch = values(model.forward(idsOf(rows)));
    const single = rows.flatMap((row) => values(model.forward(idsOf([row]))));
    close(batch, single, 1e-12);
  }
});

test("the default backend computes the same, for every variant", async () => {
  const ids = idsOf([randomIds(4, 7, 0)]);
  const models = variantNames.map((variant) => trained(variant, { nLayers: 1 }));
  const expected = models.map((model) => values(model.forward(ids)));
  await setBackend("wasm");
  models.forEach((model, i) => {
    close(model.forward(ids), expected[i], 1e-11);
  });
  await setBackend("reference");
});
