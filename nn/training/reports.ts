// What to do with the progress of a run: print it, log it, keep checkpoints of it.

import { ArgumentError, DataError } from "../../engine/index.ts";
import { type CheckpointParts, saveCheckpoint, writeAtomically } from "../checkpoint.ts";
import type { Progress, Report } from "./fit.ts";

const clock = (seconds: number): string => {
  const whole = Math.round(seconds);
  const two = (n: number): string => String(n).padStart(2, "0");
  return `${whole >= 3600 ? `${Math.floor(whole / 3600)}:` : ""}${two(Math.floor(whole / 60) % 60)}:${two(whole % 60)}`;
};

/**
 * A line for each report: step, loss, score, pace, time left. `write` takes a line, by default to the console.
 *   step 300/2000 (15 %)  loss 1.234  score 0.567  83.1 steps/s  00:20 left
 */
export function printProgress(write: (line: string) => void = (line) => console.log(line)): Report {
  return ({ step, steps, loss, score, seconds, taken }) => {
    const pace = taken / seconds;
    const parts = [
      `step ${step}/${steps} (${Math.floor((100 * step) / steps)} %)`,
      `loss ${loss.toPrecision(4)}`,
      ...(score === undefined ? [] : [`score ${score.toPrecision(4)}`]),
      `${pace.toPrecision(3)} steps/s`,
      step === steps ? `${clock(seconds)} in all` : `${clock((steps - step) / pace)} left`,
    ];
    write(parts.join("  "));
  };
}

/** A line of a run log. */
export type LogEntry = Pick<Progress, "step" | "loss" | "score" | "seconds">;

/**
 * The entries of a log. A last line that was cut short (by a crash) is left out.
 * @throws DataError that names any other line that is no entry
 */
export async function readRunLog(path: string): Promise<LogEntry[]> {
  const { readFile } = await import("node:fs/promises");
  // What follows the last line end is nothing, or a line that was cut short.
  const lines = (await readFile(path, "utf8")).split("\n").slice(0, -1);
  return lines.map((line, i) => {
    try {
      const entry = JSON.parse(line) as LogEntry;
      if (Number.isInteger(entry.step) && typeof entry.loss === "number") return entry;
    } catch {
      // Told below, with its number.
    }
    throw new DataError("readRunLog", `line ${i + 1} of ${path} is no entry: ${line.slice(0, 80)}`);
  });
}

/**
 * Appends each report to a file, a JSON object a line. A run that is resumed at step `from` takes the entries after it
 * out first: they will be written again.
 */
export function runLog(path: string): Report {
  let ready: Promise<void> | undefined;
  const prepare = async (from: number): Promise<void> => {
    const { access } = await import("node:fs/promises");
    const exists = await access(path).then(
      () => true,
      () => false,
    );
    const kept = exists && from > 0 ? (await readRunLog(path)).filter(({ step }) => step <= from) : [];
    await writeAtomically(path, new TextEncoder().encode(kept.map((entry) => `${JSON.stringify(entry)}\n`).join("")));
  };
  return async ({ step, loss, score, seconds, taken }) => {
    ready ??= prepare(step - taken);
    await ready;
    const { appendFile } = await import("node:fs/promises");
    await appendFile(path, `${JSON.stringify({ step, loss, score, seconds } satisfies LogEntry)}\n`);
  };
}

/** Saves a checkpoint at each report, or at every `nth` and the last. */
export function keepCheckpoint(path: string, parts: CheckpointParts, nth = 1): Report {
  if (!(Number.isInteger(nth) && nth >= 1))
    throw new ArgumentError("keepCheckpoint", `nth must be at least 1, got ${nth}`);
  let reports = 0;
  return async ({ step, steps }) => {
    reports += 1;
    if (reports % nth === 0 || step === steps) await saveCheckpoint(path, parts, { step });
  };
}
