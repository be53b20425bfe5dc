// The SIGMA reproduction as a whole: its plan, a small run of every task, its figures, and that a seed repeats.

import { beforeAll, describe, expect, test } from "vitest";
import { setBackend, tensor } from "../../../engine/index.ts";
import { countOf } from "../../../nn/index.ts";
import type { Paper, PaperResult, TrialRecord } from "../../../papers/paper.ts";
import { runPaper } from "../../../papers/runner.ts";
import { arms, isModel, type ModelName, makeModel } from "../../../papers/sigma/arms.ts";
import { configs, type SigmaPaperConfig, taskNames } from "../../../papers/sigma/config.ts";
import { sigma } from "../../../papers/sigma/index.ts";
import { flippedReadOut, inspect } from "../../../papers/sigma/inspect.ts";
import { Sigma } from "../../../papers/sigma/model/index.ts";
import { lateDecay } from "../../../papers/sigma/training.ts";
import { values } from "../../nn/tools.ts";

beforeAll(() => setBackend("wasm"));

describe("the plan", () => {
  test("has whole seeds, and as many of each arm as the configuration says", () => {
    for (const mode of ["quick", "default", "full"] as const) {
      const plan = sigma.plan(configs[mode], sigma.seeds[mode]);
      expect(plan.map(({ seed }) => seed)).toEqual([...plan.map(({ seed }) => seed)].sort());
      for (const [arm, count] of Object.entries(configs[mode].sessions.arms))
        expect(plan.filter((one) => one.task === taskNames.sessions && one.arm === arm)).toHaveLength(count);
    }
  });

  test("counted arms stand beside the models wherever models are compared", () => {
    for (const mode of ["quick", "default", "full"] as const) {
      const { sessions, logs } = configs[mode];
      for (const { arms: of } of [sessions, ...Object.values(logs)]) {
        const names = Object.keys(of);
        if (names.length > 0) expect(names).toEqual(expect.arrayContaining(["Popularity", "Markov"]));
      }
    }
  });

  test("the claims of a mode that judges have as many seeds as they need", () => {
    for (const mode of ["default", "full"] as const) {
      const { earlyKey } = configs[mode];
      expect([earlyKey.arms["flip only, r = 3"], earlyKey.arms["no flip"], earlyKey.arms.Mamba4Rec]).toEqual([3, 3, 3]);
      expect(configs[mode].time.forward.slice(-3)).toEqual([256, 512, 1024]);
    }
  });
});

describe("arms", () => {
  const sizes = { size: 32, states: 8, maxLength: 16, dropout: 0.2, kept: 3 };

  test("have the published numbers of parameters at the reference size", () => {
    const count = (name: ModelName): number =>
      makeModel(name, 201, sizes, 0)
        .parameters()
        .reduce((sum, p) => sum + p.size, 0);
    expect(count("SIGMA")).toBe(33_507 + 32 * 201);
    expect(count("Mamba4Rec")).toBe(16_928 + 32 * 201);
    // The flip has no parameters; the GRU's path has its convolution, its weights and a share of the mix.
    expect(count("without flip")).toBe(count("SIGMA"));
    expect(count("SIGMA") - count("without GRU")).toBe(
      countOf({ conv: [32, 32, 3], bias: [32], gru: [6, 32, 32], mix: [1] }),
    );
  });

  test("start alike for a seed: variants share all weights that they have in common", () => {
    const of = (name: ModelName, seed: number): Map<string, number[]> =>
      new Map([...makeModel(name, 51, sizes, seed).namedParameters()].map(([key, p]) => [key, values(p)]));
    const full = of("SIGMA", 1);
    for (const name of ["without flip", "without gate", "r = 8"] as const) {
      for (const [key, weights] of of(name, 1)) expect(full.get(key), `${name}: ${key}`).toEqual(weights);
    }
    expect(of("SIGMA", 2)).not.toEqual(full);
  });

  test("all score a batch", () => {
    const ids = tensor(
      [
        [1, 2, 3, 0],
        [4, 5, 0, 0],
      ],
      { dtype: "i32" },
    );
    const lengths = tensor([3, 2], { dtype: "i32" });
    // Arms that differ in r alone are one model.
    for (const name of (Object.keys(arms) as ModelName[]).filter((arm) => !/r = [0158]/.test(arm))) {
      expect(isModel(name)).toBe(true);
      const model = makeModel(name, 8, { ...sizes, size: 8, maxLength: 4 }, 1);
      model.eval();
      const scores = values(model.forward(ids, lengths));
      expect(scores.filter(Number.isFinite), name).toHaveLength(14);
    }
    expect(isModel("Markov")).toBe(false);
  });
});

describe("the insides", () => {
  const model = new Sigma({ items: 20, maxLength: 8, size: 8, states: 4, kept: 2 }).initialize(4);
  const ids = tensor(
    [
      [1, 2, 3, 4, 5, 0, 0, 0],
      [6, 7, 8, 9, 10, 11, 12, 0],
    ],
    { dtype: "i32" },
  );
  const lengths = tensor([5, 7], { dtype: "i32" });

  test("gates are above their bound, and one for each channel of each direction", async () => {
    const found = await inspect(model, ids, lengths);
    expect(found?.sizes).toHaveLength(3);
    for (const direction of ["forwards", "flipped"] as const) {
      expect(found?.gate?.[direction]).toHaveLength(8);
      expect(Math.min(...(found?.gate?.[direction] ?? []))).toBeGreaterThan(0.879);
    }
  });

  test("are told for every gate", async () => {
    for (const [gate, count] of [
      ["scalar", 1],
      ["release", 8],
      ["off", undefined],
    ] as const) {
      const other = new Sigma({ items: 20, maxLength: 8, size: 8, states: 4, gate, featureExtract: "off" }).initialize(
        1,
      );
      const found = await inspect(other, ids, lengths);
      expect(found?.gate?.flipped.length).toBe(count);
      expect(found?.sizes).toHaveLength(2);
    }
  });

  test("the flipped read-out is that of the reversed early part", () => {
    const mirrored = tensor(
      [
        [3, 2, 1, 4, 5, 0, 0, 0],
        [10, 9, 8, 7, 6, 11, 12, 0],
      ],
      { dtype: "i32" },
    );
    const plain = new Sigma({ items: 20, maxLength: 8, size: 8, states: 4, flipMode: "off" }).initialize(4);
    expect(values(flippedReadOut(model, ids, lengths))).toEqual(values(flippedReadOut(plain, mirrored, lengths)));
  });
});

test("the learning rate falls in the last quarter", () => {
  const rate = lateDecay(3e-3, 1e-3, 400);
  expect([0, 200, 300].map(rate)).toEqual([3e-3, 3e-3, 3e-3]);
  expect(rate(350)).toBeCloseTo(2e-3, 12);
  expect(rate(400)).toBeCloseTo(1e-3, 12);
});

const small = { size: 8, states: 2 } as const;

/** A configuration that runs in seconds. */
const tiny: SigmaPaperConfig = {
  earlyKey: {
    ...configs.full.earlyKey,
    ...small,
    arms: { "flip only, r = 3": 1 },
    train: 64,
    test: 20,
    steps: 4,
    batch: 16,
    testEvery: 2,
  },
  sessions: {
    ...configs.full.sessions,
    ...small,
    arms: { SIGMA: 1, Mamba4Rec: 1, Popularity: 1, Oracle: 1 },
    users: 120,
    steps: 6,
    batch: 16,
    validateEvery: 3,
  },
  logs: {
    movielens: {
      ...configs.full.logs.movielens,
      ...small,
      maxLength: 6,
      arms: { SIGMA: 1, Markov: 1 },
      steps: 2,
      batch: 8,
      validateEvery: 2,
    },
  },
  fixedCut: { ...configs.full.fixedCut, ...small, users: 4 },
  time: {
    ...configs.full.time,
    ...small,
    models: ["SIGMA", "SASRec"],
    forward: [4, 8],
    training: [4, 8],
    batch: 2,
    repeats: 2,
    warmUp: 1,
  },
};

const withConfig = (config: SigmaPaperConfig): Paper =>
  ({ ...sigma, configs: { quick: config, default: config, full: config } }) as Paper;

const options = {
  mode: "quick" as const,
  backend: "wasm" as const,
  seedCount: 1,
  signal: new AbortController().signal,
  onProgress: () => {},
  log: () => {},
};

describe("a run", () => {
  test("of every task records what claims and figures need", { timeout: 60_000 }, async () => {
    const run = await runPaper(withConfig(tiny), options);
    expect(run.error).toBeUndefined();
    expect(run.status).toBe("completed");
    const of = (task: string, arm: string): TrialRecord =>
      run.result.trials.find((one) => one.task === task && one.arm === arm) as TrialRecord;
    const session = of(taskNames.sessions, "SIGMA");
    expect(session.series["validation NDCG@10"].steps).toEqual([3, 6]);
    expect(session.series.forwards.values[1]).not.toBe(0.8);
    expect(Object.values(session.data.ranks as Record<string, number[]>).flat()).toHaveLength(120);
    expect(session.scalars["HR@20"]).toBeGreaterThanOrEqual(session.scalars["HR@10"]);
    const oracle = of(taskNames.sessions, "Oracle").scalars["NDCG@10"];
    expect(oracle).toBeGreaterThan(of(taskNames.sessions, "Popularity").scalars["NDCG@10"]);
    expect(Object.keys(of(taskNames.movielens, "SIGMA").data.ranks as object)).toEqual([
      "last 5",
      "last 10",
      "last 20",
      "all",
    ]);
    // Task D is the paper's own size, so its claim is tested here for real.
    expect(run.claims.find(({ id }) => id === "C3")?.holds).toBe(true);
    const drawn = sigma
      .figures(run.result as PaperResult<SigmaPaperConfig>)
      .map(({ kind, title }) => `${kind}: ${title}`);
    for (const title of [
      "lines: The flip finds the early item (C1)",
      "lines: What the flipped path knows of the user (C3)",
      "bars: Quality by length of the history (C6)",
      "lines: Mixing weights over training",
      "heatmap: Gate weights by channel",
      "bars: Real log: MovieLens with short memories",
      "table: Real log: MovieLens with short memories: examples",
      "lines: A step of training against length (C10)",
      "table: Generated sessions: results",
    ])
      expect(drawn).toContain(title);
    // What did not run is not drawn.
    expect(drawn).not.toContain("bars: Sweep of r (C8)");
  });

  test("is the same again, bit for bit", { timeout: 60_000 }, async () => {
    const config: SigmaPaperConfig = {
      ...tiny,
      earlyKey: { ...tiny.earlyKey, arms: {} },
      logs: {},
      sessions: { ...tiny.sessions, arms: { SIGMA: 1, Mamba4Rec: 1 } },
      fixedCut: { ...tiny.fixedCut, users: 2 },
      time: { ...tiny.time, models: [] },
    };
    const numbers = async () =>
      (await runPaper(withConfig(config), options)).result.trials.map(({ scalars, series, data }) => ({
        scalars,
        series,
        data,
      }));
    expect(await numbers()).toEqual(await numbers());
  });
});
