// Recommendations and streams: what a user of a trained model calls, equal to forward passes.

import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { setBackend } from "../../../engine/index.ts";
import {
  BERT4Rec,
  best,
  GRU4Rec,
  Mamba4Rec,
  padHistories,
  type Recommender,
  recommend,
  SASRec,
  Sigma,
  type SigmaOptions,
  streamingCost,
  streamOf,
} from "../../../papers/sigma/model/index.ts";
import { close, values } from "../../nn/tools.ts";

beforeAll(() => setBackend("reference"));

const items = 12;
const small = { items, maxLength: 24, size: 4, states: 3, dtype: "f64" } as const;

/** In evaluation mode, all parameters off their first values. */
function perturbed<M extends Recommender>(model: M): M {
  model.initialize(5).eval();
  for (const [i, parameter] of model.parameters().entries())
    parameter.copyFrom(values(parameter).map((value, k) => value + 0.2 * Math.sin(1 + i + 3 * k)));
  return model;
}

const walk = fc.array(fc.integer({ min: 1, max: items - 1 }), { minLength: 1, maxLength: 20 });

/** Pushes all items, and compares the scores after each with a forward pass over the history so far. */
async function follows(model: Recommender, history: readonly number[], tolerance = 1e-9): Promise<void> {
  const stream = streamOf(model);
  expect(stream.cost).toBe(streamingCost(model).cost);
  for (let n = 1; n <= history.length; n++) {
    const pushed = await stream.push(history[n - 1]);
    const { ids, lengths } = padHistories([history.slice(0, n)], items, model.maxLength);
    close(Array.from(pushed.slice(1)), values(model.forward(ids, lengths)).slice(1), tolerance);
    expect(pushed[0]).toBe(Number.NEGATIVE_INFINITY);
  }
}

describe("a stream is the forward pass, step by step", () => {
  const variants = fc.record({
    kept: fc.integer({ min: 0, max: 7 }),
    taps: fc.integer({ min: 1, max: 4 }),
    gate: fc.constantFrom("paper", "release", "scalar", "off"),
    featureExtract: fc.constantFrom("gru", "conv", "off"),
    flipMode: fc.constantFrom("valid", "valid", "off"),
    tieDirections: fc.boolean(),
    bRule: fc.constantFrom("euler", "zoh"),
    deltaTied: fc.boolean(),
    mixNorm: fc.constantFrom("raw", "softmax"),
  } as const);

  test("SIGMA of one layer, at a cost that does not grow, in all its forms", async () => {
    await fc.assert(
      fc.asyncProperty(variants, walk, async (options, history) => {
        const model = perturbed(new Sigma({ ...small, ...options }));
        expect(streamingCost(model).cost).toBe("constant");
        await follows(model, history);
      }),
      { numRuns: 12 },
    );
  });

  test.each<[string, () => Recommender, "constant" | "window"]>([
    ["Mamba4Rec of two layers", () => new Mamba4Rec({ ...small, layers: 2 }), "constant"],
    ["GRU4Rec", () => new GRU4Rec({ ...small, hidden: 3 }), "constant"],
    ["SIGMA of two layers", () => new Sigma({ ...small, layers: 2 }), "window"],
    ["SIGMA with a fixed cut", () => new Sigma({ ...small, flipMode: "padded" }), "window"],
    ["SIGMA with padding unmasked", () => new Sigma({ ...small, maskPad: false }), "window"],
    ["SASRec", () => new SASRec({ items, maxLength: 24, size: 4, heads: 2, inner: 4, dtype: "f64" }), "window"],
    ["BERT4Rec", () => new BERT4Rec({ items, maxLength: 24, size: 4, heads: 2, inner: 4, dtype: "f64" }), "window"],
  ])("%s", async (_, make, cost) => {
    const model = perturbed(make());
    expect(streamingCost(model).cost).toBe(cost);
    await follows(model, [3, 1, 4, 1, 5, 9]);
  });

  test("beyond maxLength a stream of constant cost forgets nothing, a window its oldest items", async () => {
    const history = [3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7];
    const short: SigmaOptions = { ...small, maxLength: 5, kept: 2 };
    const [model, longer] = [short, small].map((options) => perturbed(new Sigma({ ...options, kept: 2 })));
    const [stream, same] = [streamOf(model), streamOf(longer)];
    for (const item of history) close(await stream.push(item), Array.from(await same.push(item)), 0);

    const attention = perturbed(new SASRec({ items, maxLength: 5, size: 4, heads: 2, inner: 4, dtype: "f64" }));
    const window = streamOf(attention);
    let scores: ArrayLike<number> = [];
    for (const item of history) scores = await window.push(item);
    const { ids, lengths } = padHistories([history.slice(-5)], items, 5);
    close(Array.from(scores), values(attention.forward(ids, lengths)), 1e-12);
  });
});

test("recommendations are the best scores, in order, ties by id; what was seen can be left out", async () => {
  const model = perturbed(new Sigma({ ...small, kept: 2 }));
  await fc.assert(
    fc.asyncProperty(walk, fc.integer({ min: 1, max: 15 }), fc.boolean(), async (history, k, excludeSeen) => {
      const { ids, lengths } = padHistories([history], items, small.maxLength);
      const scores = values(model.forward(ids, lengths));
      const found = await recommend(model, history, k, { excludeSeen });
      const left = scores.map((_, item) => item).filter((item) => item > 0 && !(excludeSeen && history.includes(item)));
      expect(found.length).toBe(Math.min(k, left.length));
      expect(new Set(found.map(({ item }) => item)).size).toBe(found.length);
      const taken = new Set(found.map(({ item }) => item));
      for (const { item, score } of found) {
        expect(left).toContain(item);
        expect(score).toBeCloseTo(scores[item], 10);
      }
      for (const item of left)
        if (!taken.has(item)) expect(scores[item]).toBeLessThanOrEqual((found.at(-1)?.score ?? 0) + 1e-12);
      for (let i = 1; i < found.length; i++) expect(found[i].score).toBeLessThanOrEqual(found[i - 1].score);
    }),
    { numRuns: 10 },
  );
  expect(best([9, 1, 2, 2], 2)).toEqual([
    { item: 2, score: 2 },
    { item: 3, score: 2 },
  ]);
});

test("recommending leaves training mode as it was, and follows the weights", async () => {
  const model = perturbed(new Mamba4Rec({ ...small, dropout: 0.5 })).train();
  const before = await recommend(model, [1, 2], 3);
  expect(model.training).toBe(true);
  expect(model.modules().every(({ training }) => training)).toBe(true);
  expect(await recommend(model, [1, 2], 3)).toEqual(before);
  const { weight } = model.table;
  weight.copyFrom(values(weight).map((value) => -value));
  expect(await recommend(model, [1, 2], 3)).not.toEqual(before);
});

test("bad requests are refused", async () => {
  const model = perturbed(new GRU4Rec({ ...small, hidden: 2 }));
  await expect(recommend(model, [], 3)).rejects.toThrow(/the history is empty/);
  await expect(recommend(model, [1, 12], 3)).rejects.toThrow(/item 1 of the history must be .* \[1, 11\], got 12/);
  await expect(recommend(model, [1], 0)).rejects.toThrow(/k must be at least 1, got 0/);
  await expect(recommend(model, [1], 1.5)).rejects.toThrow(/got 1.5/);
  await expect(streamOf(model).push(0)).rejects.toThrow(/item 0 of the step .* got 0/);
  expect(() => best([0, Number.NaN], 1, [1, 7])).toThrow(/got 7/);
});
