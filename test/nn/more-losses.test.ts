// Losses with options: against loops, at extremes, and their gradients over generated configurations.

import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { gradcheck, gradgradcheck, logSoftmax, setBackend, type Tensor, tensor } from "../../engine/index.ts";
import * as nn from "../../nn/index.ts";
import { close, f64, i32, normals, values } from "./tools.ts";

beforeAll(() => setBackend("wasm"));

const both = (fn: (...inputs: Tensor[]) => Tensor, inputs: Tensor[]): void => {
  gradcheck(fn, inputs);
  gradgradcheck(fn, inputs);
};
const reductions = ["mean", "sum", "none"] as const;

describe("cross-entropy with options", () => {
  const configs = fc.record({
    rows: fc.integer({ min: 1, max: 3 }),
    classes: fc.integer({ min: 1, max: 4 }),
    weighed: fc.boolean(),
    labelSmoothing: fc.constantFrom(0, 0.2),
    ignore: fc.boolean(),
    reduction: fc.constantFrom(...reductions),
    seed: fc.nat(1000),
  });

  test("is what the loops say, with gradients", () => {
    fc.assert(
      fc.property(configs, ({ rows, classes, weighed, labelSmoothing, ignore, reduction, seed }) => {
        const logits = normals([rows, classes], seed);
        const weight = weighed
          ? normals([classes], seed + 1)
              .abs()
              .add(0.5)
              .detach()
          : undefined;
        const targets = Array.from({ length: rows }, (_, i) => (ignore && i === 0 ? -100 : (seed + i) % classes));
        const options = { weight, labelSmoothing, reduction, ignoreIndex: ignore ? -100 : undefined };
        const w = weight === undefined ? new Array<number>(classes).fill(1) : values(weight);
        const logs = logSoftmax(logits, -1).toArray() as number[][];
        const losses = targets.map((t, i) => {
          if (t === -100) return 0;
          const spread = logs[i].reduce((sum, log, c) => sum - w[c] * log, 0) / classes;
          return (1 - labelSmoothing) * -w[t] * logs[i][t] + labelSmoothing * spread;
        });
        const total = losses.reduce((a, b) => a + b);
        const count = targets.reduce((sum, t) => sum + (t === -100 ? 0 : w[t]), 0);
        const expected = reduction === "none" ? losses : [reduction === "sum" ? total : count > 0 ? total / count : 0];
        const loss = (x: Tensor): Tensor => nn.crossEntropy(x, i32(targets), options);
        close(loss(logits), expected, 1e-12);
        both(loss, [logits]);
      }),
      { numRuns: 12 },
    );
  });

  test("soft targets that are sure are numbered ones; more axes are more rows", () => {
    const logits = normals([2, 3, 4], 1);
    const targets = i32([
      [0, 3, 2],
      [1, 1, 0],
    ]);
    const hot = f64(values(targets).map((t) => [0, 1, 2, 3].map((c) => (c === t ? 1 : 0)))).reshape([2, 3, 4]);
    for (const options of [{}, { labelSmoothing: 0.1 }, { labelSmoothing: 0.3, reduction: "none" }] as const) {
      close(nn.crossEntropy(logits, hot, options), values(nn.crossEntropy(logits, targets, options)), 1e-12);
    }
    both(
      (x, p) => nn.crossEntropy(x, p, { labelSmoothing: 0.1, weight: f64([1, 2, 3, 4]) }),
      [logits.narrow(0, 0, 1).detach(), hot.narrow(0, 0, 1).detach()],
    );
    expect(nn.crossEntropy(f64([[Number.NEGATIVE_INFINITY, 0]]), f64([[0, 1]])).item()).toBeCloseTo(0, 14);
    expect(() => nn.crossEntropy(logits, targets, { labelSmoothing: 1 })).toThrow(/labelSmoothing/);
    expect(() => nn.crossEntropy(logits, hot, { ignoreIndex: 0 })).toThrow(/numbered/);
    expect(() => nn.crossEntropy(logits, targets, { weight: f64([1]) })).toThrow(/weight must be \[4\]/);
  });
});

test("binary cross-entropy weighs positives", () => {
  const [x, y] = [f64([-2, 0.5, 3]), f64([0, 1, 0.25])];
  const expected = [-2, 0.5, 3].map((v, i) => {
    const p = 1 / (1 + Math.exp(-v));
    return -(3 * [0, 1, 0.25][i] * Math.log(p) + (1 - [0, 1, 0.25][i]) * Math.log(1 - p));
  });
  close(nn.binaryCrossEntropyWithLogits(x, y, { positiveWeight: 3, reduction: "none" }), expected, 1e-12);
  both((a, b) => nn.binaryCrossEntropyWithLogits(a, b, { positiveWeight: 3 }), [x, y]);
});

test("absolute and Huber losses", () => {
  const [x, y] = [f64([0, 1, 5]), f64([0.5, -1, 2])];
  close(nn.l1Loss(x, y), [5.5 / 3], 1e-12);
  close(nn.huberLoss(x, y, { delta: 2, reduction: "none" }), [0.125, 2, 4], 1e-12);
  close(nn.smoothL1Loss(x, y, { beta: 2, reduction: "sum" }), [6.125 / 2], 1e-12);
  both((a, b) => nn.l1Loss(a, b), [x, y]);
  both((a, b) => nn.huberLoss(a, b, { delta: 1.5 }), [x, y]);
  expect(() => nn.huberLoss(x, y, { delta: 0 })).toThrow(/positive/);
});

describe("divergences", () => {
  test("KL is never negative, 0 between equals, and has gradients to both sides", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 4 }), fc.nat(1000), (classes, seed) => {
        const [a, b] = [normals([2, classes], seed), normals([2, classes], seed + 1)];
        const kl = (p: Tensor, q: Tensor): Tensor => nn.klDivergence(logSoftmax(p), logSoftmax(q));
        expect(kl(a, b).item()).toBeGreaterThanOrEqual(-1e-15);
        expect(kl(a, a).item()).toBeCloseTo(0, 14);
        both(kl, [a, b]);
      }),
      { numRuns: 5 },
    );
    const sure = f64([[0, Number.NEGATIVE_INFINITY]]);
    expect(nn.klDivergence(sure, f64([[Math.log(0.5), Math.log(0.5)]])).item()).toBeCloseTo(Math.log(2), 14);
    expect(nn.klDivergence(sure, sure).item()).toBe(0);
  });

  test("cosine", () => {
    const [x, y] = [
      f64([
        [1, 0],
        [3, 4],
        [0, 0],
      ]),
      f64([
        [0, 2],
        [6, 8],
        [1, 1],
      ]),
    ];
    close(nn.cosineSimilarity(x, y), [0, 1, 0], 1e-12);
    close(
      nn.cosineEmbeddingLoss(x, y, tensor([true, false, false]), { reduction: "none", margin: 0.25 }),
      [1, 0.75, 0],
      1e-12,
    );
    both((a, b) => nn.cosineSimilarity(a, b), [normals([2, 3], 1), normals([2, 3], 2)]);
    both((a, b) => nn.cosineEmbeddingLoss(a, b, tensor([true, false])), [normals([2, 3], 1), normals([2, 3], 2)]);
  });
});

describe("SI-SDR", () => {
  test("does not mind scale and offset; noise of a tenth is 20 dB", () => {
    const s = normals([400], 1);
    const noise = normals([400], 2);
    const target = s.sub(s.mean());
    const across = noise
      .sub(noise.mean())
      .sub(target.mul(noise.sub(noise.mean()).mul(target).sum().div(target.square().sum())));
    const scaled = across.mul(target.square().sum().div(across.square().sum()).sqrt().mul(0.1));
    expect(nn.siSdr(target.add(scaled), s).item()).toBeCloseTo(20, 6);
    expect(nn.siSdr(target.add(scaled).mul(3).add(7), s).item()).toBeCloseTo(20, 6);
  });

  test("the order of estimates changes nothing, and the best order is found", () => {
    const targets = normals([2, 3, 20], 1);
    const estimates = targets.add(normals([2, 3, 20], 2).mul(0.3)).detach();
    const each = values(nn.siSdr(estimates, targets));
    const loss = nn.pitSiSdrLoss(estimates, targets).item();
    expect(loss).toBeCloseTo(-each.reduce((a, b) => a + b) / 6, 10);
    expect(nn.pitSiSdrLoss(estimates.flip(1), targets).item()).toBeCloseTo(loss, 10);
    both((a, b) => nn.pitSiSdrLoss(a, b), [normals([1, 2, 4], 3), normals([1, 2, 4], 4)]);
    expect(() => nn.pitSiSdrLoss(normals([1, 7, 4], 1), normals([1, 7, 4], 1))).toThrow(/1 to 6 sources/);
  });
});
