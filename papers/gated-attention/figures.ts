// The figures: what the gate does to losses, learning rates, activations, attention and its own scores.

import { curves } from "../curves.ts";
import type { Figure, HeatmapFigure, Line, LinesFigure, Point } from "../figures.ts";
import { finished, mean } from "../statistics.ts";
import { backcopyFigures } from "./backcopy-figures.ts";
import { barOf } from "./bars.ts";
import { bySeed, language, meanOf, minus, pairs, type Result, sweep, withError } from "./compare.ts";
import { highRate, languageTask, middleRate } from "./config.ts";
import { sparsityThresholds, uniformFloor } from "./diagnostics.ts";
import type { LayerNumbers } from "./measure.ts";
import { tables } from "./tables.ts";
import type { VariantName } from "./variants.ts";

const middleTask = languageTask(middleRate);
const pair: readonly VariantName[] = ["baseline", "g1-elementwise"];
/** What curves show: few enough to tell apart. Their scores, where they have any, are in [0, 1]. */
const chosen: readonly VariantName[] = [...pair, "g1-headwise", "g1-shared", "g2-elementwise", "ns-sigmoid"];

export function figures(result: Result): Figure[] {
  return [
    ...sweepLines(result),
    ...armBars(result),
    ...trainingLines(result),
    ...sinkBars(result),
    ...attentionMaps(result),
    ...scoreFigures(result),
    ...outputFigures(result),
    ...backcopyFigures(result),
    ...tables(result),
  ];
}

/** The arms that have a finished trial at a learning rate, in the order of the plan. */
export const armsAt = (result: Result, lr: number): VariantName[] =>
  result.config.language.runs
    .filter((run) => run.lr === lr)
    .map(({ arm }) => arm)
    .filter((arm) => finished(result, languageTask(lr), arm).length > 0);

const whiskers = "Mean over the seeds; whiskers are one standard error.";

/** A number of each layer of each finished trial at the middle learning rate: [layer][seed]. */
function byLayer(result: Result, arm: VariantName, of: (layer: LayerNumbers) => number | undefined): number[][] {
  const trials = finished(result, middleTask, arm).map(({ data }) => data.layers as unknown as LayerNumbers[]);
  return (trials[0] ?? []).map((_, l) => trials.map((layers) => of(layers[l])).filter((x) => x !== undefined));
}

function sweepLines(result: Result): LinesFigure[] {
  const lines = pair.flatMap((arm): Line[] => {
    const rates = sweep(result, arm);
    if (rates.length < 2) return [];
    const seeds = [...rates[0].losses.keys()];
    const curve = (seed: number): Point[] =>
      rates.flatMap(({ lr, losses }) => {
        const y = losses.get(seed);
        return y === undefined ? [] : [{ x: lr, y }];
      });
    return [{ label: arm, seeds: seeds.map(curve) }];
  });
  if (lines.length === 0) return [];
  return [
    {
      kind: "lines",
      title: "Validation loss and learning rate (C1, C2)",
      caption:
        "Task A, parameters matched. Thin lines are seeds. The gate halves what attention adds at first, which costs at small rates and short runs.",
      x: "learning rate",
      xScale: "log",
      y: "nats per character",
      lines,
    },
  ];
}

const positions: readonly VariantName[] = [
  ...pair,
  "g2-elementwise",
  "g3-elementwise",
  "g4-elementwise",
  "g5-elementwise",
];

function armBars(result: Result): Figure[] {
  const arms = armsAt(result, middleRate);
  if (arms.length === 0) return [];
  const forms = arms.filter((arm) => arm === "g1-elementwise" || !positions.includes(arm));
  const chart = (title: string, shown: readonly VariantName[], name: string, y: string, caption: string): Figure => ({
    kind: "bars",
    title,
    caption: `${caption}Task A, lr ${middleRate}. ${whiskers}`,
    x: "arm",
    y,
    bars: shown.flatMap((arm) => barOf(arm, [...language(result, arm, middleRate, name).values()])),
    ...(shown.includes("baseline")
      ? {}
      : { marks: [{ label: "baseline", y: meanOf(language(result, "baseline", middleRate, name)) }] }),
  });
  const mAct = "M-Act: the largest |hidden value| of a layer's output, mean over the layers. ";
  return [
    chart("Validation loss by position", positions, "validation loss", "nats per character", ""),
    chart("Massive activations by position (C3)", positions, "M-Act", "M-Act", mAct),
    ...(forms.length < 2
      ? []
      : [
          chart("Validation loss by form, and of controls", forms, "validation loss", "nats per character", ""),
          chart("Massive activations by form, and of controls", forms, "M-Act", "M-Act", mAct),
        ]),
    {
      kind: "table",
      title: "All arms at one learning rate",
      caption: `Task A, lr ${middleRate}: difference to the baseline with the same seeds; below 0 is better.`,
      columns: ["arm", "validation loss", "difference", "M-Act", "gate score"],
      rows: arms.map((arm) => armRow(result, arm)),
    },
  ];
}

function armRow(result: Result, arm: VariantName): (string | number)[] {
  const of = (name: string) => bySeed(result, middleTask, arm, name);
  const baseline = language(result, "baseline", middleRate, "validation loss");
  const differences = pairs(of("validation loss"), baseline, minus);
  const score = meanOf(of("gate score"));
  return [
    arm,
    meanOf(of("validation loss")).toFixed(3),
    arm === "baseline" || differences.length === 0 ? "" : withError(differences),
    meanOf(of("M-Act")).toFixed(1),
    Number.isFinite(score) ? score.toFixed(3) : "",
  ];
}

function trainingLines(result: Result): Figure[] {
  const lines = curves(result, languageTask(highRate), armsAt(result, highRate), "loss");
  const validation = curves(result, middleTask, chosen, "validation loss");
  const figures: LinesFigure[] = [
    {
      kind: "lines",
      title: "Training loss at a high learning rate (C2, C6)",
      caption: `Task A, lr ${highRate}: loss of a batch of 16 windows, every ${result.config.language.logEvery} steps. Thin lines are seeds.`,
      x: "step",
      y: "nats per character",
      lines,
    },
    {
      kind: "lines",
      title: "Validation loss over training",
      caption: `Task A, lr ${middleRate}.`,
      x: "step",
      y: "nats per character",
      lines: validation,
    },
  ];
  return figures.filter((figure) => figure.lines.length > 0);
}

function sinkBars(result: Result): Figure[] {
  const { length, firstQuery } = result.config.language;
  const bars = pair.flatMap((arm) =>
    byLayer(result, arm, ({ fAttnLater }) => fAttnLater).flatMap((values, l) => barOf(`layer ${l + 1}`, values, arm)),
  );
  if (bars.length === 0) return [];
  return [
    {
      kind: "bars",
      title: "Attention on the first token, by layer",
      caption: `F-Attn of queries from ${firstQuery} on, task A, lr ${middleRate}; the line is what uniform attention gives; a sink would be far above it. ${whiskers}`,
      x: "layer",
      y: "share of attention",
      bars,
      marks: [{ label: "uniform", y: uniformFloor(length, firstQuery) }],
    },
  ];
}

function attentionMaps(result: Result): HeatmapFigure[] {
  const panels = pair.flatMap((arm) => {
    const maps = finished(result, middleTask, arm)[0]?.data.attention as unknown as number[][][] | undefined;
    return (maps ?? []).map((values, l) => ({ title: `${arm}, layer ${l + 1}`, values }));
  });
  if (panels.length === 0) return [];
  return [
    {
      kind: "heatmap",
      title: "Attention maps",
      caption: `Mean over the heads, the first ${panels[0].values.length} characters of the validation text, task A, lr ${middleRate}, first seed.`,
      rows: "query",
      columns: "key",
      panels,
    },
  ];
}

function scoreFigures(result: Result): Figure[] {
  const arms = chosen.filter((arm) => finished(result, middleTask, arm).length > 0);
  const lines = arms.flatMap((arm): Line[] => {
    const [first] = finished(result, middleTask, arm);
    const layers = first.data.layers as unknown as LayerNumbers[];
    const shares = layers.flatMap(({ histogram }) => (histogram === undefined ? [] : [histogram]));
    if (shares.length === 0) return [];
    const bins = shares[0].length;
    return [
      { label: arm, seeds: [shares[0].map((_, i) => ({ x: (i + 0.5) / bins, y: mean(shares.map((s) => s[i])) }))] },
    ];
  });
  const statistics = ["mean", "std", "min", "max"] as const;
  const rows = arms.flatMap((arm) =>
    byLayer(result, arm, ({ scores }) => scores?.mean).flatMap((means, l) =>
      means.length === 0
        ? []
        : [
            [
              arm,
              l + 1,
              ...statistics.map((name) => mean(byLayer(result, arm, ({ scores }) => scores?.[name])[l]).toFixed(3)),
            ],
          ],
    ),
  );
  if (lines.length === 0) return [];
  return [
    {
      kind: "lines",
      title: "Gate scores (C4)",
      caption: `Share of the scores in each twentieth of [0, 1], mean over the layers, task A, lr ${middleRate}, first seed. All began near 0.5 (NS-sigmoid: 0.75).`,
      x: "score",
      y: "share of scores",
      lines,
    },
    {
      kind: "table",
      title: "Gate scores by layer",
      caption: `Over heads, tokens and channels, task A, lr ${middleRate}; mean over the seeds.`,
      columns: ["arm", "layer", ...statistics],
      rows,
    },
  ];
}

function outputFigures(result: Result): Figure[] {
  const arm = "g1-elementwise";
  const layers = byLayer(result, arm, ({ mAct }) => mAct).length;
  if (layers === 0) return [];
  const sizes = ["Y", "Y'"].flatMap((series, i) =>
    byLayer(result, arm, ({ output }) => (i === 0 ? output.before : output.after)).flatMap((values, l) =>
      barOf(`layer ${l + 1}`, values, series),
    ),
  );
  const kinds = { Y: "sparsityBefore", "Y'": "sparsityAfter", "Y times the mean score": "sparsityControl" } as const;
  const shares = Object.entries(kinds).flatMap(([series, key]) =>
    sparsityThresholds.flatMap((threshold, t) =>
      byLayer(result, arm, ({ output }) => output[key][t]).flatMap((values, l) =>
        barOf(`layer ${l + 1}, below ${threshold}`, values, series),
      ),
    ),
  );
  return [
    {
      kind: "bars",
      title: "Size of the attention output before and after the gate",
      caption: `Mean |Y| and |Y'|, ${arm}, task A, lr ${middleRate}. ${whiskers}`,
      x: "layer",
      y: "mean absolute value",
      bars: sizes,
    },
    {
      kind: "bars",
      title: "Sparsity of the attention output",
      caption: `Share of values below a threshold, ${arm}, task A, lr ${middleRate}: before and after the gate, and scaled by the mean score alone. What Y' has beyond the last is more than a change of scale.`,
      x: "layer and threshold",
      y: "share",
      bars: shares,
    },
  ];
}
