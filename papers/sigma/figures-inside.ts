// Figures of what goes on inside SIGMA: mixing weights over training, gates by channel, sizes of the branches.

import type { Bar, Figure, Line } from "../figures.ts";
import type { PaperResult, TrialRecord } from "../paper.ts";
import { finished } from "../statistics.ts";
import { type SigmaPaperConfig, taskNames } from "./config.ts";
import { branchNames } from "./inspect.ts";

type Result = PaperResult<SigmaPaperConfig>;

export function insideFigures(result: Result): Figure[] {
  const trials = finished(result, taskNames.sessions, "SIGMA");
  if (trials.length === 0) return [];
  return [mixing(trials), ...gates(trials[0]), ...branches(trials[0])];
}

function mixing(trials: readonly TrialRecord[]): Figure {
  const lines = branchNames.flatMap((label): Line[] => {
    const seeds = trials.map(({ series }) => series[label]).filter((found) => found !== undefined);
    return seeds.length === 0
      ? []
      : [{ label, seeds: seeds.map(({ steps, values }) => steps.map((x, i) => ({ x, y: values[i] }))) }];
  });
  return {
    kind: "lines",
    title: "Mixing weights over training",
    caption:
      "The three numbers that weigh the forward, the flipped and the GRU branch, task B. They start at 0.8, 0.1 and 0.1.",
    x: "step",
    y: "weight",
    lines,
  };
}

function gates({ seed, data }: TrialRecord): Figure[] {
  const gate = data.gate as { readonly forwards: readonly number[]; readonly flipped: readonly number[] } | undefined;
  if (gate === undefined) return [];
  return [
    {
      kind: "heatmap",
      title: "Gate weights by channel",
      caption:
        `What each channel of Mamba's output is multiplied with, 1 + Dg, averaged over 256 test users at the read-out; first row forwards, ` +
        `second flipped, seed ${seed}, task B. The gate's form keeps it above 0.88: it strengthens channels and never closes one.`,
      rows: "direction",
      columns: "channel",
      panels: [{ title: "1 + Dg", values: [gate.forwards, gate.flipped] }],
    },
  ];
}

function branches({ seed, data, series }: TrialRecord): Figure[] {
  const sizes = data["branch sizes"] as readonly number[] | undefined;
  if (sizes === undefined) return [];
  const bars = branchNames.flatMap((label, i): Bar[] => {
    const weight = series[label]?.values.at(-1);
    return sizes[i] === undefined || weight === undefined
      ? []
      : [
          { label, series: "before weighing", value: sizes[i] },
          { label, series: "after", value: Math.abs(weight) * sizes[i] },
        ];
  });
  return [
    {
      kind: "bars",
      title: "Sizes of the branches",
      caption: `Root mean square of what each branch of the trained SIGMA adds at the read-out, before and after its weight; seed ${seed}, task B.`,
      x: "branch",
      y: "root mean square",
      bars,
    },
  ];
}
