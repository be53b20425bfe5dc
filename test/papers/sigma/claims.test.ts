// The claims' rules of the SIGMA reproduction: what passes, what fails, what cannot be judged; slopes, crossings, intervals.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Json, PaperResult, TrialRecord } from "../../../papers/paper.ts";
import { claims } from "../../../papers/sigma/claims.ts";
import { bootstrap, crossing, slope, verdictOf } from "../../../papers/sigma/comparisons.ts";
import { configs, type SigmaPaperConfig, taskNames } from "../../../papers/sigma/config.ts";

type Parts = Partial<Pick<TrialRecord, "scalars" | "data" | "series">>;
type Result = PaperResult<SigmaPaperConfig>;

const trial = (task: string, arm: string, seed: number, parts: Parts): TrialRecord => ({
  task,
  arm,
  seed,
  steps: 1,
  status: "finished",
  seconds: 1,
  scalars: {},
  data: {},
  series: {},
  ...parts,
});

/** One trial a value, with seeds 1, 2, ... */
const scored = (task: string, name: string, arms: Readonly<Record<string, readonly number[]>>): TrialRecord[] =>
  Object.entries(arms).flatMap(([arm, values]) =>
    values.map((value, i) => trial(task, arm, i + 1, { scalars: { [name]: value } })),
  );

const resultOf = (...trials: TrialRecord[]): Result => ({
  config: configs.full,
  mode: "full",
  seeds: [1, 2, 3],
  trials,
});

const outcome = (id: string, ...trials: TrialRecord[]) =>
  claims.find((claim) => claim.id === id)?.evaluate(resultOf(...trials));

const holds = (id: string, ...trials: TrialRecord[]): boolean | undefined => outcome(id, ...trials)?.holds;

const { earlyKey: A, sessions: B, fixedCut: D, time: E } = taskNames;
const sessions = (arms: Readonly<Record<string, readonly number[]>>): TrialRecord[] => scored(B, "NDCG@10", arms);

test("no claim is judged without its trials; what is expected not to transfer is reported only", () => {
  for (const claim of claims) expect(claim.evaluate(resultOf(trial(B, "Popularity", 1, {})))).toBeUndefined();
  expect(claims.filter(({ kind }) => kind === "gated").map(({ id }) => id)).toEqual(["C1", "C2", "C3"]);
});

test("C1: 0.9 with the flip, 0.3 without, in every seed", () => {
  const hits = (flip: number[], none: number[], mamba: number[]) =>
    scored(A, "HR@1", { "flip only, r = 3": flip, "no flip": none, Mamba4Rec: mamba });
  expect(holds("C1", ...hits([1, 0.9, 1], [0.1, 0.3, 0], [0.05, 0, 0]))).toBe(true);
  expect(holds("C1", ...hits([1, 0.89, 1], [0.1, 0.1, 0], [0, 0, 0]))).toBe(false);
  expect(holds("C1", ...hits([1, 1, 1], [0.1, 0.31, 0], [0, 0, 0]))).toBe(false);
  expect(holds("C1", ...hits([1, 1, 1], [0.1, 0.1, 0], [0, 0, 0.4]))).toBe(false);
  expect(holds("C1", ...scored(A, "HR@1", { "flip only, r = 3": [1] }))).toBeUndefined();
  const learned = trial(A, "flip only, r = 3", 1, {
    scalars: { "HR@1": 1 },
    series: { "HR@1": { steps: [30, 60, 90], values: [0.1, 0.9, 1] } },
  });
  const never = trial(A, "no flip", 1, {
    scalars: { "HR@1": 0.1 },
    series: { "HR@1": { steps: [30, 60, 90], values: [0.1, 0.1, 0.1] } },
  });
  expect(outcome("C1", learned, never)?.measured).toMatch(/reached at step 60 with the flip, - without/);
});

describe("time", () => {
  const lengths = [64, 128, 256, 512, 1024];
  const timed = (arm: string, power: number, what = "forward", scale = 1): TrialRecord =>
    trial(E, arm, 1, {
      data: { times: { [what]: { lengths, milliseconds: lengths.map((n) => scale * n ** power) } } as Json },
    });

  test("C2: linear below 1.25, attention 0.3 above", () => {
    expect(holds("C2", timed("SIGMA", 1.2), timed("Mamba4Rec", 1), timed("SASRec", 1.6))).toBe(true);
    expect(holds("C2", timed("SIGMA", 1.3), timed("Mamba4Rec", 1), timed("SASRec", 1.9))).toBe(false);
    expect(holds("C2", timed("SIGMA", 1.2), timed("Mamba4Rec", 1), timed("SASRec", 1.4))).toBe(false);
    expect(holds("C2", timed("SIGMA", 1.2), timed("Mamba4Rec", 1))).toBeUndefined();
    const { numbers } = outcome("C2", timed("SIGMA", 1.1), timed("Mamba4Rec", 0.9), timed("SASRec", 2)) ?? {};
    expect(numbers?.SASRec).toBeCloseTo(2, 10);
  });

  test("C10: where a straight line meets a parabola", () => {
    // 100 n = n^2 at n = 100, between the lengths 64 and 128.
    const found = outcome("C10", timed("SIGMA", 1, "training", 100), timed("SASRec", 2, "training"));
    expect(found?.holds).toBe(true);
    expect(found?.numbers?.crossing).toBeCloseTo(100, 6);
    expect(holds("C10", timed("SIGMA", 1, "training", 1e6), timed("SASRec", 2, "training"))).toBe(false);
  });

  test("slopes are those of powers; crossings are where powers meet", () => {
    const power = fc.double({ min: 0.5, max: 2.5, noNaN: true });
    fc.assert(
      fc.property(power, power, fc.double({ min: 70, max: 1000, noNaN: true }), (p, q, at) => {
        fc.pre(Math.abs(p - q) > 0.05);
        const of = (exponent: number) => ({ lengths, milliseconds: lengths.map((n) => (n / at) ** exponent) });
        expect(slope(of(p))).toBeCloseTo(p, 8);
        expect(slope(of(p), 3)).toBeCloseTo(p, 8);
        const [slow, fast] = p > q ? [of(p), of(q)] : [of(q), of(p)];
        expect(crossing(fast, slow) ?? 0).toBeCloseTo(at, 4);
        expect(crossing(slow, fast)).toBeUndefined();
      }),
    );
    expect(crossing({ lengths, milliseconds: [1, 1, 1, 1, 1] }, { lengths, milliseconds: [2, 2, 2, 2, 2] })).toBe(0);
  });
});

test("C3: exactly 0 up to 22 items with the fixed cut, above 0 from 30 on, and always when valid", () => {
  const steps = Array.from({ length: 50 }, (_, i) => i + 1);
  const spread = (arm: string, at: (length: number) => number): TrialRecord =>
    trial(D, arm, 1, { series: { spread: { steps, values: steps.map(at) } } });
  const padded = (length: number): number => (length <= 22 ? 0 : 0.1);
  expect(
    holds(
      "C3",
      spread("padded", padded),
      spread("valid", () => 0.1),
    ),
  ).toBe(true);
  expect(
    holds(
      "C3",
      spread("padded", (n) => (n <= 22 ? 1e-9 : 0.1)),
      spread("valid", () => 0.1),
    ),
  ).toBe(false);
  expect(
    holds(
      "C3",
      spread("padded", (n) => (n <= 30 ? 0 : 0.1)),
      spread("valid", () => 0.1),
    ),
  ).toBe(false);
  expect(
    holds(
      "C3",
      spread("padded", padded),
      spread("valid", (n) => (n < 7 ? 0 : 0.1)),
    ),
  ).toBe(false);
  // Up to r items the flip changes nothing; the rule does not ask.
  expect(
    holds(
      "C3",
      spread("padded", padded),
      spread("valid", (n) => (n < 6 ? 0 : 0.1)),
    ),
  ).toBe(true);
});

test("C4 and C7: more than a standard error over the seeds they share; one seed decides nothing", () => {
  const verdict = (sigma: number[], mamba: number[]): string =>
    String(outcome("C4", ...sessions({ SIGMA: sigma, Mamba4Rec: mamba }))?.measured);
  expect(verdict([0.3, 0.31, 0.3], [0.28, 0.28, 0.27])).toMatch(/\(supported\)/);
  expect(verdict([0.26, 0.25, 0.26], [0.28, 0.28, 0.27])).toMatch(/\(not supported\)/);
  expect(verdict([0.3, 0.2, 0.25], [0.25, 0.25, 0.25])).toMatch(/\(inconclusive\)/);
  expect(verdict([0.3], [0.1, 0.1])).toMatch(/one seed \(inconclusive\)/);
  expect(holds("C7", ...sessions({ SIGMA: [0.3, 0.31], Mamba4Rec: [0.3, 0.31], GRU4Rec: [0.1, 0.1] }))).toBe(true);
  expect(holds("C7", ...sessions({ SIGMA: [0.1, 0.1], Mamba4Rec: [0.3, 0.31], GRU4Rec: [0.1, 0.1] }))).toBe(false);
});

test("C5: all three parts", () => {
  const parts = (gru: number[]) => ({
    SIGMA: [0.3, 0.31, 0.3],
    "without flip": [0.2, 0.2, 0.2],
    "without gate": [0.2, 0.2, 0.2],
    "without GRU": gru,
  });
  expect(holds("C5", ...sessions(parts([0.2, 0.2, 0.2])))).toBe(true);
  expect(holds("C5", ...sessions(parts([0.4, 0.2, 0.3])))).toBe(false);
});

test("C6: the shortest group's gain above the longest's, with its interval", () => {
  const groups = (short: number, long: number): Json => ({
    "4-7": new Array(200).fill(short),
    "8-19": new Array(200).fill(5),
    "20 or more": new Array(200).fill(long),
  });
  const of = (arm: string, short: number, long: number): TrialRecord =>
    trial(B, arm, 1, { data: { ranks: groups(short, long) } });
  expect(holds("C6", of("SIGMA", 1, 5), of("Mamba4Rec", 5, 5))).toBe(true);
  const against = outcome("C6", of("SIGMA", 5, 1), of("Mamba4Rec", 5, 5));
  expect([against?.holds, String(against?.measured).includes("(not supported)")]).toEqual([false, true]);
  expect(String(outcome("C6", of("SIGMA", 1, 1), of("Mamba4Rec", 5, 5))?.measured)).toMatch(/\(inconclusive\)/);
});

test("C8: the range over r against two standard errors of one run", () => {
  const ranks: Json = { all: [...new Array(50).fill(1), ...new Array(50).fill(100)] };
  // Half the users gain 1, half 0: the standard error is 0.05.
  const arms = ["r = 0", "r = 1", "SIGMA", "r = 5", "r = 8", "r = L"];
  const of = (values: number[]): TrialRecord[] =>
    arms.map((arm, i) => trial(B, arm, 1, { scalars: { "NDCG@10": values[i] }, data: { ranks } }));
  expect(holds("C8", ...of([0.5, 0.5, 0.5, 0.5, 0.5, 0.59]))).toBe(true);
  expect(holds("C8", ...of([0.5, 0.5, 0.5, 0.5, 0.5, 0.61]))).toBe(false);
  expect(outcome("C8", ...of([0.5, 0.5, 0.5, 0.5, 0.5, 0.61]))?.numbers?.standardError).toBeCloseTo(0.05, 10);
});

test("C9: above Mamba4Rec and Markov on both logs", () => {
  const logs = (movies: number) => [
    ...scored(taskNames.changelogs, "NDCG@10", { SIGMA: [0.4], Mamba4Rec: [0.3], Markov: [0.2] }),
    ...scored(taskNames.movielens, "NDCG@10", { SIGMA: [movies], Mamba4Rec: [0.3], Markov: [0.2] }),
  ];
  expect(holds("C9", ...logs(0.31))).toBe(true);
  expect(holds("C9", ...logs(0.29))).toBe(false);
});

test("verdicts turn around with the sign; intervals hold the mean and come out the same again", () => {
  const value = fc.double({ min: -1, max: 1, noNaN: true });
  fc.assert(
    fc.property(value, fc.double({ min: 0, max: 1, noNaN: true }), (mean, standardError) => {
      const flipped = { supported: "not supported", "not supported": "supported", inconclusive: "inconclusive" };
      const verdict = verdictOf({ mean, standardError, seeds: 3 });
      expect(verdictOf({ mean: -mean, standardError, seeds: 3 })).toBe(flipped[verdict]);
    }),
  );
  fc.assert(
    fc.property(fc.array(value, { minLength: 2, maxLength: 30 }), (sample) => {
      const found = bootstrap([sample], ([mean]) => mean);
      expect(found.low).toBeLessThanOrEqual(found.mean + 1e-9);
      expect(found.high).toBeGreaterThanOrEqual(found.mean - 1e-9);
      expect(bootstrap([sample], ([mean]) => mean)).toEqual(found);
    }),
    { numRuns: 20 },
  );
});
