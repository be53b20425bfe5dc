// Figures of task B: when the gate opens, what it does to the first token.

import { curves } from "../curves.ts";
import type { Bar, Figure } from "../figures.ts";
import { finished, mean } from "../statistics.ts";
import { barOf } from "./bars.ts";
import { backcopy, type Result } from "./compare.ts";
import { backcopyTask } from "./config.ts";

export function backcopyFigures(result: Result): Figure[] {
  const { firstQuery } = result.config.backcopy;
  const arms = result.config.backcopy.arms.filter((arm) => finished(result, backcopyTask, arm).length > 0);
  if (arms.length === 0) return [];
  const bars = (names: Readonly<Record<string, string>>): Bar[] =>
    Object.entries(names).flatMap(([series, name]) =>
      arms.flatMap((arm) => barOf(arm, [...backcopy(result, arm, name).values()], series)),
    );
  const floor = mean(arms.flatMap((arm) => [...backcopy(result, arm, "entropy").values()]));
  const panels = arms.flatMap((arm) => {
    const maps = finished(result, backcopyTask, arm)[0].data.attention as unknown as number[][][];
    return maps.map((values) => ({ title: arm, values }));
  });
  return [
    {
      kind: "lines",
      title: "Backcopy: training loss",
      caption:
        "Loss of each batch of 32 sequences, task B; the line is the entropy of what cannot be known. Thin lines are seeds.",
      x: "step",
      y: "nats per token",
      lines: curves(result, backcopyTask, arms, "loss"),
      marks: [{ label: "entropy", y: floor }],
    },
    {
      kind: "bars",
      title: "Backcopy: when the gate opens (C7)",
      caption: `Mean score at queries from ${firstQuery} on: triggers, where the head has something to copy, and others. Whiskers are one standard error.`,
      x: "arm",
      y: "mean score",
      bars: bars({ triggers: "gate, triggers", others: "gate, others" }),
    },
    {
      kind: "bars",
      title: "Backcopy: the first token as a sink (C8)",
      caption: `Queries that are no triggers, from ${firstQuery} on: their attention on the first token, what of it the gate lets through, and how small the first token's value is. Whiskers are one standard error.`,
      x: "arm",
      y: "share, ratio",
      bars: bars({
        "F-Attn": "F-Attn, others",
        "gate-weighted F-Attn": "gate-weighted F-Attn",
        "value drain": "value drain",
      }),
    },
    {
      kind: "heatmap",
      title: "Backcopy: attention maps",
      caption: "One sequence, first seed, task B.",
      rows: "query",
      columns: "key",
      panels,
    },
  ];
}
