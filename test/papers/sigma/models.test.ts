// The models as wholes: what they reduce to, what they may not see, and what they refuse.

import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { setBackend, type Tensor, tensor } from "../../../engine/index.ts";
import {
  BERT4Rec,
  GRU4Rec,
  Mamba4Rec,
  padHistories,
  type Recommender,
  SASRec,
  Sigma,
  type SigmaOptions,
} from "../../../papers/sigma/model/index.ts";
import { close, i32, values } from "../../nn/tools.ts";

// Small shapes of many kinds: interpreted faster than compiled.
beforeAll(() => setBackend("reference"));

const items = 9;
const maxLength = 6;
const small = { items, maxLength, size: 4, states: 2, kept: 2, dtype: "f64" } as const;
const attention = { items, maxLength, size: 4, heads: 2, inner: 4, dtype: "f64" } as const;

const makers: Readonly<Record<string, () => Recommender>> = {
  SIGMA: () => new Sigma(small),
  "SIGMA of two layers": () => new Sigma({ ...small, layers: 2 }),
  "SIGMA with the released gate": () => new Sigma({ ...small, gate: "release", layers: 2 }),
  Mamba4Rec: () => new Mamba4Rec(small),
  GRU4Rec: () => new GRU4Rec({ ...small, hidden: 3 }),
  SASRec: () => new SASRec(attention),
  BERT4Rec: () => new BERT4Rec(attention),
};
const models: Record<string, Recommender> = {};
/** A model in evaluation mode, made once, all parameters (norms too) off their first values. */
function modelOf(name: string): Recommender {
  if (models[name] !== undefined) return models[name];
  const model = makers[name]().initialize(3).eval();
  for (const [i, parameter] of model.parameters().entries()) {
    const moved = values(parameter).map((value, k) => value + 0.3 * Math.sin(1 + i + 7 * k));
    parameter.copyFrom(moved);
  }
  models[name] = model;
  return model;
}

const item = fc.integer({ min: 1, max: items - 1 });
const history = fc.array(item, { minLength: 1, maxLength });
const scores = (model: Recommender, histories: readonly number[][], steps = maxLength): Tensor => {
  const { ids, lengths } = padHistories(histories, items, steps);
  return model.forward(ids, lengths);
};

/** Of the items, without the padding id's -Infinity. */
const real = (x: Tensor): number[] => values(x).filter((_, i) => i % items !== 0);

function gradientOf(parameter: Tensor): Tensor {
  if (parameter.grad === undefined) throw new Error("no gradient");
  return parameter.grad;
}

describe.each(Object.keys(makers))("%s", (name) => {
  test("a history's scores depend on it alone: not on padding, what stands in its place, or its neighbours", () => {
    const model = modelOf(name);
    fc.assert(
      fc.property(history, history, fc.array(item, { minLength: maxLength, maxLength }), (own, other, garbage) => {
        const alone = scores(model, [own], own.length);
        close(real(scores(model, [own])), real(alone), 1e-9);
        close(real(scores(model, [other, own]).narrow(0, 1, 1)), real(alone), 1e-9);
        const filled = [...own, ...garbage].slice(0, maxLength);
        close(real(model.forward(i32([filled]), i32([own.length]))), real(alone), 1e-9);
      }),
      { numRuns: 5 },
    );
  });

  test("the padding id is never recommended, and every other id has a finite score", () => {
    const found = scores(modelOf(name), [[1, 2, 3], [4]]);
    expect(found.shape).toEqual([2, items]);
    for (const [i, score] of values(found).entries())
      expect(i % items === 0 ? score === Number.NEGATIVE_INFINITY : Number.isFinite(score)).toBe(true);
  });

  test("only real items get gradients, and the padding row gets none", () => {
    const model = modelOf(name);
    const { ids, lengths } = padHistories([[3, 5], [5]], items, maxLength);
    model.train();
    for (const parameter of model.parameters()) parameter.grad = undefined;
    model.loss(ids, lengths, i32([2, 2])).backward();
    model.eval();
    const rows = gradientOf(model.table.weight).toArray() as number[][];
    expect(rows[0].every((value) => value === 0)).toBe(true);
    expect(rows[3].some((value) => value !== 0)).toBe(true);
  });

  test("refuses batches it cannot take", () => {
    const model = modelOf(name);
    const long = tensor(new Int32Array(maxLength + 1).fill(1), { dtype: "i32", shape: [1, maxLength + 1] });
    expect(() => model.forward(long, i32([1]))).toThrow(
      /takes ids \[B, 1 to 6\] and lengths \[B\], got ids i32 \[1, 7\]/,
    );
    expect(() => model.forward(tensor([[1, 2]]), i32([1]))).toThrow(/takes i32 ids and lengths, got ids f32 \[1, 2\]/);
    expect(() => model.forward(i32([[1, 2]]), i32([1, 1]))).toThrow(/lengths i32 \[2\]/);
    expect(() => model.forward(i32([[1, items + 3]]), i32([2])).dataSync()).toThrow(/12/);
    // Nothing to read at. BERT4Rec reads at the mask, which comes first then.
    if (name !== "BERT4Rec") expect(() => model.forward(i32([[1, 2]]), i32([0])).dataSync()).toThrow(/-1/);
  });
});

test("with weights (1, 0, 0), no gate and an identity projection SIGMA is Mamba4Rec", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 2 }), fc.array(history, { minLength: 1, maxLength: 3 }), (layers, given) => {
      const sigma = new Sigma({ ...small, layers, gate: "off" }).initialize(1).eval();
      const mamba = new Mamba4Rec({ ...small, layers }).initialize(2).eval();
      const theirs = new Map(mamba.namedParameters());
      for (const [name, parameter] of sigma.namedParameters()) {
        const same = theirs.get(name.replace("pfMamba.", ""));
        if (same !== undefined) parameter.copyFrom(values(same));
        else if (name.endsWith("mix")) parameter.copyFrom([1, 0, 0]);
        else if (name.endsWith("projection.weight"))
          parameter.copyFrom([1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]);
        else if (name.endsWith("projection.bias")) parameter.copyFrom([0, 0, 0, 0]);
      }
      close(real(scores(sigma, given)), real(scores(mamba, given)), 1e-11);
    }),
    { numRuns: 6 },
  );
});

describe("what SIGMA sees", () => {
  /** Outputs of the mixer at every position, for items read as they come. */
  const mixed = (model: Sigma, ids: number[]): number[][] => {
    const x = model.table.forward(i32([ids]));
    const histories = { x, real: undefined, lengths: i32([ids.length]) };
    return model.layers[0].mixer.forward(histories, undefined).squeeze(0).toArray() as number[][];
  };

  test("an earlier position of G-Mamba sees a later item: a loss at every position would leak", () => {
    const model = modelOf("SIGMA") as Sigma;
    const outputs = mixed(model, [1, 2, 3, 4, 5]);
    // Through the flip of the first three, and through the convolutions.
    expect(mixed(model, [1, 2, 8, 4, 5])[0]).not.toEqual(outputs[0]);
    expect(mixed(model, [1, 2, 3, 4, 8])[3]).not.toEqual(outputs[3]);
    // Without flip, gate convolution and features it does not.
    const plain = new Sigma({ ...small, gate: "off", featureExtract: "off", flipMode: "off" }).initialize(1).eval();
    const [c, d] = [mixed(plain, [1, 2, 3, 4, 5]), mixed(plain, [1, 2, 3, 4, 8])];
    expect(c.slice(0, 4)).toEqual(d.slice(0, 4));
    expect(c[4]).not.toEqual(d[4]);
  });

  test("scores of a prefix do not change with the items that follow it", () => {
    fc.assert(
      fc.property(history, fc.integer({ min: 1, max: maxLength }), (whole, at) => {
        const length = Math.min(at, whole.length);
        const model = modelOf("SIGMA of two layers");
        const prefix = scores(model, [whole.slice(0, length)]);
        const among = model.forward(padHistories([whole], items, maxLength).ids, i32([length]));
        close(real(among), real(prefix), 1e-9);
      }),
      { numRuns: 6 },
    );
  });

  const released = { ...small, gate: "release", flipMode: "padded", maskPad: false } as const;
  test.each<[string, SigmaOptions]>([
    ["flipped as in the release", { ...small, flipMode: "padded" }],
    ["with padding unmasked", { ...small, maskPad: false }],
  ])("the padded length matters %s", (_, options) => {
    const model = new Sigma(options).initialize(1).eval();
    // As after training: the norm's bias is what unmasked padding holds.
    model.norm.bias?.copyFrom([1, -1, 2, 0.5]);
    const [short, long] = [3, 6].map((steps) => real(scores(model, [[1, 2, 3]], steps)));
    expect(Math.max(...short.map((value, i) => Math.abs(value - long[i])))).toBeGreaterThan(1e-6);
  });

  test("as released, the padding row is scored in training, and trained by its score only", () => {
    const model = new Sigma({
      ...released,
      padInSoftmax: true,
      init: "recbole",
      dropout: 0,
      gateDropout: 0,
    }).initialize(1);
    const { ids, lengths } = padHistories([[3, 5]], items, maxLength);
    const trained = model.forward(ids, lengths);
    expect(values(trained).every(Number.isFinite)).toBe(true);
    model.loss(ids, lengths, i32([2])).backward();
    // d loss / d E_0 = softmax_0 * s, and E s is the scores: E_0's gradient is parallel to s.
    const gradient = values(gradientOf(model.table.weight)).slice(0, small.size);
    const p0 = values(trained.softmax(-1))[0];
    const alongside = values(
      model.table.weight.matmul(
        tensor(
          gradient.map((g) => g / p0),
          { dtype: "f64" },
        ),
      ),
    );
    close(alongside, values(trained), 1e-9);
    expect(values(model.eval().forward(ids, lengths))[0]).toBe(Number.NEGATIVE_INFINITY);
  });
});

test("bad histories are refused by name", () => {
  const pad = (histories: number[][], steps = 3) => padHistories(histories, items, steps);
  expect(() => pad([[1], [2, 9]])).toThrow(/item 1 of history 1 must be a whole number in \[1, 8\], got 9/);
  expect(() => pad([[1, 0]])).toThrow(/item 1 of the history must be a whole number in \[1, 8\], got 0/);
  expect(() => pad([[1.5]])).toThrow(/got 1.5/);
  expect(() => pad([[Number.NaN]])).toThrow(/got NaN/);
  expect(() => pad([[1], []])).toThrow(/history 1 is empty/);
  expect(() => pad([])).toThrow(/at least one history/);
  expect(() => pad([[1]], 0)).toThrow(/length must be at least 1, got 0/);
  expect(() => new Sigma({ ...small, layers: 0 })).toThrow(/layers must be at least 1, got 0/);
  // The most recent items are kept, and padding follows.
  const { ids, lengths } = pad([[1, 2, 3, 4, 5], [6]]);
  expect(ids.toArray()).toEqual([
    [3, 4, 5],
    [6, 0, 0],
  ]);
  expect(lengths.toArray()).toEqual([3, 1]);
});
