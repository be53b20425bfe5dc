// The figures: what the gates do over the steps, which experts they use, what the trees and permutations look like.

import { leafOrder } from "../../moe/index.ts";
import { curves } from "../curves.ts";
import type { Bar, Figure, HeatmapFigure, TreeNode } from "../figures.ts";
import type { PaperResult } from "../paper.ts";
import { finished, mean, scalars, standardError } from "../statistics.ts";
import { meanAndError } from "./claims.ts";
import { type CometPaperConfig, type GateName, recoveryArm, taskNames } from "./config.ts";
import { triedSettings } from "./tried.ts";

type Result = PaperResult<CometPaperConfig>;
const { pairs: A, recovery: B, digits: C } = taskNames;

export function figures(result: Result): Figure[] {
  return [
    ...pairsLines(result),
    ...resultBars(result),
    ...usageBars(result),
    ...trees(result),
    ...permutations(result),
    ...digitsFigures(result),
    ...tables(result),
  ];
}

function pairsLines(result: Result): Figure[] {
  const { gates, k, nExperts } = result.config.pairs;
  const lines = (metric: string, of: readonly GateName[] = gates) => curves(result, A, of, metric);
  const trees = gates.filter((gate) => gate.startsWith("comet") || gate === "dselect");
  const figures: Figure[] = [
    {
      kind: "lines",
      title: "Experts in use over training",
      caption: "Mean number of experts with a weight of at least 1e-5 per sample, task A, on training batches.",
      x: "step",
      y: "experts per sample",
      lines: lines("support"),
      marks: [{ label: `k = ${k}`, y: k }],
    },
    {
      kind: "lines",
      title: "Validation loss",
      caption: `Mean squared error on ${result.config.pairs.validation} samples, task A. Thin lines are seeds.`,
      x: "step",
      y: "MSE",
      yScale: "log",
      lines: lines("validation mse"),
    },
    {
      kind: "lines",
      title: "Training loss",
      caption: "Loss of each batch with its regularisers, task A.",
      x: "step",
      y: "loss",
      yScale: "log",
      lines: lines("loss"),
    },
    {
      kind: "lines",
      title: "Expert evaluations over training (C7)",
      caption: "Expert evaluations per validation sample when experts with weight 0 are skipped, task A.",
      x: "step",
      y: "evaluations per sample",
      lines: lines("expert evaluations"),
      marks: [
        { label: `1.3 k = ${1.3 * k}`, y: 1.3 * k },
        { label: `dense: ${nExperts}`, y: nExperts },
      ],
    },
    {
      kind: "lines",
      title: "Leaf probabilities that are exactly zero",
      caption: "Share of all leaves of all trees (selectors) with probability 0: subtrees that need not be computed.",
      x: "step",
      y: "share",
      lines: lines("zero leaves", trees),
    },
    {
      kind: "lines",
      title: "Entropy term",
      caption: "lambda Omega of the batch: 0 when every tree has decided.",
      x: "step",
      y: "lambda Omega",
      lines: lines(
        "regularizer",
        trees.filter((gate) => !gate.endsWith("+")),
      ),
    },
  ];
  return figures.filter((figure) => figure.kind !== "lines" || figure.lines.length > 0);
}

const errorOf = (values: readonly number[]): { error?: number } =>
  values.length < 2 ? {} : { error: standardError(values) };

function resultBars(result: Result): Figure[] {
  const bars = result.config.pairs.gates.flatMap((gate): Bar[] => {
    const values = scalars(result, A, gate, "mse");
    return values.length === 0 ? [] : [{ label: gate, value: mean(values), ...errorOf(values) }];
  });
  if (bars.length === 0) return [];
  const caption = "Mean squared error at the end, task A: mean over the seeds; whiskers are one standard error.";
  return [{ kind: "bars", title: "Final validation loss", caption, x: "gate", y: "MSE", bars }];
}

/** Usage of each expert by some gates, in the first finished seed: in the mean over seeds experts have no identity. */
function usageBars(result: Result): Figure[] {
  const { gates, nExperts } = result.config.pairs;
  const bars = gates
    .filter((gate) => !gate.endsWith("+"))
    .flatMap((gate): Bar[] => {
      const usage = finished(result, A, gate)[0]?.data.usage as readonly number[] | undefined;
      return (usage ?? []).map((value, i) => ({ label: String(i), series: gate, value }));
    });
  if (bars.length === 0) return [];
  const caption = "Mean weight of each expert over the validation samples, task A, first seed.";
  const marks = [{ label: "balanced", y: 1 / nExperts }];
  return [{ kind: "bars", title: "Expert usage", caption, x: "expert", y: "mean weight", bars, marks }];
}

function trees(result: Result): Figure[] {
  const found = finished(result, A, "comet")[0];
  const shares = found?.data.trees as readonly (readonly number[])[] | undefined;
  if (found === undefined || shares === undefined) return [];
  return [
    {
      kind: "tree",
      title: "Where samples go",
      caption: `COMET's trees after training, seed ${found.seed}: an edge is as wide as the share of validation samples on it; leaves are experts.`,
      trees: shares.map((list, j) => ({ title: `tree ${j + 1}`, root: treeOf(list) })),
    },
  ];
}

/** A tree from the shares of its nodes by heap id; leaves are labelled with their experts' numbers. */
export function treeOf(shares: readonly number[]): TreeNode {
  const n = (shares.length + 1) / 2;
  const order = leafOrder(n);
  const node = (q: number): TreeNode =>
    q >= n - 1
      ? { label: String(order.indexOf(q)), share: shares[q] }
      : { label: `node ${q}`, share: shares[q], children: [node(2 * q + 1), node(2 * q + 2)] };
  return node(0);
}

interface Snapshot {
  readonly step: number;
  readonly values: readonly (readonly number[])[];
}

function permutations(result: Result): Figure[] {
  const arms = [
    ...result.config.recovery.arms.map(({ nExperts, preset }) => [B, recoveryArm(nExperts, preset)] as const),
    ...result.config.pairs.gates.filter((gate) => gate.endsWith("+")).map((gate) => [A, gate] as const),
  ];
  return arms.flatMap(([task, arm]): HeatmapFigure[] => {
    const found = finished(result, task, arm)[0];
    const snapshots = found?.data.permutations as unknown as readonly Snapshot[] | undefined;
    if (found === undefined || snapshots === undefined || snapshots.length === 0) return [];
    const truth = found.data.truth as unknown as Snapshot["values"] | undefined;
    const panels = snapshots.map(({ step, values }, i) => ({
      title: i === snapshots.length - 1 ? `fixed, step ${step}` : `step ${step}`,
      values,
    }));
    return [
      {
        kind: "heatmap",
        title: `The permutation over time: ${task}, ${arm}`,
        caption: `P while the local search runs, seed ${found.seed}: from soft to a permutation.`,
        rows: "gate output",
        columns: "expert",
        max: 1,
        panels: truth === undefined ? panels : [...panels, { title: "the truth", values: truth }],
      },
    ];
  });
}

function digitsFigures(result: Result): Figure[] {
  const { gates, test } = result.config.digits;
  const loss = curves(result, C, gates, "test loss");
  const support = curves(result, C, gates, "support");
  if (loss.length === 0) return [];
  return [
    {
      kind: "lines",
      title: "Two overlapping digits: test loss",
      caption: `Mean cross-entropy of both tasks on ${test} test pairs of small MultiMNIST (task C). No separation is expected.`,
      x: "step",
      y: "cross-entropy",
      lines: loss,
    },
    {
      kind: "lines",
      title: "Two overlapping digits: experts in use",
      caption: "Mean over both tasks' gates, on training batches.",
      x: "step",
      y: "experts per sample",
      lines: support,
    },
  ];
}

function tables(result: Result): Figure[] {
  const { pairs, digits } = result.config;
  const of = (task: string, gate: GateName, name: string): number[] => scalars(result, task, gate, name);
  const rows = pairs.gates
    .filter((gate) => finished(result, A, gate).length > 0)
    .map((gate) => [
      gate,
      meanAndError(of(A, gate, "mse")),
      meanAndError(of(A, gate, "mse hard")),
      mean(of(A, gate, "support")).toFixed(2),
      `${(100 * mean(of(A, gate, "over k"))).toFixed(0)} %`,
      of(A, gate, "mse")
        .map((value) => value.toFixed(3))
        .join(" "),
    ]);
  const digitRows = digits.gates
    .filter((gate) => finished(result, C, gate).length > 0)
    .map((gate) => [
      gate,
      meanAndError(of(C, gate, "test loss")),
      meanAndError(of(C, gate, "accuracy")),
      mean(of(C, gate, "support")).toFixed(2),
    ]);
  return [
    {
      kind: "table",
      title: "Task A: results",
      caption: "Validation MSE, mean (standard error) over the seeds; support is the mean number of experts in use.",
      columns: ["gate", "MSE", "MSE, hard inference", "support", "samples above k", "by seed"],
      rows,
    },
    ...(digitRows.length === 0
      ? []
      : [
          {
            kind: "table",
            title: "Task C: results",
            caption: "Small MultiMNIST: mean (standard error) over the seeds. Reported, not judged.",
            columns: ["gate", "cross-entropy", "accuracy", "support"],
            rows: digitRows,
          } as const,
        ]),
    triedSettings,
  ];
}
