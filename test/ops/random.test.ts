// Random tensors: reproducible, the same compiled or not and on both backends, never the same twice, and rightly spread.

import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import * as S from "../../engine/index.ts";

const numbers = (x: S.Tensor): number[] => Array.from(x.dataSync());
const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
const moment = (values: readonly number[], k: number): number => {
  const centre = mean(values);
  return mean(values.map((value) => (value - centre) ** k));
};

describe.each(["reference", "wasm"] as const)("on %s", (backend) => {
  beforeAll(() => S.setBackend(backend));
  afterAll(() => S.setBackend("reference"));

  const n = 20_000;

  it("rand is uniform in [0, 1)", () => {
    const values = numbers(S.rand([n], { generator: S.generator(1) }));
    expect(Math.min(...values)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...values)).toBeLessThan(1);
    // Four standard errors.
    expect(Math.abs(mean(values) - 0.5)).toBeLessThan(4 * Math.sqrt(1 / 12 / n));
    expect(Math.abs(moment(values, 2) - 1 / 12)).toBeLessThan(4 * Math.sqrt(1 / 180 / n));
    // Chi-squared over 64 cells: 63 +- 4 * sqrt(126).
    const cells = new Array<number>(64).fill(0);
    for (const value of values) cells[Math.floor(value * 64)] += 1;
    const chi = cells.reduce((sum, count) => sum + (count - n / 64) ** 2 / (n / 64), 0);
    expect(chi).toBeLessThan(63 + 4 * Math.sqrt(126));
    // Neighbours are not related.
    const lag = mean(values.slice(1).map((value, i) => (value - 0.5) * (values[i] - 0.5)));
    expect(Math.abs(lag)).toBeLessThan(4 / 12 / Math.sqrt(n));
  });

  it("randn is standard normal", () => {
    const values = numbers(S.randn([n], { generator: S.generator(2) }));
    expect(Math.abs(mean(values))).toBeLessThan(4 / Math.sqrt(n));
    expect(Math.abs(moment(values, 2) - 1)).toBeLessThan(4 * Math.sqrt(2 / n));
    expect(Math.abs(moment(values, 3))).toBeLessThan(4 * Math.sqrt(15 / n));
    expect(Math.abs(moment(values, 4) - 3)).toBeLessThan(4 * Math.sqrt(96 / n));
    expect(values.every(Number.isFinite)).toBe(true);
  });

  it("randint takes each number of the range, equally often", () => {
    const values = numbers(S.randint(-2, 3, [n], { generator: S.generator(3) }));
    for (let i = -2; i < 3; i++) {
      const share = values.filter((value) => value === i).length / n;
      expect(Math.abs(share - 0.2)).toBeLessThan(4 * Math.sqrt(0.16 / n));
    }
    const wide = numbers(S.randint(-(2 ** 31), 2 ** 31, [1000], { generator: S.generator(3) }));
    expect(new Set(wide).size).toBeGreaterThan(990);
  });

  it("randint is the uniform f64 times the range, rounded down", () => {
    const generator = () => S.generator(8, "whole");
    const units = numbers(S.rand([500], { generator: generator(), dtype: "f64" }));
    for (const [low, high] of [
      [0, 6],
      [-1000, 1000],
      [5, 2 ** 20],
      [0, 2 ** 31],
    ]) {
      const expected = units.map((unit) => Math.floor(unit * (high - low)) + low);
      expect(numbers(S.randint(low, high, [500], { generator: generator() }))).toEqual(expected);
    }
  });

  it("bernoulli is true with probability p", () => {
    const share = mean(numbers(S.bernoulli(0.3, { shape: [n], generator: S.generator(4) })));
    expect(Math.abs(share - 0.3)).toBeLessThan(4 * Math.sqrt(0.21 / n));
    expect(numbers(S.bernoulli(S.tensor([0, 1])))).toEqual([0, 1]);
    expect(S.bernoulli(0.5, { shape: [2] }).dtype).toBe("bool");
  });

  it("permutation holds each number once", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 50 }), (size) => {
        const order = numbers(S.permutation(size));
        expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: size }, (_, i) => i));
      }),
      { numRuns: 20 },
    );
  });

  /** A few draws of every kind. */
  const draws = (generator: S.Generator) => [
    S.rand([3], { generator }),
    S.randn([2, 2], { generator, dtype: "f64" }),
    S.randint(0, 100, [4], { generator }),
    S.bernoulli(0.5, { shape: [5], generator }),
    S.permutation(6, { generator }),
  ];

  it("compiled and un-compiled streams are one, replay after replay", () => {
    const [eager, traced] = [S.generator(5, "stream"), S.generator(5, "stream")];
    const step = S.compile(() => draws(traced));
    for (let round = 0; round < 3; round++) {
      expect(step().map(numbers)).toEqual(draws(eager).map(numbers));
      expect(traced.getState()).toEqual(eager.getState());
    }
    expect(step.traces).toBe(1);
    // From one to the other and back.
    expect(numbers(S.rand([3], { generator: traced }))).toEqual(numbers(S.rand([3], { generator: eager })));
    expect(step().map(numbers)).toEqual(draws(eager).map(numbers));
  });
});

describe("streams", () => {
  beforeAll(() => S.setBackend("reference"));

  it("do not depend on the backend", async () => {
    const bounds = [1, 2, 10, 65_536, 65_537, 2 ** 24 + 1, 2 ** 31, 2 ** 32];
    const sample = () => [
      S.rand([9], { generator: S.generator(7) }),
      S.permutation(9, { generator: S.generator(7) }),
      ...bounds.map((bound) => S.randint(-(2 ** 31), bound - 2 ** 31, [37], { generator: S.generator(7) })),
    ];
    const reference = sample().map(numbers);
    await S.setBackend("wasm");
    expect(sample().map(numbers)).toEqual(reference);
    await S.setBackend("reference");
  });

  it("of one seed and name are equal, of others different", () => {
    const first = (generator: S.Generator) => numbers(S.rand([4], { generator }));
    fc.assert(
      fc.property(fc.integer(), fc.integer(), fc.string(), fc.string(), (a, b, p, q) => {
        expect(first(S.generator(a, p))).toEqual(first(S.generator(a, p)));
        if (a !== b) expect(first(S.generator(a, p))).not.toEqual(first(S.generator(b, p)));
        if (p !== q) expect(first(S.generator(a, p))).not.toEqual(first(S.generator(a, q)));
      }),
      { numRuns: 50 },
    );
  });

  it("never give the same draw twice, read late or early", () => {
    const generator = S.generator(8);
    const lazy = Array.from({ length: 20 }, () => S.rand([2], { generator }));
    const texts = lazy.toReversed().map((x) => String(numbers(x)));
    expect(new Set(texts).size).toBe(20);
    expect(numbers(lazy[0])).toEqual(numbers(S.rand([2], { generator: S.generator(8) })));
  });

  it("start again from manualSeed, and go on from a saved state", () => {
    S.manualSeed(9);
    const before = [S.rand([2]), S.randn([2])].map(numbers);
    const state = S.defaultGenerator().getState();
    const next = numbers(S.rand([3]));
    S.defaultGenerator().setState(state);
    expect(numbers(S.rand([3]))).toEqual(next);
    S.manualSeed(9);
    expect([S.rand([2]), S.randn([2])].map(numbers)).toEqual(before);
    S.manualSeed(10);
    expect(numbers(S.rand([2]))).not.toEqual(before[0]);
  });

  it("follow manualSeed inside a compiled function too", () => {
    const draw = S.compile(() => S.rand([4]));
    S.manualSeed(11);
    const first = numbers(draw());
    expect(numbers(draw())).not.toEqual(first);
    S.manualSeed(11);
    expect(numbers(draw())).toEqual(first);
  });

  it("cost one program, however many draws", () => {
    const generator = S.generator(12);
    numbers(S.randn([5], { generator }));
    const { misses } = S.programCache.statistics;
    for (let i = 0; i < 10; i++) numbers(S.randn([5], { generator }));
    expect(S.programCache.statistics.misses).toBe(misses);
  });
});
