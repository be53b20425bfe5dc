// The claims' rules: what passes, what fails, and what cannot be judged.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { claims } from "../../../papers/gated-attention/claims.ts";
import { bestRate, type Result } from "../../../papers/gated-attention/compare.ts";
import {
  backcopyTask,
  configs,
  highRate,
  languageTask,
  learningRates,
  middleRate,
} from "../../../papers/gated-attention/config.ts";
import type { TrialRecord } from "../../../papers/paper.ts";

/** Scalars by task, arm and name; lists are by seed. */
type Tasks = Record<string, Record<string, Record<string, number[]>>>;

function resultWith(tasks: Tasks): Result {
  const trials = Object.entries(tasks).flatMap(([task, arms]) =>
    Object.entries(arms).flatMap(([arm, lists]) =>
      Array.from({ length: Math.max(...Object.values(lists).map((list) => list.length)) }, (_, seed): TrialRecord => {
        const scalars = Object.fromEntries(Object.entries(lists).map(([name, list]) => [name, list[seed]]));
        return { task, arm, seed, scalars, steps: 1, status: "finished", seconds: 1, data: {}, series: {} };
      }),
    ),
  );
  return { config: configs.default, mode: "default", seeds: [0, 1, 2], trials };
}

const evaluate = (id: string, tasks: Tasks) => claims.find((claim) => claim.id === id)?.evaluate(resultWith(tasks));
const holds = (id: string, tasks: Tasks): boolean | undefined => evaluate(id, tasks)?.holds;

const [low, middle, high] = learningRates.map(languageTask);

/** Losses of baseline and gate at the three learning rates. */
const sweepOf = (baseline: number[][], gated: number[][]): Tasks =>
  Object.fromEntries(
    [low, middle, high].map((task, i) => [
      task,
      { baseline: { "validation loss": baseline[i] }, "g1-elementwise": { "validation loss": gated[i] } },
    ]),
  );

describe("claims of the language models", () => {
  test("are not judged without the trials they need", () => {
    for (const claim of claims)
      expect(claim.evaluate(resultWith({ elsewhere: { baseline: { x: [1, 1] } } }))).toBeUndefined();
  });

  const baseline = [
    [1.64, 1.7],
    [1.69, 1.82],
    [1.79, 1.78],
  ];

  test("C1: each arm at its best rate; above one standard error and 0.03", () => {
    const gated = [
      [1.68, 1.79],
      [1.58, 1.6],
      [1.54, 1.58],
    ];
    const good = sweepOf(baseline, gated);
    expect(holds("C1", good)).toBe(true);
    expect(bestRate(resultWith(good), "baseline")?.lr).toBe(learningRates[0]);
    expect(evaluate("C1", good)?.numbers?.difference).toBeCloseTo(0.11, 10);
    const close = (by: number[]) => sweepOf(baseline, [[9, 9], [9, 9], by]);
    expect(holds("C1", close([1.61, 1.66]))).toBe(true);
    expect(holds("C1", close([1.63, 1.66]))).toBe(false); // 0.025 on average
    expect(holds("C1", close([1.7, 1.54]))).toBe(false); // 0.05, but with an error of 0.11
    expect(holds("C1", close([1.4]))).toBe(false); // one seed has no error
  });

  test("C1's best rate has the lowest mean over the seeds", () => {
    const loss = fc.integer({ min: 1000, max: 3000 }).map((value) => value / 1000);
    fc.assert(
      fc.property(fc.array(fc.array(loss, { minLength: 3, maxLength: 3 }), { minLength: 3, maxLength: 3 }), (lists) => {
        const means = lists.map((list) => list.reduce((sum, value) => sum + value, 0) / 3);
        const best = bestRate(resultWith(sweepOf(lists, lists)), "baseline");
        expect(best?.lr).toBe(learningRates[means.indexOf(Math.min(...means))]);
      }),
    );
  });

  test("C2: better by 0.05 at the high rate, and a best rate that is not lower", () => {
    const of = (gated: number[][]) => holds("C2", sweepOf(baseline, gated));
    expect(
      of([
        [9, 9],
        [1.6, 1.6],
        [1.7, 1.7],
      ]),
    ).toBe(true);
    expect(
      of([
        [9, 9],
        [1.6, 1.6],
        [1.74, 1.74],
      ]),
    ).toBe(false);
    const middleBest = [
      [1.9, 1.9],
      [1.6, 1.6],
      [1.8, 1.8],
    ];
    expect(
      holds(
        "C2",
        sweepOf(middleBest, [
          [1.5, 1.5],
          [1.6, 1.6],
          [1.7, 1.7],
        ]),
      ),
    ).toBe(false);
    expect(
      holds(
        "C2",
        sweepOf(middleBest, [
          [1.9, 1.9],
          [1.6, 1.6],
          [1.7, 1.7],
        ]),
      ),
    ).toBe(true);
  });

  test("C3: at most 0.8 at both larger rates, on average over the seeds", () => {
    const of = (atMiddle: number[], atHigh: number[]) =>
      holds("C3", {
        [middle]: { baseline: { "M-Act": [10, 100] }, "g1-elementwise": { "M-Act": atMiddle } },
        [high]: { baseline: { "M-Act": [10, 100] }, "g1-elementwise": { "M-Act": atHigh } },
      });
    expect(of([7, 90], [5, 50])).toBe(true);
    expect(of([8, 82], [5, 50])).toBe(false);
    expect(of([5, 50], [8, 82])).toBe(false);
    // A ratio for each seed: that of the means would be 0.83.
    expect(of([1, 90], [1, 90])).toBe(true);
  });

  test("C4: below 0.45, and below 0.5 by more than the error", () => {
    const of = (scores: number[]) => holds("C4", { [middle]: { "g1-elementwise": { "gate score": scores } } });
    expect(of([0.39, 0.34])).toBe(true);
    expect(of([0.46, 0.45])).toBe(false);
    expect(of([0.2, 0.6])).toBe(false);
    expect(of([0.3])).toBe(false);
  });

  test("C5: NS-sigmoid worse by more than the error, over two seeds", () => {
    const of = (ns: number[], sigmoid: number[]) =>
      holds("C5", {
        [middle]: { "ns-sigmoid": { "validation loss": ns }, "g1-elementwise": { "validation loss": sigmoid } },
      });
    expect(of([1.7, 1.75], [1.6, 1.6])).toBe(true);
    expect(of([1.7, 1.55], [1.6, 1.6])).toBe(false);
    expect(of([1.7], [1.6])).toBe(false);
    expect(of([1.5, 1.5], [1.6, 1.6])).toBe(false);
  });

  test("C6: sandwich below baseline, gate at most 0.03 above sandwich", () => {
    const of = (sandwich: number, gated: number) =>
      holds("C6", {
        [high]: {
          baseline: { "validation loss": [1.8] },
          sandwich: { "validation loss": [sandwich] },
          "g1-elementwise": { "validation loss": [gated] },
        },
      });
    expect(of(1.6, 1.62)).toBe(true);
    expect(of(1.6, 1.64)).toBe(false);
    expect(of(1.81, 1.5)).toBe(false);
  });

  test("reported ones have no verdict of their own", () => {
    for (const claim of claims.filter(({ id }) => id.startsWith("R"))) expect(claim.kind).toBe("report-only");
    const losses = (value: number) => ({ "validation loss": [value, value + 0.1], "loss jumps": [3, 1] });
    const of = (task: string) => ({
      [task]: { baseline: losses(1.8), "g1-elementwise": losses(1.7), "g5-elementwise": losses(1.6) },
    });
    expect(evaluate("R2", of(middle))?.measured).toBe("g1-elementwise 0.100 ± 0.000; g5-elementwise 0.200 ± 0.000");
    expect(evaluate("R4", of(high))?.measured).toBe("per run: baseline 3, 1; gate 3, 1");
  });

  test("R5: degradation at the best rate of each arm", () => {
    const arm = (loss: number) => ({
      "validation loss": [loss, loss],
      "loss at 2x, plain": [loss + 0.1, loss + 0.2],
      "loss at 4x, YaRN": [loss - 0.1, loss - 0.1],
    });
    const found = evaluate("R5", { [middle]: { baseline: arm(2) }, [high]: { baseline: arm(1) } });
    expect(found?.measured).toBe(`baseline (lr ${highRate}): 2x plain +0.150 ± 0.050, 4x YaRN -0.100 ± 0.000`);
    expect(middleRate).toBeLessThan(highRate);
  });
});

describe("claims of backcopy", () => {
  const gates = (triggers: number[], others: number[]) => ({ "gate, triggers": triggers, "gate, others": others });

  test("C7: in every seed", () => {
    const of = (headwise: number[], elementwise: number[]) =>
      holds("C7", {
        [backcopyTask]: {
          "g1-headwise": gates(headwise, [0.1, 0.1, 0.1]),
          "g1-elementwise": gates(elementwise, [0.3, 0.3, 0.3]),
        },
      });
    expect(of([0.9, 0.95, 0.8], [0.8, 0.7, 0.66])).toBe(true);
    expect(of([0.9, 0.95, 0.69], [0.8, 0.7, 0.66])).toBe(false);
    expect(of([0.9, 0.95, 0.8], [0.8, 0.64, 0.9])).toBe(false);
  });

  test("C8: value drain by more than the error over three seeds, and half the weighted F-Attn", () => {
    const of = (drain: number[], sink: number) =>
      holds("C8", {
        [backcopyTask]: {
          baseline: { "value drain": [0.36, 0.5, 0.45], "gate-weighted F-Attn": [0.3, 0.2, 0.25] },
          "g1-headwise": { "value drain": drain, "gate-weighted F-Attn": drain.map(() => sink) },
        },
      });
    expect(of([0.63, 0.61, 0.57], 0.04)).toBe(true);
    expect(of([0.63, 0.61, 0.57], 0.13)).toBe(false);
    expect(of([0.3, 0.7, 0.45], 0.04)).toBe(false);
    expect(of([0.63, 0.61], 0.04)).toBe(false);
  });
});
