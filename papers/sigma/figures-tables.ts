// Tables of results: the six metrics of each arm.

import type { TableFigure } from "../figures.ts";
import type { PaperResult } from "../paper.ts";
import { finished, mean, scalars, standardError } from "../statistics.ts";
import { cutoffs } from "./metrics.ts";

/** Mean, with the standard error in brackets where there are several seeds. */
const told = (values: readonly number[]): string =>
  values.length < 2
    ? values.map((value) => value.toFixed(4)).join("")
    : `${mean(values).toFixed(4)} (${standardError(values).toFixed(4)})`;

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
      ...metrics.map((metric) => told(scalars(result, task, arm, metric))),
    ]);
  if (rows.length === 0) return [];
  const caption =
    "Test users' last items, all items ranked, none removed, ties halved: mean (standard error) over seeds.";
  return [{ kind: "table", title, caption, columns: ["", "seeds", "parameters", ...metrics], rows }];
}
