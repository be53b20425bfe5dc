// Tables of results: the six metrics of each arm.

import type { TableFigure } from "../figures.ts";
import type { PaperResult } from "../paper.ts";
import { finished, mean, scalars, standardError } from "../statistics.ts";
import { cutoffs } from "./metrics.ts";

const ndcg = "NDCG@10";

/** The table of a task; none where nothing finished. */
export function resultTable(result: PaperResult, task: string, title: string, arms: readonly string[]): TableFigure[] {
  const metrics = (["HR", "NDCG", "MRR"] as const).flatMap((name) => cutoffs.map((k) => `${name}@${k}`));
  const rows = [...new Set(arms)]
    .map((arm) => [arm, finished(result, task, arm)] as const)
    .filter(([, trials]) => trials.length > 0)
    .map(([arm, trials]) => [
      arm,
      trials.length,
      scalars(result, task, arm, "parameters")[0]?.toLocaleString("en-US") ?? "-",
      ...metrics.map((metric) => mean(scalars(result, task, arm, metric)).toFixed(4)),
      trials.length < 2 ? "-" : standardError(scalars(result, task, arm, ndcg)).toFixed(4),
    ]);
  if (rows.length === 0) return [];
  const caption =
    "Test users' last items, all items ranked, none removed, ties halved: means over seeds; the last column is the standard error of " +
    `${ndcg}. Arms with fewer seeds ran on the first ones, and generated data differ by seed: the claims compare within seeds.`;
  return [{ kind: "table", title, caption, columns: ["", "seeds", "parameters", ...metrics, "error"], rows }];
}
