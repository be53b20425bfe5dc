// Task A: trains one arm on the licence text at one learning rate, and measures what the claims are about.

import { compile, NumericError, type Tensor } from "../../engine/index.ts";
import { cosineSchedule, withWarmup } from "../../nn/index.ts";
import type { Json, Trial } from "../paper.ts";
import type { LanguageConfig, LanguageRun } from "./config.ts";
import { type LicenceText, loadLicenceText, trainingWindows, validationWindows, type Windows } from "./licence-text.ts";
import { gateScore, type Measured, measuring, overLayers } from "./measure.ts";
import { TransformerLM, type TransformerLMOptions } from "./model.ts";
import { lossOf, Session } from "./session.ts";
import { matchParams, type VariantName, variantOf, withVariant } from "./variants.ts";

/** Positions that a kept attention map shows. */
export const mapSize = 32;
/** Steps at the start whose jumps are not counted, and what counts as one (the paper's training logs are judged so). */
const spikes = { from: 100, smoothing: 0.9, jump: 0.2 } as const;

const baseline: TransformerLMOptions = {
  vocabSize: 86,
  nLayers: 2,
  dModel: 48,
  nHeads: 4,
  nKvHeads: 2,
  headDim: 12,
  feedForward: 128,
};

/** The model of an arm: the baseline changed, its feed-forward narrowed by as many parameters as the gate has. */
export const languageModel = (arm: VariantName): TransformerLMOptions =>
  matchParams(withVariant(baseline, variantOf(arm)));

let loaded: Promise<LicenceText> | undefined;

/** Runs one trial; the README beside this file describes the task. */
export async function runLanguage(trial: Trial, { arm, lr }: LanguageRun, config: LanguageConfig): Promise<void> {
  loaded ??= loadLicenceText();
  const text = await loaded;
  const { batch, length, warmup, targets, extension } = config;
  const session = new Session(languageModel(arm), config, trial.seed);
  const schedule = withWarmup(cosineSchedule(lr, lr * config.finalShare, trial.steps - warmup), warmup);
  const validation = validationWindows(text.validation, targets, length);
  const measure = measuring(session.model, config.firstQuery);
  const jumps = new Jumps();

  for (let step = 1; step <= trial.steps; step++) {
    const windows = trainingWindows(text.training, { seed: trial.seed, step: step - 1, count: batch, length });
    const loss = session.train(windows.inputs, windows.targets, schedule(step - 1));
    if (!Number.isFinite(loss)) throw new NumericError(arm, `the loss became ${loss} at step ${step}, lr ${lr}`);
    jumps.add(step, loss);
    const report: Record<string, number> = {};
    if (step === 1 || step % config.logEvery === 0) report.loss = loss;
    if (step % config.evaluateEvery === 0 || step === trial.steps) {
      const found = measure(validation.inputs, validation.targets);
      Object.assign(report, scalarsOf(found));
      if (step === trial.steps) keepLayers(trial, found);
    }
    await trial.step(step, report);
  }
  trial.scalar("loss jumps", jumps.count);
  trial.keep("attention", attentionMaps(session.model, validation.inputs));
  if (!extension.arms.includes(arm)) return;
  for (const factor of extension.factors) {
    const { plain, yarn } = await extended(
      session.model,
      factor,
      length,
      validationWindows(text.validation, targets, length * factor),
    );
    trial.scalar(`loss at ${factor}x, plain`, plain);
    trial.scalar(`loss at ${factor}x, YaRN`, yarn);
  }
}

/** The numbers of a model that claims are about: means over its layers. */
function scalarsOf({ loss, layers }: Measured): Record<string, number> {
  const score = gateScore(layers);
  return {
    "validation loss": loss,
    "M-Act": overLayers(layers, ({ mAct }) => mAct),
    "F-Attn": overLayers(layers, ({ fAttn }) => fAttn),
    "F-Attn, later": overLayers(layers, ({ fAttnLater }) => fAttnLater),
    ...(score === undefined ? {} : { "gate score": score }),
  };
}

function keepLayers(trial: Trial, found: Measured): void {
  for (const [name, value] of Object.entries(scalarsOf(found))) trial.scalar(name, value);
  trial.keep("layers", found.layers as unknown as Json);
}

/** Counts losses that are far above the smoothed loss before them. */
class Jumps {
  count = 0;
  #smooth: number | undefined;

  add(step: number, loss: number): void {
    const before = this.#smooth ?? loss;
    if (step > spikes.from && loss - before > spikes.jump) this.count += 1;
    this.#smooth = spikes.smoothing * before + (1 - spikes.smoothing) * loss;
  }
}

/** Mean attention over the heads at the start of the first window, [layer][query][key]. */
function attentionMaps(model: TransformerLM, inputs: Tensor): Json {
  const { layers } = model.inspect(inputs.narrow(0, 0, 1).narrow(1, 0, mapSize));
  return layers.map(({ weights }) => rounded(weights.mean(1).squeeze(0)));
}

/** A matrix with three digits after the point, which is what a picture shows. */
export const rounded = (matrix: Tensor): number[][] =>
  (matrix.toArray() as number[][]).map((row) => row.map((value) => Math.round(1000 * value) / 1000));

/** The loss on windows longer than those in training, with positions as they are and stretched by YaRN; no training. */
async function extended(model: TransformerLM, factor: number, length: number, { inputs, targets }: Windows) {
  const yarn = new TransformerLM({ ...model.options, rope: { yarn: { factor, originalLength: length } } });
  await yarn.loadStateDict(await model.stateDict());
  const loss = (of: TransformerLM): number =>
    compile((x: Tensor, y: Tensor) => lossOf(of.forward(x), y))(inputs, targets).item();
  return { plain: loss(model), yarn: loss(yarn) };
}
