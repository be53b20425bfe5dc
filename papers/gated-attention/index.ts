// Gated Attention for LLMs (Qiu et al., NeurIPS 2025), reproduced at a small scale: real text, and a task with idle heads.

import type { ModelDescription, Paper, TrialPlan } from "../paper.ts";
import { backcopyModel, runBackcopy } from "./backcopy.ts";
import { sequenceLength } from "./backcopy-task.ts";
import { claims } from "./claims.ts";
import { backcopyTask, configs, type GatedAttentionPaperConfig, languageTask, seeds } from "./config.ts";
import { modelRows, publishedModels } from "./describe.ts";
import { figures } from "./figures.ts";
import { languageModel, runLanguage } from "./language.ts";

// The layer, the model and its variants, for those who build on them.
export * from "./attention.ts";
export * from "./diagnostics.ts";
export * from "./experts.ts";
export * from "./fused.ts";
export * from "./gate.ts";
export * from "./model.ts";
export * from "./published.ts";
export * from "./retrofit.ts";
export * from "./switch-head.ts";
export * from "./variants.ts";

function plan({ language, backcopy }: GatedAttentionPaperConfig, chosen: readonly number[]): TrialPlan[] {
  return chosen.flatMap((seed, i) => [
    ...backcopy.arms.map((arm) => ({ task: backcopyTask, arm, seed, steps: backcopy.steps })),
    ...language.runs
      .filter((run) => i < run.seeds)
      .map(({ arm, lr }) => ({ task: languageTask(lr), arm, seed, steps: language.steps })),
  ]);
}

/** The models that are trained here, then the paper's. */
function describeModels({ language, backcopy }: GatedAttentionPaperConfig): ModelDescription {
  const arms = [...new Set(language.runs.map(({ arm }) => arm))];
  return {
    models: [
      ...arms.map((arm) => ({
        name: `Task A, ${arm}`,
        note: "feed-forward narrowed by what the gate has; multiply-adds of one character",
        modules: modelRows(languageModel(arm), language.length),
      })),
      ...backcopy.arms.map((arm) => ({
        name: `Task B, ${arm}`,
        note: "multiply-adds of one token",
        modules: modelRows(backcopyModel(arm), sequenceLength),
      })),
      ...publishedModels(),
    ],
  };
}

export const gatedAttention: Paper<GatedAttentionPaperConfig> = {
  name: "gated-attention",
  title: "Gated Attention for Large Language Models: Non-linearity, Sparsity, and Attention-Sink-Free",
  citation: {
    authors:
      "Zihan Qiu, Zekun Wang, Bo Zheng, Zeyu Huang, Kaiyue Wen, Songlin Yang, Rui Men, Le Yu, Fei Huang, Suozhi Huang, " +
      "Dayiheng Liu, Jingren Zhou, Junyang Lin",
    venue: "NeurIPS",
    year: 2025,
    url: "https://arxiv.org/abs/2505.06708",
  },
  summary:
    "The output of every attention head is multiplied by a sigmoid gate computed from the layer's normalised input, before " +
    "the output projection. At large scale this lowers perplexity, removes the attention sink and massive activations, and " +
    "lets learning rates go higher. Here: small character models of real text with learning rates swept for both arms and " +
    "parameters matched, and a task on which a head is idle most of the time.",
  data: [
    {
      name: "Licence text",
      detail:
        "real: eleven licences of Debian 12's base-files, 190,008 characters; 82 blocks of 2,048 for training, 10 for validation",
      substituteFor: "the paper's 400 billion to 3.5 trillion tokens",
    },
    {
      name: "Bigram-backcopy",
      detail:
        "generated (after Guo et al. 2024): tokens follow a sparse bigram table, but after a trigger comes the token before it",
      substituteFor: "attention sinks of trained language models",
    },
  ],
  configs,
  seeds,
  claims,
  plan,
  async run(trial, { config }) {
    if (trial.task === backcopyTask) return runBackcopy(trial, config.backcopy);
    const run = config.language.runs.find(({ arm, lr }) => arm === trial.arm && languageTask(lr) === trial.task);
    if (run === undefined) throw new Error(`the configuration has no trial "${trial.arm}" of "${trial.task}"`);
    return runLanguage(trial, run, config.language);
  },
  figures,
  describe: describeModels,
};

export default gatedAttention;
