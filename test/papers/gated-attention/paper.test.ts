// The gated-attention reproduction: the plan, paired arms, runs that repeat and resume bit for bit, and a small run of everything.

import { beforeAll, describe, expect, test } from "vitest";
import { setBackend } from "../../../engine/index.ts";
import { encodeCheckpoint, restoreCheckpoint } from "../../../nn/index.ts";
import { backcopyModel } from "../../../papers/gated-attention/backcopy.ts";
import {
  backcopyTask,
  configs,
  type GatedAttentionPaperConfig,
  highRate,
  languageTask,
  learningRates,
  middleRate,
} from "../../../papers/gated-attention/config.ts";
import { parameterCount } from "../../../papers/gated-attention/describe.ts";
import { gatedAttention } from "../../../papers/gated-attention/index.ts";
import { languageModel } from "../../../papers/gated-attention/language.ts";
import { loadLicenceText, trainingWindows } from "../../../papers/gated-attention/licence-text.ts";
import { TransformerLM } from "../../../papers/gated-attention/model.ts";
import { Session } from "../../../papers/gated-attention/session.ts";
import type { VariantName } from "../../../papers/gated-attention/variants.ts";
import type { Paper, PaperResult, TrialRecord } from "../../../papers/paper.ts";
import { runPaper } from "../../../papers/runner.ts";
import { values } from "../../nn/tools.ts";
import { interruptedIn } from "../host.ts";

beforeAll(() => setBackend("wasm"));

describe("the arms", () => {
  test("have the published parameter counts, and as many as the baseline where that can be", () => {
    const counts = (["baseline", "g1-elementwise", "g2-elementwise", "g5-elementwise", "g1-headwise"] as const).map(
      (arm) => parameterCount(languageModel(arm)),
    );
    expect(counts).toEqual([55_104, 55_104, 55_104, 55_104, 55_200]);
    expect(languageModel("g1-elementwise").feedForward).toBe(112);
    expect(languageModel("g1-headwise").feedForward).toBe(127);
    expect(backcopyModel("g1-headwise").feedForward).toBe(85);
  });

  test("begin with the same values wherever they have the same parameters", () => {
    const start = (arm: VariantName, seed: number) =>
      new Map(new TransformerLM({ ...backcopyModel(arm), seed }).namedParameters().map(([n, p]) => [n, values(p)]));
    const [baseline, gated] = [start("baseline", 3), start("g1-elementwise", 3)];
    for (const [name, list] of baseline) expect(gated.get(name), name).toEqual(list);
    expect([...gated.keys()].filter((name) => !baseline.has(name))).toEqual(["layers.0.selfAttn.gate.proj.weight"]);
    expect(start("baseline", 4)).not.toEqual(baseline);
  });
});

describe("the plan", () => {
  test("has both arms of the sweep at every learning rate with the same seeds, and whole seeds first", () => {
    for (const mode of ["default", "full"] as const) {
      const plan = gatedAttention.plan(configs[mode], gatedAttention.seeds[mode]);
      expect(plan.map(({ seed }) => seed)).toEqual(plan.map(({ seed }) => seed).sort());
      const seedsOf = (task: string, arm: string): number[] =>
        plan.filter((trial) => trial.task === task && trial.arm === arm).map(({ seed }) => seed);
      for (const lr of learningRates) {
        const seeds = seedsOf(languageTask(lr), "baseline");
        expect(seeds.length).toBeGreaterThanOrEqual(2);
        expect(seedsOf(languageTask(lr), "g1-elementwise")).toEqual(seeds);
      }
      expect(seedsOf(languageTask(middleRate), "ns-sigmoid").length).toBeGreaterThanOrEqual(2);
      expect(seedsOf(languageTask(highRate), "sandwich").length).toBeGreaterThanOrEqual(2);
      for (const arm of ["baseline", "g1-elementwise", "g1-headwise"])
        expect(seedsOf(backcopyTask, arm)).toHaveLength(3);
      const names = plan.map((trial) => `${trial.task} ${trial.arm} ${trial.seed}`);
      expect(new Set(names).size).toBe(names.length);
    }
  });
});

const { language } = configs.full;

/** A config that runs in seconds. */
const tiny: GatedAttentionPaperConfig = {
  language: {
    ...language,
    runs: [
      ...(["baseline", "g1-elementwise", "ns-sigmoid"] as const).map((arm) => ({ arm, lr: middleRate, seeds: 1 })),
      ...(["baseline", "g1-elementwise"] as const).map((arm) => ({ arm, lr: highRate, seeds: 1 })),
    ],
    steps: 6,
    batch: 2,
    warmup: 2,
    targets: 512,
    logEvery: 2,
    evaluateEvery: 4,
    extension: { ...language.extension, arms: ["g1-elementwise"] },
  },
  backcopy: {
    ...configs.full.backcopy,
    arms: ["baseline", "g1-headwise"],
    steps: 6,
    batch: 4,
    warmup: 2,
    evaluation: 16,
    logEvery: 2,
  },
};

const withConfig = (config: GatedAttentionPaperConfig): Paper =>
  ({ ...gatedAttention, configs: { quick: config, default: config, full: config } }) as Paper;

const options = (signal = new AbortController().signal) => ({
  mode: "quick" as const,
  backend: "wasm" as const,
  seedCount: 1,
  signal,
  onProgress: () => {},
  log: () => {},
});

/** What a trial measured: all but how long it took. */
const measured = ({ series, scalars, data }: TrialRecord): object => ({ series, scalars, data });

describe("a run", () => {
  test("trains every arm on both tasks, draws what it recorded, and is the same bit for bit again", async () => {
    const run = await runPaper(withConfig(tiny), options());
    expect(run.error).toBeUndefined();
    expect(run.status).toBe("completed");
    const of = (task: string, arm: string): TrialRecord =>
      run.result.trials.find((trial) => trial.arm === arm && trial.task === task) as TrialRecord;
    const gated = of(languageTask(middleRate), "g1-elementwise");
    expect(gated.series.loss.steps).toEqual([1, 2, 4, 6]);
    expect(gated.series["validation loss"].steps).toEqual([4, 6]);
    expect(gated.series["validation loss"].values[1]).toBe(gated.scalars["validation loss"]);
    expect(gated.scalars["gate score"]).toBeCloseTo(0.5, 1);
    expect(of(languageTask(middleRate), "baseline").scalars["gate score"]).toBeUndefined();
    expect(of(languageTask(middleRate), "ns-sigmoid").scalars["gate score"]).toBeCloseTo(0.75, 1);
    for (const name of ["loss at 2x, plain", "loss at 2x, YaRN", "loss at 4x, plain", "loss at 4x, YaRN"])
      expect(gated.scalars[name]).toBeGreaterThan(0);
    expect(gated.scalars["loss at 4x, YaRN"]).not.toBe(gated.scalars["loss at 4x, plain"]);
    const copying = of(backcopyTask, "g1-headwise");
    expect(copying.scalars["gate, triggers"]).toBeCloseTo(0.5, 1);
    // What gets through is what there is, times the gate.
    expect(copying.scalars["gate-weighted F-Attn"] / copying.scalars["F-Attn, others"]).toBeCloseTo(
      copying.scalars["gate, others"],
      2,
    );
    const ungated = of(backcopyTask, "baseline").scalars;
    expect(ungated["gate-weighted F-Attn"]).toBe(ungated["F-Attn, others"]);

    const figures = gatedAttention.figures(run.result as PaperResult<GatedAttentionPaperConfig>);
    const titles = figures.map(({ kind, title }) => `${kind}: ${title}`);
    for (const expected of [
      "lines: Validation loss and learning rate (C1, C2)",
      "bars: Validation loss by position",
      "bars: Massive activations by position (C3)",
      "lines: Training loss at a high learning rate (C2, C6)",
      "bars: Attention on the first token, by layer",
      "heatmap: Attention maps",
      "lines: Gate scores (C4)",
      "table: Gate scores by layer",
      "bars: Size of the attention output before and after the gate",
      "bars: Sparsity of the attention output",
      "bars: Backcopy: when the gate opens (C7)",
      "table: Task A: results",
      "table: Task B: results",
    ])
      expect(titles).toContain(expected);

    // Alone, without the trials that came before it.
    const alone = {
      language: { ...tiny.language, runs: [{ arm: "g1-elementwise" as const, lr: middleRate, seeds: 1 }] },
      backcopy: { ...tiny.backcopy, arms: ["g1-headwise"] as const },
    };
    const again = await runPaper(withConfig(alone), options());
    expect(again.result.trials.map(measured)).toEqual([copying, gated].map(measured));
  });

  test("is nearly the same on the reference backend", async () => {
    const { language: text, backcopy } = tiny;
    const config = {
      language: {
        ...text,
        runs: text.runs.slice(1, 2),
        steps: 3,
        length: 32,
        targets: 64,
        extension: { arms: [], factors: [] },
      },
      backcopy: { ...backcopy, arms: ["g1-headwise"] as const, steps: 3, batch: 2, evaluation: 2 },
    };
    const losses = async (): Promise<number[]> =>
      (await runPaper(withConfig(config), options())).result.trials.map(({ scalars }) => scalars["validation loss"]);
    const first = await losses();
    await setBackend("reference");
    const oracle = await losses();
    await setBackend("wasm");
    expect(first).toHaveLength(2);
    first.forEach((loss, i) => {
      expect(loss / oracle[i]).toBeCloseTo(1, 5);
    });
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

test("a session goes on from a checkpoint with the same losses, bit for bit", async () => {
  const text = await loadLicenceText();
  const losses = (session: Session, from: number, to: number): number[] =>
    Array.from({ length: to - from }, (_, i) => {
      const step = from + i;
      const { inputs, targets } = trainingWindows(text.training, { seed: 5, step, count: 2, length: 32 });
      return session.train(inputs, targets, 1e-2 / (1 + step));
    });
  const make = (seed: number): Session => new Session(languageModel("g1-headwise"), language, seed);
  const whole = losses(make(5), 0, 8);
  const first = make(5);
  expect(losses(first, 0, 5)).toEqual(whole.slice(0, 5));
  const { model, optimizer } = first;
  const bytes = await encodeCheckpoint({ model, optimizer }, { step: 5 });
  const second = make(6); // other first values: the checkpoint replaces them
  const { step } = await restoreCheckpoint(bytes, { model: second.model, optimizer: second.optimizer });
  expect(losses(second, step, 8)).toEqual(whole.slice(5));
});

test("describe counts the models that are trained and the paper's", () => {
  const models = gatedAttention.describe(configs.full).models;
  const total = (name: string): number | undefined =>
    models.find((model) => model.name === name)?.modules.reduce((sum, { parameters }) => sum + parameters, 0);
  expect(total("Task A, g1-elementwise")).toBe(55_104);
  expect(total("Task B, baseline")).toBe(parameterCount(backcopyModel("baseline")));
  expect(total("1.7B-28L, baseline")).toBe(1_720_574_976);
  expect(total("15A2B MoE, baseline")).toBe(15_577_227_264);
});
