// Trials and seeds: what is recorded, refused and counted.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { NonFiniteError } from "../../papers/errors.ts";
import { Pace } from "../../papers/pace.ts";
import type { PaperResult, TrialRecord } from "../../papers/paper.ts";
import { Recorder } from "../../papers/recorder.ts";
import { takeSeeds } from "../../papers/runner.ts";
import { paired, standardError } from "../../papers/statistics.ts";

const plan = { task: "A", arm: "x", seed: 1, steps: 10 };
const recorder = (signal = new AbortController().signal): Recorder => new Recorder(plan, signal, () => {});

describe("Recorder", () => {
  it("keeps a series for each metric, at the steps that gave it", async () => {
    const trial = recorder();
    await trial.step(1, { loss: 2 });
    await trial.step(2);
    await trial.step(3, { loss: 1, support: 4 });
    expect(trial.record("finished").series).toEqual({
      loss: { steps: [1, 3], values: [2, 1] },
      support: { steps: [3], values: [4] },
    });
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY])("refuses %d with the step and the name", async (value) => {
    const trial = recorder();
    await expect(trial.step(5, { loss: value })).rejects.toMatchObject({
      name: "NonFiniteError",
      step: 5,
      tensor: "loss",
    });
    expect(() => trial.scalar("accuracy", value)).toThrow(NonFiniteError);
  });

  it("stops at the step after an abort, with that step recorded", async () => {
    const controller = new AbortController();
    const trial = recorder(controller.signal);
    controller.abort();
    await expect(trial.step(1, { loss: 2 })).rejects.toMatchObject({ name: "AbortError" });
    expect(trial.record("interrupted").series.loss.steps).toEqual([1]);
  });
});

describe("takeSeeds", () => {
  it("takes the first and counts on", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(1000), { maxLength: 6 }), fc.integer({ min: 1, max: 12 }), (seeds, count) => {
        const taken = takeSeeds(seeds, count);
        expect(taken).toHaveLength(count);
        expect(taken.slice(0, seeds.length)).toEqual(seeds.slice(0, count));
        for (let i = Math.max(1, seeds.length); i < count; i++) expect(taken[i]).toBe(taken[i - 1] + 1);
      }),
    );
  });
});

describe("Pace", () => {
  it("uses each arm's own pace, and the average for arms not seen", () => {
    const plans = [plan, { ...plan, arm: "y" }, { ...plan, seed: 2 }, { ...plan, arm: "y", seed: 2 }];
    const pace = new Pace(plans);
    expect(pace.left(0, 0, 0)).toBeUndefined();
    expect(pace.left(0, 5, 5)).toBeCloseTo(5 + 30);
    pace.finish(plans[0], 10);
    pace.finish(plans[1], 30);
    expect(pace.left(2, 0, 0)).toBeCloseTo(10 + 30);
  });
});

describe("statistics", () => {
  it("computes the standard error of the mean", () => {
    expect(standardError([1, 2, 3, 4, 5])).toBeCloseTo(Math.sqrt(2.5 / 5), 12);
  });

  it("pairs by seed, over the seeds that both arms finished", () => {
    const trial = (
      arm: string,
      seed: number,
      loss: number,
      status: TrialRecord["status"] = "finished",
    ): TrialRecord => ({
      ...plan,
      arm,
      seed,
      status,
      series: {},
      data: {},
      seconds: 1,
      scalars: { loss },
    });
    const trials = [
      trial("b", 3, 5),
      trial("a", 1, 4),
      trial("b", 1, 1),
      trial("a", 2, 7),
      trial("b", 2, 9),
      trial("a", 3, 0, "failed"),
    ];
    const result: PaperResult = { config: {}, mode: "default", seeds: [1, 2, 3], trials };
    expect(paired(result, "A", "a", "b", "loss")).toMatchObject({ differences: [3, -2], mean: 0.5, positive: 1 });
    expect(paired(result, "A", "a", "c", "loss")).toBeUndefined();
  });
});
