// The claims' rules: what passes, what fails, and what cannot be judged.

import { describe, expect, test } from "vitest";
import { claims } from "../../../papers/comet/claims.ts";
import { type CometPaperConfig, configs, type GateName, taskNames } from "../../../papers/comet/config.ts";
import type { PaperResult, TrialRecord } from "../../../papers/paper.ts";

/** A result in which gates have given scalars, one list a seed, on task A. */
function resultWith(
  gates: Partial<Record<GateName, Record<string, number[]>>>,
  series: Record<string, number[]> = {},
  recovered: Record<string, number[]> = {},
): PaperResult<CometPaperConfig> {
  const trial = (task: string, arm: string, seed: number, scalars: Record<string, number>): TrialRecord => ({
    task,
    arm,
    seed,
    scalars,
    steps: 1,
    status: "finished",
    seconds: 1,
    data: {},
    series: Object.fromEntries(
      Object.entries(series).map(([name, list]) => [name, { steps: [1], values: [list[seed]] }]),
    ),
  });
  const each = (task: string, arm: string, lists: Record<string, number[]>): TrialRecord[] =>
    Array.from({ length: Math.max(...Object.values(lists).map((list) => list.length)) }, (_, seed) =>
      trial(task, arm, seed, Object.fromEntries(Object.entries(lists).map(([name, list]) => [name, list[seed]]))),
    );
  const trials = [
    ...Object.entries(gates).flatMap(([arm, lists]) => each(taskNames.pairs, arm, lists)),
    ...Object.entries(recovered).flatMap(([arm, list]) => each(taskNames.recovery, arm, { recovered: list })),
  ];
  return { config: configs.default, mode: "default", seeds: [0, 1, 2, 3, 4], trials };
}

const holds = (id: string, result: PaperResult<CometPaperConfig>): boolean | undefined =>
  claims.find((claim) => claim.id === id)?.evaluate(result)?.holds;

describe("claims", () => {
  const five = (value: number): number[] => new Array(5).fill(value);
  const good = {
    mse: five(0.1),
    "mse hard": five(0.11),
    support: five(2.2),
    "hard support": five(2),
    "over k": five(0.1),
    evaluations: five(2.5),
    "sparse error": five(1e-7),
  };

  test("are not judged without the trials they need", () => {
    for (const claim of claims) expect(claim.evaluate(resultWith({ softmax: { mse: [1, 1] } }))).toBeUndefined();
  });

  test("C1: dense at first, at most 1.15 k at the end, k in hard inference", () => {
    const start = { support: five(8) };
    expect(holds("C1", resultWith({ comet: good }, start))).toBe(true);
    expect(holds("C1", resultWith({ comet: { ...good, support: five(2.31) } }, start))).toBe(false);
    expect(holds("C1", resultWith({ comet: { ...good, "hard support": [2, 2, 3, 2, 2] } }, start))).toBe(false);
    expect(holds("C1", resultWith({ comet: { ...good, "mse hard": five(0.13) } }, start))).toBe(false);
    expect(holds("C1", resultWith({ comet: good }, { support: [8, 8, 7.9, 8, 8] }))).toBe(false);
  });

  test("C2 and C3: mean difference above its error, and for C2 in 3 of 5 seeds", () => {
    const comet = { mse: five(0.1) };
    expect(holds("C2", resultWith({ comet, topk: { mse: [0.11, 0.12, 0.13, 0.09, 0.12] } }))).toBe(true);
    expect(holds("C2", resultWith({ comet, topk: { mse: [0.9, 0.8, 0.09, 0.09, 0.09] } }))).toBe(false);
    expect(holds("C3", resultWith({ comet, dselect: { mse: [0.9, 0.8, 0.09, 0.09, 0.09] } }))).toBe(true);
    expect(holds("C3", resultWith({ comet, dselect: { mse: [0.11, 0.09, 0.12, 0.08, 0.1] } }))).toBe(false);
  });

  test("C4: above twice on average", () => {
    expect(holds("C4", resultWith({ comet: { mse: five(0.1) }, hash: { mse: five(0.21) } }))).toBe(true);
    expect(holds("C4", resultWith({ comet: { mse: five(0.1) }, hash: { mse: five(0.19) } }))).toBe(false);
  });

  test("C5: four of five with the warm schedule", () => {
    const arms = (warm: number[]) => ({ "n = 8, warm": warm, "n = 8, official": five(0) });
    expect(holds("C5", resultWith({}, {}, arms([1, 1, 0, 1, 1])))).toBe(true);
    expect(holds("C5", resultWith({}, {}, arms([1, 1, 0, 0, 1])))).toBe(false);
    expect(holds("C5", resultWith({}, {}, { "n = 8, official": five(1) }))).toBeUndefined();
  });

  test("C6: Hash+ better in four of five; the others are reported", () => {
    const result = resultWith({
      hash: { mse: five(0.4) },
      "hash+": { mse: [0.39, 0.38, 0.41, 0.39, 0.39] },
      topk: { mse: five(0.2) },
      "topk+": { mse: five(0.3) },
    });
    expect(holds("C6", result)).toBe(true);
    expect(claims.find(({ id }) => id === "C6")?.evaluate(result)?.measured).toMatch(/topk - topk\+: -0.100/);
    expect(
      holds("C6", resultWith({ hash: { mse: five(0.4) }, "hash+": { mse: [0.39, 0.41, 0.41, 0.39, 0.39] } })),
    ).toBe(false);
  });

  test("C7: from n to 1.3 k, equal to 1e-6", () => {
    const start = { "expert evaluations": five(8) };
    expect(holds("C7", resultWith({ comet: good }, start))).toBe(true);
    expect(holds("C7", resultWith({ comet: { ...good, evaluations: five(2.7) } }, start))).toBe(false);
    expect(holds("C7", resultWith({ comet: { ...good, "sparse error": [0, 0, 0, 0, 2e-6] } }, start))).toBe(false);
  });
});
