// The figures: what the flip does, recommendation quality, what the gates do, and how time grows.

import { curves } from "../curves.ts";
import type { Bar, Figure, Line } from "../figures.ts";
import type { PaperResult } from "../paper.ts";
import { finished, mean, scalars, standardError } from "../statistics.ts";
import { isModel } from "./arms.ts";
import { sweepLabel } from "./claims-quality.ts";
import { difference, gain, ranksOf, slope, timesOf } from "./comparisons.ts";
import { fixedCutArms, logNames, type SigmaPaperConfig, taskNames } from "./config.ts";
import { insideFigures } from "./figures-inside.ts";
import { exampleTable, resultTable } from "./figures-tables.ts";

type Result = PaperResult<SigmaPaperConfig>;
const { earlyKey: A, sessions: B, fixedCut: D, time: E } = taskNames;
const measure = "NDCG@10";

export function figures(result: Result): Figure[] {
  const all: Figure[] = [
    ...flipFigures(result),
    ...sessionFigures(result),
    ...insideFigures(result),
    ...logFigures(result),
    ...timeFigures(result),
  ];
  return all.filter((figure) => {
    if (figure.kind === "lines") return figure.lines.length > 0;
    return figure.kind !== "bars" || figure.bars.length > 0;
  });
}

const errorOf = (values: readonly number[]): { error?: number } =>
  values.length < 2 ? {} : { error: standardError(values) };

/** A bar for each arm of a task that finished. */
function barsOf(
  result: Result,
  task: string,
  arms: readonly string[],
  name: string,
  label = (arm: string) => arm,
): Bar[] {
  return arms.flatMap((arm): Bar[] => {
    const values = scalars(result, task, arm, name);
    return values.length === 0 ? [] : [{ label: label(arm), value: mean(values), ...errorOf(values) }];
  });
}

const ablations = ["without flip", "without gate", "without GRU", "scalar gate"] as const;
const sweep = ["r = 0", "r = 1", "SIGMA", "r = 5", "r = 8", "r = L"] as const;
const earlySweep = [0, 1, 3, 5, 8].map((r) => `flip only, r = ${r}`);
const compared = ["SIGMA", "Mamba4Rec", "SASRec", "GRU4Rec", "BERT4Rec", "Markov", "Popularity"] as const;

/** Bars are drawn where more than the first of them is there. */
const several = (bars: Bar[]): Bar[] => (bars.length > 1 ? bars : []);

function flipFigures(result: Result): Figure[] {
  const { kept } = result.config.earlyKey;
  const arms = [...new Set(result.trials.filter(({ task }) => task === A).map(({ arm }) => arm))];
  const main = arms.filter((arm) => !earlySweep.includes(arm) || arm === `flip only, r = ${kept}`);
  return [
    {
      kind: "lines",
      title: "The flip finds the early item (C1)",
      caption:
        "HR@1 on test sequences of task A, where the first of 15 to 30 items decides. 'flip only' and 'no flip' have no GRU. " +
        "Thin lines are seeds.",
      x: "step",
      y: "HR@1",
      lines: curves(result, A, main, "HR@1"),
      marks: [{ label: "chance", y: 0.05 }],
    },
    {
      kind: "bars",
      title: "Where the flip has to put the early item",
      caption:
        "HR@1 of task A at the end by the number r of items that stay in place: the flip puts the first item r places before the " +
        "read-out, and Mamba's convolution reaches 3 places back. Without a flip the state alone can carry it, which some seeds learn. " +
        "Without a whisker it is a single seed.",
      x: "items kept in place",
      y: "HR@1",
      bars: several(barsOf(result, A, [...earlySweep, "no flip"], "HR@1", sweepLabel)),
      marks: [{ label: "chance", y: 0.05 }],
    },
    {
      kind: "lines",
      title: "What the flipped path knows of the user (C3)",
      caption:
        "Mean difference over users of the flipped Mamba's output where scores are read, L = 50, r = 5, untrained. With the fixed cut of the " +
        "released code it is exactly 0 for histories of at most 22 items: the path is a constant.",
      x: "items in the history",
      y: "difference between users",
      lines: curves(result, D, fixedCutArms, "spread").map((line) => ({
        ...line,
        label: line.label === "padded" ? "fixed cut (released code)" : "by true length",
      })),
    },
  ];
}

function sessionFigures(result: Result): Figure[] {
  const models = compared.filter(isModel);
  const bars = barsOf(result, B, [...compared, "Oracle"], measure);
  return [
    {
      kind: "bars",
      title: "Recommendation quality on generated sessions",
      caption:
        "NDCG@10 on the last items of task B, all 200 items ranked: mean over seeds (of some arms fewer, see the table), whiskers are one " +
        "standard error. " +
        "Markov counts which item followed which; the oracle knows the generator and the user's cluster.",
      x: "",
      y: measure,
      bars,
    },
    byGroup(
      result,
      B,
      "Quality by length of the history (C6)",
      "NDCG@10 of task B in groups of users; whiskers are one standard error over seeds.",
      compared,
    ),
    {
      kind: "bars",
      title: "Which part matters (C5)",
      caption:
        "NDCG@10 of SIGMA minus that of a variant by seed, task B: above 0 the part helps. Whiskers are one standard error over seeds; " +
        "without one it is a single seed. The scalar gate has one trained number a direction.",
      x: "SIGMA minus",
      y: "difference in NDCG@10",
      bars: ablations.flatMap((arm): Bar[] => {
        const found = difference(result, B, "SIGMA", arm, measure);
        if (found === undefined) return [];
        const error = found.seeds > 1 ? { error: found.standardError } : {};
        return [{ label: arm, value: found.mean, ...error }];
      }),
    },
    {
      kind: "bars",
      title: "Sweep of r (C8)",
      caption: "NDCG@10 of SIGMA on task B by the number of items that the flip leaves in place, first seed.",
      x: "items kept in place",
      y: measure,
      bars: sweepBars(result),
    },
    {
      kind: "lines",
      title: "Validation over training",
      caption: "NDCG@10 on the items before the last, task B. Thin lines are seeds.",
      x: "step",
      y: `validation ${measure}`,
      lines: curves(result, B, models, "validation NDCG@10"),
    },
    ...resultTable(result, B, "Generated sessions: results", ["SIGMA", ...ablations, ...compared, "Oracle"]),
  ];
}

/** The sweep of the seed that all of it has. */
function sweepBars(result: Result): Bar[] {
  const bars = sweep.flatMap((arm): Bar[] => {
    const [trial] = finished(result, B, arm);
    return trial === undefined ? [] : [{ label: sweepLabel(arm), value: trial.scalars[measure] }];
  });
  return several(bars);
}

/** NDCG@10 in each group of test histories. */
function byGroup(result: Result, task: string, title: string, caption: string, arms: readonly string[]): Figure {
  const bars = arms.flatMap((arm): Bar[] => {
    const trials = finished(result, task, arm).map(ranksOf);
    if (trials.length === 0) return [];
    return Object.keys(trials[0]).map((label) => {
      const values = trials.map((groups) => mean(groups[label].map(gain)));
      return { label, series: arm, value: mean(values), ...errorOf(values) };
    });
  });
  return { kind: "bars", title, caption, x: "items in the history", y: measure, bars };
}

function logFigures(result: Result): Figure[] {
  const texts = {
    changelogs: {
      title: "Real log: which file is touched next",
      caption: "Sessions of glibc's developers: NDCG@10 by length of the history, all 3,157 files ranked, one seed.",
    },
    movielens: {
      title: "Real log: MovieLens with short memories",
      caption:
        "NDCG@10 when models see the last 5, 10 or 20 movies only, or all (the models' 30), all 2,245 movies ranked, one seed. Markov sees the last one.",
    },
  } as const;
  return logNames(result.config.logs).flatMap((log) => [
    byGroup(result, taskNames[log], texts[log].title, texts[log].caption, compared),
    ...resultTable(result, taskNames[log], `${texts[log].title}: results`, compared),
    ...exampleTable(result, taskNames[log], `${texts[log].title}: examples`),
  ]);
}

function timeFigures(result: Result): Figure[] {
  const { models, batch, size } = result.config.time;
  const lines = (what: string): Line[] =>
    models.flatMap((model): Line[] => {
      const times = timesOf(result, E, model, what);
      if (times === undefined) return [];
      const points = times.lengths.map((x, i) => ({ x, y: times.milliseconds[i] }));
      return [{ label: `${model} (slope ${slope(times, 3).toFixed(2)})`, seeds: [points] }];
    });
  const common = { kind: "lines", x: "items in the history", y: "milliseconds", xScale: "log", yScale: "log" } as const;
  const text = `batch ${batch}, d = ${size}, fastest of several runs; slopes are those of the three longest lengths`;
  return [
    {
      ...common,
      title: "A forward pass against length (C2)",
      caption: `Scores of all items, ${text}.`,
      lines: lines("forward"),
    },
    {
      ...common,
      title: "A step of training against length (C10)",
      caption: `Forward, backward and Adam, ${text}.`,
      lines: lines("training"),
    },
  ];
}
