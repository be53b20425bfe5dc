// The COMET reproduction: published counts, the plan, and a small run of everything.

import { beforeAll, describe, expect, test } from "vitest";
import { NumericError, setBackend } from "../../../engine/index.ts";
import { COMETGate, DSelectKGate, type MLPExperts, TopKGate } from "../../../moe/index.ts";
import { type CometPaperConfig, configs, taskNames } from "../../../papers/comet/config.ts";
import { describeModels, gateRow, movieLensRows } from "../../../papers/comet/describe.ts";
import { treeOf } from "../../../papers/comet/figures.ts";
import { makeGate } from "../../../papers/comet/gates.ts";
import { comet } from "../../../papers/comet/index.ts";
import { pairsExperts } from "../../../papers/comet/pairs.ts";
import type { Paper, PaperResult, TrialRecord } from "../../../papers/paper.ts";
import { runPaper } from "../../../papers/runner.ts";
import { values } from "../../nn/tools.ts";
import { interruptedIn } from "../host.ts";

beforeAll(() => setBackend("wasm"));

const total = (rows: readonly { parameters: number }[]): number => rows.reduce((sum, row) => sum + row.parameters, 0);

describe("parameter counts", () => {
  test("the MovieLens models have the published numbers", () => {
    const rows = movieLensRows("comet");
    const of = (start: string): number => total(rows.filter((row) => row.name.startsWith(start)));
    expect(of("users") + of("movies")).toBe(1_278_976);
    expect(of("experts")).toBe(1_052_672);
    expect(of("head")).toBe(132_098);
    expect(of("gate")).toBe(31_868);
    const gates = (["topk", "softmax", "dselect", "hash"] as const).map((gate) =>
      total(movieLensRows(gate).filter((row) => row.name.startsWith("gate"))),
    );
    expect(gates).toEqual([8_224, 8_224, 5_140, 0]);
    expect((["comet", "topk", "dselect", "hash"] as const).map((gate) => total(movieLensRows(gate)))).toEqual([
      2_495_614, 2_471_970, 2_468_886, 2_463_746,
    ]);
  });

  test("what describe counts is what the modules have", () => {
    const sizes = { inputDim: 5, nExperts: 6, k: 2 };
    const counted = (["comet", "dselect", "topk"] as const).map((gate) => gateRow("gate", gate, sizes).parameters);
    const made = [new COMETGate(sizes), new DSelectKGate(sizes), new TopKGate(sizes)].map((gate) =>
      gate.parameters().reduce((sum, p) => sum + p.size, 0),
    );
    expect(counted).toEqual(made);
    expect(made[0]).toBe((2 * 6 - 1) * 2 * (5 + 1));
    const names = describeModels(configs.default).models.map(({ name }) => name);
    expect(names).toContain("Task A, COMET");
    const [taskA] = describeModels(configs.default).models;
    const experts = pairsExperts(configs.default.pairs, 0)
      .parameters()
      .reduce((sum, p) => sum + p.size, 0);
    expect(total(taskA.modules)).toBe(experts + 15 * 2 * 25);
    // One multiply-add a weight: (2n-1) k p for the gate.
    expect(taskA.modules[0].multiplyAdds).toBe(15 * 2 * 24);
  });
});

describe("the comparison is paired", () => {
  const settings = { inputDim: 24, nExperts: 8, k: 2, gamma: 0.1, lambda: 0, searchSteps: 5, ids: 9 };

  test("experts and gates start alike, with and without the search", () => {
    const { pairs } = configs.default;
    const read = (experts: MLPExperts): number[][] => experts.parameters().map(values);
    expect(read(pairsExperts(pairs, 10))).toEqual(read(pairsExperts(pairs, 10)));
    expect(read(pairsExperts(pairs, 10))).not.toEqual(read(pairsExperts(pairs, 11)));
    for (const name of ["comet", "topk"] as const) {
      const [plain, searching] = [makeGate(name, settings, 10), makeGate(`${name}+`, settings, 10)];
      expect(searching.search).toBeDefined();
      expect(searching.plain.parameters().map(values)).toEqual(plain.gate.parameters().map(values));
    }
  });

  test("the experts' weights have the variances of the protocol, and no bias at the start", () => {
    const [w1, b1, w2, b2] = pairsExperts(configs.default.pairs, 10).parameters().map(values);
    const variance = (list: number[]): number => list.reduce((sum, v) => sum + v * v, 0) / list.length;
    expect(Math.abs(variance(w1) / (2 / 24) - 1)).toBeLessThan(0.1);
    expect(Math.abs(variance(w2) / (1 / 32) - 1)).toBeLessThan(0.1);
    expect([...b1, ...b2].every((v) => v === 0)).toBe(true);
  });

  test("a seed's trials stand together, in whole seeds", () => {
    const plan = comet.plan(configs.full, [10, 11]);
    expect(plan.map(({ seed }) => seed)).toEqual([...plan.map(({ seed }) => seed)].sort());
    expect(plan.filter(({ task, seed }) => task === taskNames.pairs && seed === 10).map(({ arm }) => arm)).toEqual([
      ...configs.full.pairs.gates,
    ]);
    expect(comet.plan(configs.quick, [10]).every(({ steps }) => steps <= 500)).toBe(true);
  });
});

/** A config that runs in a second. */
const tiny: CometPaperConfig = {
  pairs: {
    ...configs.full.pairs,
    gates: ["comet", "topk", "dselect", "hash", "comet+"],
    steps: 12,
    validation: 100,
    batch: 32,
    logEvery: 4,
    evaluateEvery: 6,
    searchShare: 0.5,
  },
  recovery: { ...configs.full.recovery, arms: [{ nExperts: 4, preset: "warm" }], steps: 5, batch: 16 },
  digits: { ...configs.full.digits, gates: ["comet"], seeds: 1, steps: 3, train: 200, test: 50, batch: 16 },
};

const withConfig = (config: CometPaperConfig): Paper =>
  ({ ...comet, configs: { quick: config, default: config, full: config } }) as Paper;

const options = (signal = new AbortController().signal) => ({
  mode: "quick" as const,
  backend: "wasm" as const,
  seedCount: 1,
  signal,
  onProgress: () => {},
  log: () => {},
});

describe("a run", () => {
  test("trains every gate on all three tasks, and draws what it recorded", async () => {
    const run = await runPaper(withConfig(tiny), options());
    expect(run.error).toBeUndefined();
    expect(run.status).toBe("completed");
    const of = (arm: string): TrialRecord =>
      run.result.trials.find((trial) => trial.arm === arm && trial.task === taskNames.pairs) as TrialRecord;
    expect(of("comet").series.support.values[0]).toBe(8);
    expect(of("comet").series["expert evaluations"].values[0]).toBe(8);
    expect(of("comet").scalars["hard support"]).toBeLessThanOrEqual(2);
    expect(of("comet").scalars["sparse error"]).toBeLessThan(1e-6);
    expect(of("topk").scalars.support).toBe(2);
    expect(of("hash").scalars.support).toBe(1);
    expect((of("comet").data.usage as number[]).reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 5);
    expect((of("comet").data.trees as number[][]).map((tree) => tree.length)).toEqual([15, 15]);
    expect((of("comet+").data.permutations as unknown[]).length).toBeGreaterThanOrEqual(4);
    const titles = comet
      .figures(run.result as PaperResult<CometPaperConfig>)
      .map(({ kind, title }) => `${kind}: ${title}`);
    for (const expected of [
      "lines: Experts in use over training",
      "lines: Expert evaluations over training (C7)",
      "bars: Expert usage",
      "tree: Where samples go",
      "heatmap: The permutation over time: A: pairs of experts, comet+",
      "heatmap: The permutation over time: B: recovery, n = 4, warm",
      "lines: Two overlapping digits: test loss",
      "table: Task A: results",
      "table: Settings tried for COMET",
    ]) {
      expect(titles).toContain(expected);
    }
  });

  test("is the same again, and nearly the same on the reference backend", async () => {
    const config = {
      ...tiny,
      pairs: { ...tiny.pairs, gates: ["comet", "dselect", "topk"] as const, steps: 4 },
      recovery: { ...tiny.recovery, arms: [] },
      digits: { ...tiny.digits, seeds: 0 },
    };
    const losses = async (): Promise<number[]> =>
      (await runPaper(withConfig(config), options())).result.trials.map(({ scalars }) => scalars.mse);
    const first = await losses();
    expect(await losses()).toEqual(first);
    await setBackend("reference");
    const oracle = await losses();
    await setBackend("wasm");
    first.forEach((loss, i) => {
      expect(loss / oracle[i]).toBeCloseTo(1, 4);
    });
  });

  test("a loss that is not finite stops it, and says at which step and in which tensor", async () => {
    const run = await runPaper(
      withConfig({ ...tiny, recovery: { ...tiny.recovery, arms: [] }, pairs: { ...tiny.pairs, lr: 1e30 } }),
      options(),
    );
    expect(run.status).toBe("failed");
    expect(run.error).toBeInstanceOf(NumericError);
    expect(String(run.error)).toMatch(
      /the loss became (NaN|Infinity) at step \d+; the first tensor that is not finite is "/,
    );
  });

  test("stops between steps when it is interrupted, and keeps what is finished", async () => {
    const { run, steps } = await interruptedIn(8, ({ signal, onProgress }) =>
      runPaper(withConfig(tiny), { ...options(signal), onProgress }),
    );
    expect(run.status).toBe("interrupted");
    expect(run.result.trials.map(({ status }) => status)).toEqual(["finished", "interrupted"]);
    expect(steps).toBe(8);
  });
});

test("trees are drawn from the shares of their heap", () => {
  expect(treeOf([1, 0.7, 0.3, 0.5, 0.2])).toEqual({
    label: "node 0",
    share: 1,
    children: [
      {
        label: "node 1",
        share: 0.7,
        children: [
          { label: "0", share: 0.5 },
          { label: "1", share: 0.2 },
        ],
      },
      { label: "2", share: 0.3 },
    ],
  });
});
