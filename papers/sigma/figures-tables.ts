// Tables of results: the six metrics of each arm.

import type { TableFigure } from "../figures.ts";
import type { PaperResult } from "../paper.ts";
import { finished, mean, scalars, standardError } from "../statistics.ts";
import { cutoffs } from "./metrics.ts";

const ndcg = "NDCG@10";

/** ".2754", as the field writes shares. */
const bare = (share: number): string => share.toFixed(4).replace(/^0\./, ".");

/** The table of a task; none where nothing finished. */
export function resultTable(result: PaperResult, task: string, title: string, arms: readonly string[]): TableFigure[] {
  const metrics = (["HR", "NDCG", "MRR"] as const).flatMap((name) => cutoffs.map((k) => `${name}@${k}`));
  const rows = [...new Set(arms)]
    .map((arm) => [arm, finished(result, task, arm)] as const)
    .filter(([, trials]) => trials.length > 0)
    .map(([arm, trials]) => [
      `${arm} (${trials.length})`,
      scalars(result, task, arm, "parameters")[0]?.toLocaleString("en-US") ?? "-",
      ...metrics.map((metric) => bare(mean(scalars(result, task, arm, metric)))),
      trials.length < 2 ? "-" : bare(standardError(scalars(result, task, arm, ndcg))),
    ]);
  if (rows.length === 0) return [];
  const caption =
    "Test users' last items, all items ranked, none removed, ties halved: means over seeds; the last column is the standard error of " +
    `${ndcg}. Arms with fewer seeds ran on the first ones, and generated data differ by seed: the claims compare within seeds.`;
  return [{ kind: "table", title, caption, columns: ["arm (seeds)", "parameters", ...metrics, "error"], rows }];
}

interface RecommendationExample {
  readonly last: readonly string[];
  readonly recommended: readonly string[];
  readonly next: string;
}

/** What SIGMA recommends to the first test users of a log; none where it did not run. */
export function exampleTable(result: PaperResult, task: string, title: string): TableFigure[] {
  const [trial] = finished(result, task, "SIGMA");
  const examples = trial?.data.examples as unknown as readonly RecommendationExample[] | undefined;
  if (examples === undefined) return [];
  return [
    {
      kind: "table",
      title,
      caption: `The first test users of the log, not chosen: the end of their history, SIGMA's first five, and what came next; seed ${trial.seed}.`,
      columns: ["last three", "recommended", "came next"],
      rows: examples.map(({ last, recommended, next }) => [last.join(", "), recommended.join(", "), next]),
    },
  ];
}
