// Writes a run's report: result.json and report.html.
import { join } from "node:path";
import type { Figure } from "../figures.ts";
import type { Run } from "../runner.ts";
import type { Environment } from "./environment.ts";
import { writeAtomically } from "./folder.ts";
import { renderPage } from "./page.ts";
import { type ResultFile, resultFile, stringifyResult } from "./result.ts";

export interface Report {
  readonly result: ResultFile;
  readonly json: string;
  readonly page: string;
}

/** Writes both files into a prepared folder. result.json is written first: a figure that can't be drawn doesn't lose the numbers. */
export async function writeReport(run: Run, folder: string, where: Environment, command: string): Promise<Report> {
  const result = resultFile(run, where);
  const json = stringifyResult(result);
  await writeAtomically(folder, "result.json", json);
  const figures: readonly Figure[] = run.result.trials.length === 0 ? [] : run.paper.figures(run.result);
  await writeAtomically(folder, "report.html", renderPage(run.paper, result, figures, command));
  return { result, json, page: join(folder, "report.html") };
}
