// result.json: a run as data, enough to draw its report again.
import { messageOf } from "../errors.ts";
import type { Run } from "../runner.ts";
import type { Environment } from "./environment.ts";

export const FORMAT = "sluice-result/1";

/** The content of result.json. */
export interface ResultFile {
  readonly format: typeof FORMAT;
  readonly paper: string;
  readonly title: string;
  readonly mode: Run["result"]["mode"];
  readonly status: Run["status"];
  readonly error: string | null;
  readonly backend: Run["backend"];
  readonly startedAt: string;
  readonly seconds: number;
  readonly environment: Environment;
  readonly seeds: readonly number[];
  readonly config: object;
  readonly claims: Run["claims"];
  readonly trials: Run["result"]["trials"];
}

export function resultFile(run: Run, environment: Environment): ResultFile {
  return {
    format: FORMAT,
    paper: run.paper.name,
    title: run.paper.title,
    mode: run.result.mode,
    status: run.status,
    error: run.error === undefined ? null : messageOf(run.error),
    backend: run.backend,
    startedAt: run.startedAt.toISOString(),
    seconds: run.seconds,
    environment,
    seeds: run.result.seeds,
    config: run.result.config,
    claims: run.claims,
    trials: run.result.trials,
  };
}

// Only a line break between brackets and values tells an array from the same characters in a string.
const PLAIN_ARRAY = /\[\n([^"[\]{}]+)\n\s*\]/g;

/** Indented JSON, with arrays of plain values on one line each, so that long series don't take a line a number. */
export function stringifyResult(result: ResultFile): string {
  const text = JSON.stringify(result, null, 2);
  return `${text.replace(PLAIN_ARRAY, (_, list: string) => `[${list.trim().replace(/\s+/g, " ")}]`)}\n`;
}
