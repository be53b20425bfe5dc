// The claims and their acceptance rules, fixed before the runs that they judge.

import type { Claim, Evidence } from "../paper.ts";
import { mean } from "../statistics.ts";
import {
  type BySeed,
  backcopy,
  bestRate,
  clearlyAbove,
  fixed,
  language,
  meanOf,
  minus,
  pairs,
  type Result,
  withError,
} from "./compare.ts";
import { type GatedAttentionPaperConfig, highRate, middleRate } from "./config.ts";
import { reported } from "./reported.ts";
import type { VariantName } from "./variants.ts";

type Judged = Evidence & { readonly holds: boolean };

function betterThanBaseline(result: Result): Judged | undefined {
  const [baseline, gated] = [bestRate(result, "baseline"), bestRate(result, "g1-elementwise")];
  if (baseline === undefined || gated === undefined) return undefined;
  const differences = pairs(baseline.losses, gated.losses, minus);
  if (differences.length === 0) return undefined;
  return {
    measured:
      `baseline ${fixed(meanOf(baseline.losses))} (lr ${baseline.lr}), gate ${fixed(meanOf(gated.losses))} ` +
      `(lr ${gated.lr}): difference ${withError(differences)}`,
    numbers: { baseline: meanOf(baseline.losses), gated: meanOf(gated.losses), difference: mean(differences) },
    holds: clearlyAbove(differences) && mean(differences) >= 0.03,
  };
}

function largeRates(result: Result): Judged | undefined {
  const high = (arm: VariantName): BySeed => language(result, arm, highRate, "validation loss");
  const differences = pairs(high("baseline"), high("g1-elementwise"), minus);
  const [baseline, gated] = [bestRate(result, "baseline"), bestRate(result, "g1-elementwise")];
  if (differences.length === 0 || baseline === undefined || gated === undefined) return undefined;
  return {
    measured: `difference ${withError(differences)} at lr ${highRate}; best lr ${gated.lr} with the gate, ${baseline.lr} without`,
    numbers: { difference: mean(differences), bestGated: gated.lr, bestBaseline: baseline.lr },
    holds: mean(differences) > 0.05 && gated.lr >= baseline.lr,
  };
}

function massiveActivations(result: Result): Judged | undefined {
  const ratios = [middleRate, highRate].map((lr) =>
    pairs(
      language(result, "g1-elementwise", lr, "M-Act"),
      language(result, "baseline", lr, "M-Act"),
      (gated, baseline) => gated / baseline,
    ),
  );
  if (ratios.some((list) => list.length === 0)) return undefined;
  const [middle, high] = ratios.map(mean);
  return {
    measured: `ratio ${fixed(middle)} at lr ${middleRate}, ${fixed(high)} at lr ${highRate} (by seed: ${ratios
      .map((list) => list.map((ratio) => fixed(ratio, 2)).join(" "))
      .join("; ")}); both together ${fixed(mean(ratios.flat()), 2)}`,
    numbers: { middle, high, together: mean(ratios.flat()) },
    holds: middle <= 0.8 && high <= 0.8,
  };
}

function sparseScores(result: Result): Judged | undefined {
  const scores = [...language(result, "g1-elementwise", middleRate, "gate score").values()];
  if (scores.length === 0) return undefined;
  return {
    measured: `mean score ${withError(scores)}`,
    numbers: { score: mean(scores) },
    holds: mean(scores) < 0.45 && clearlyAbove(scores.map((score) => 0.5 - score)),
  };
}

function sparsityMatters(result: Result): Judged | undefined {
  const of = (arm: VariantName): BySeed => language(result, arm, middleRate, "validation loss");
  const differences = pairs(of("ns-sigmoid"), of("g1-elementwise"), minus);
  if (differences.length === 0) return undefined;
  return {
    measured: `NS-sigmoid - sigmoid: ${withError(differences)} over ${differences.length} seeds`,
    numbers: { difference: mean(differences), seeds: differences.length },
    holds: differences.length >= 2 && clearlyAbove(differences),
  };
}

function sandwich(result: Result): Judged | undefined {
  const of = (arm: VariantName): number => meanOf(language(result, arm, highRate, "validation loss"));
  const [baseline, gated, sandwiched] = [of("baseline"), of("g1-elementwise"), of("sandwich")];
  if (![baseline, gated, sandwiched].every(Number.isFinite)) return undefined;
  return {
    measured: `baseline ${fixed(baseline)}, sandwich ${fixed(sandwiched)}, gate ${fixed(gated)}`,
    numbers: { baseline, sandwich: sandwiched, gated },
    holds: sandwiched < baseline && gated <= sandwiched + 0.03,
  };
}

function queryDependent(result: Result): Judged | undefined {
  const gaps = (arm: VariantName): number[] =>
    pairs(backcopy(result, arm, "gate, triggers"), backcopy(result, arm, "gate, others"), minus);
  const [headwise, elementwise] = [gaps("g1-headwise"), gaps("g1-elementwise")];
  if (headwise.length === 0 || elementwise.length === 0) return undefined;
  const list = (values: readonly number[]): string => values.map((value) => fixed(value, 2)).join(" ");
  return {
    measured: `by seed: headwise ${list(headwise)}; elementwise ${list(elementwise)}`,
    numbers: { headwise: Math.min(...headwise), elementwise: Math.min(...elementwise) },
    holds: headwise.every((gap) => gap >= 0.6) && elementwise.every((gap) => gap >= 0.35),
  };
}

function noDrain(result: Result): Judged | undefined {
  const of = (name: string): [gated: BySeed, baseline: BySeed] => [
    backcopy(result, "g1-headwise", name),
    backcopy(result, "baseline", name),
  ];
  const differences = pairs(...of("value drain"), minus);
  const [gatedSink, sink] = of("gate-weighted F-Attn").map(meanOf);
  if (differences.length === 0) return undefined;
  const [gated, baseline] = of("value drain").map(meanOf);
  return {
    measured:
      `value drain ${fixed(gated, 2)} against ${fixed(baseline, 2)}: difference ${withError(differences, 2)} over ` +
      `${differences.length} seeds; gate-weighted F-Attn ${fixed(gatedSink)} against ${fixed(sink)}`,
    numbers: { drain: gated, baselineDrain: baseline, sink: gatedSink, baselineSink: sink },
    holds: differences.length >= 3 && clearlyAbove(differences) && gatedSink <= 0.5 * sink,
  };
}

const judged: readonly Claim<GatedAttentionPaperConfig>[] = [
  {
    id: "C1",
    paperSays: "A gate after attention (G1) is better than a baseline with as many parameters",
    statement: "Validation loss of the baseline minus that of g1-elementwise, each at its best learning rate, by seed",
    rule: "mean above 1 standard error and at least 0.03 nats",
    kind: "gated",
    evaluate: betterThanBaseline,
  },
  {
    id: "C2",
    paperSays: "The gate tolerates larger learning rates and profits from them",
    statement: `Validation loss of the baseline minus that of g1-elementwise at lr ${highRate}; best learning rate of each`,
    rule: "mean difference above 0.05 nats, and the gate's best learning rate not below the baseline's",
    kind: "gated",
    evaluate: largeRates,
  },
  {
    id: "C3",
    paperSays: "Massive activations shrink",
    statement: `M-Act of g1-elementwise divided by that of the baseline, by seed, at lr ${middleRate} and ${highRate}`,
    rule: "mean over the seeds at most 0.8 at both",
    kind: "gated",
    evaluate: massiveActivations,
  },
  {
    id: "C4",
    paperSays: "Gate scores become sparse without any loss that asks for it",
    statement: `Mean score of g1-elementwise over layers, heads, tokens and channels, lr ${middleRate}`,
    rule: "mean over the seeds below 0.45, and below the initial 0.5 by more than 1 standard error",
    kind: "gated",
    evaluate: sparseScores,
  },
  {
    id: "C5",
    paperSays: "Sparsity matters: a gate that cannot close (NS-sigmoid) loses part of the gain",
    statement: `Validation loss of G1 with NS-sigmoid minus that with sigmoid, by seed, lr ${middleRate}`,
    rule: "mean above 1 standard error, over at least 2 seeds",
    kind: "gated",
    evaluate: sparsityMatters,
  },
  {
    id: "C6",
    paperSays: "Sandwich norm also rescues high learning rates; the gate is at least as good",
    statement: `Mean validation losses of baseline, sandwich norm and g1-elementwise, lr ${highRate}`,
    rule: "sandwich below baseline, and gate at most 0.03 above sandwich",
    kind: "gated",
    evaluate: sandwich,
  },
  {
    id: "C7",
    paperSays: "The gate depends on the query and closes where the head has nothing to say",
    statement: "Mean score at triggers minus that at other queries, backcopy, queries from 8 on",
    rule: "headwise at least 0.6 and elementwise at least 0.35, in every seed",
    kind: "gated",
    evaluate: queryDependent,
  },
  {
    id: "C8",
    paperSays: "With a gate no drained first token is needed",
    statement:
      "Backcopy, headwise against baseline: value drain |V_0| / mean |V_j|, and gate-weighted F-Attn at queries that are " +
      "no triggers, from 8 on (the baseline's gate is 1)",
    rule: "value drain above the baseline's by more than 1 standard error over at least 3 seeds, and gate-weighted F-Attn at most half of it on average",
    kind: "gated",
    evaluate: noDrain,
  },
];

export const claims: readonly Claim<GatedAttentionPaperConfig>[] = [...judged, ...reported];
