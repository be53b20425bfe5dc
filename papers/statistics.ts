// The small statistics that claims are judged by.
import type { PaperResult, TrialRecord } from "./paper.ts";

/** The arithmetic mean; NaN of nothing. */
export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** The standard error of the mean, from the sample standard deviation; NaN below two values. */
export function standardError(values: readonly number[]): number {
  const m = mean(values);
  const squares = values.reduce((sum, value) => sum + (value - m) ** 2, 0);
  return Math.sqrt(squares / (values.length - 1) / values.length);
}

/** The finished trials of an arm of a task, in the order of the seeds. */
export function finished(result: PaperResult, task: string, arm: string): TrialRecord[] {
  return result.trials
    .filter((trial) => trial.status === "finished" && trial.task === task && trial.arm === arm)
    .sort((a, b) => a.seed - b.seed);
}

/** A scalar of each finished trial of an arm of a task, in the order of the seeds; trials without it are left out. */
export function scalars(result: PaperResult, task: string, arm: string, name: string): number[] {
  return finished(result, task, arm)
    .map((trial) => trial.scalars[name])
    .filter((value) => value !== undefined);
}

/** Differences by seed, with their mean, standard error and how many are above zero. */
export interface Paired {
  readonly differences: readonly number[];
  readonly mean: number;
  readonly standardError: number;
  readonly positive: number;
}

/** `first - second` of a scalar, over the seeds that both arms finished; undefined when fewer than two. */
export function paired(
  result: PaperResult,
  task: string,
  first: string,
  second: string,
  name: string,
): Paired | undefined {
  const others = new Map(finished(result, task, second).map((trial) => [trial.seed, trial.scalars[name]]));
  const differences: number[] = [];
  for (const trial of finished(result, task, first)) {
    const a = trial.scalars[name];
    const b = others.get(trial.seed);
    if (a !== undefined && b !== undefined) differences.push(a - b);
  }
  if (differences.length < 2) return undefined;
  return {
    differences,
    mean: mean(differences),
    standardError: standardError(differences),
    positive: differences.filter((difference) => difference > 0).length,
  };
}
