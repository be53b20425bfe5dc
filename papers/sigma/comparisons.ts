// How arms are compared: by seed, by test user, and with what certainty; and slopes of times.

import { ndcg, Stream } from "../../nn/index.ts";
import type { Evidence, PaperResult, TrialRecord } from "../paper.ts";
import { finished, mean, standardError } from "../statistics.ts";

/** A difference and the half-width that it is held against. */
export interface Difference {
  readonly mean: number;
  /** Of the mean, over seeds; NaN for a single seed. */
  readonly standardError: number;
  readonly seeds: number;
}

/** A scalar of one arm minus that of another, over the seeds that both finished; undefined where there is none. */
export function difference(
  result: PaperResult,
  task: string,
  arm: string,
  other: string,
  name: string,
): Difference | undefined {
  const others = new Map(finished(result, task, other).map(({ seed, scalars }) => [seed, scalars[name]]));
  const found = finished(result, task, arm).flatMap(({ seed, scalars }) => {
    const minus = others.get(seed);
    return minus === undefined || scalars[name] === undefined ? [] : [scalars[name] - minus];
  });
  if (found.length === 0) return undefined;
  return { mean: mean(found), standardError: standardError(found), seeds: found.length };
}

export type Verdict = "supported" | "not supported" | "inconclusive";

/** More than one standard error above 0, below 0, or neither. One seed decides nothing. */
export function verdictOf({ mean: value, standardError: error }: Difference): Verdict {
  if (value > error) return "supported";
  return value < -error ? "not supported" : "inconclusive";
}

/** "+0.012 ± 0.004 (supported)". */
export function tell(found: Difference): string {
  const error = Number.isNaN(found.standardError) ? "one seed" : `± ${found.standardError.toFixed(4)}`;
  return `${signed(found.mean)} ${error} (${verdictOf(found)})`;
}

export const signed = (value: number, digits = 4): string => `${value < 0 ? "" : "+"}${value.toFixed(digits)}`;

/** The ranks of a trial's test users in each group. */
export const ranksOf = ({ data }: TrialRecord): Readonly<Record<string, readonly number[]>> =>
  (data.ranks ?? {}) as Readonly<Record<string, readonly number[]>>;

/** NDCG@10 of one user. */
export const gain = (rank: number): number => ndcg([rank], 10);

/** Differences of NDCG@10 by user between two arms in each group, over all seeds that both finished. */
export function userDifferences(
  result: PaperResult,
  task: string,
  arm: string,
  other: string,
): Readonly<Record<string, readonly number[]>> {
  const found: Record<string, number[]> = {};
  const others = new Map(finished(result, task, other).map((trial) => [trial.seed, ranksOf(trial)]));
  for (const trial of finished(result, task, arm)) {
    const minus = others.get(trial.seed);
    if (minus === undefined) continue;
    for (const [group, ranks] of Object.entries(ranksOf(trial))) {
      found[group] ??= [];
      found[group].push(...ranks.map((rank, user) => gain(rank) - gain(minus[group][user])));
    }
  }
  return found;
}

/** A mean with its bootstrap interval. */
export interface Interval {
  readonly mean: number;
  readonly low: number;
  readonly high: number;
}

/** The 95 % interval of a statistic of several samples, each resampled on its own 1,000 times; the same each time. */
export function bootstrap(
  samples: readonly (readonly number[])[],
  statistic: (means: readonly number[]) => number,
): Interval {
  const random = new Stream(0, "bootstrap");
  const resampled = (sample: readonly number[]): number => {
    let sum = 0;
    for (let i = 0; i < sample.length; i++) sum += sample[random.integer(sample.length)];
    return sum / sample.length;
  };
  const draws = Array.from({ length: 1000 }, () => statistic(samples.map(resampled))).sort((a, b) => a - b);
  return { mean: statistic(samples.map(mean)), low: draws[25], high: draws[974] };
}

/** "+0.012 [-0.001, 0.025]". */
export const tellInterval = ({ mean: value, low, high }: Interval): string =>
  `${signed(value, 3)} [${low.toFixed(3)}, ${high.toFixed(3)}]`;

/** The times of a model of task E, by what was timed. */
export interface Times {
  readonly lengths: readonly number[];
  readonly milliseconds: readonly number[];
}

/** Means over the seeds' times; undefined where nothing was timed. */
export function timesOf(result: PaperResult, task: string, model: string, what: string): Times | undefined {
  const found = finished(result, task, model).flatMap(({ data }) => {
    const times = (data.times as unknown as Record<string, Times> | undefined)?.[what];
    return times === undefined || times.lengths.length === 0 ? [] : [times];
  });
  if (found.length === 0) return undefined;
  const { lengths } = found[0];
  return { lengths, milliseconds: lengths.map((_, i) => mean(found.map(({ milliseconds }) => milliseconds[i]))) };
}

/** Least-squares slope of log time over log length, at the last `last` lengths. */
export function slope({ lengths, milliseconds }: Times, last = lengths.length): number {
  const x = lengths.slice(-last).map(Math.log);
  const y = milliseconds.slice(-last).map(Math.log);
  const [mx, my] = [mean(x), mean(y)];
  const covariance = x.reduce((sum, value, i) => sum + (value - mx) * (y[i] - my), 0);
  return covariance / x.reduce((sum, value) => sum + (value - mx) ** 2, 0);
}

/**
 * The length from which on `first` is faster than `second`, on straight lines between the measured lengths in logarithms: 0 where it always
 * is, undefined where it is slower at the longest.
 */
export function crossing(first: Times, second: Times): number | undefined {
  const lead = first.lengths.map((_, i) => Math.log(second.milliseconds[i] / first.milliseconds[i]));
  const last = lead.length - 1;
  if (!(lead[last] > 0)) return undefined;
  const slower = lead.findLastIndex((value) => !(value > 0));
  if (slower < 0) return 0;
  const share = -lead[slower] / (lead[slower + 1] - lead[slower]);
  const at = Math.log(first.lengths[slower]);
  return Math.exp(at + share * (Math.log(first.lengths[slower + 1]) - at));
}

/** Evidence from differences told one after the other; it holds when all are supported. */
export function evidence(
  found: Readonly<Record<string, Difference>>,
): (Evidence & { readonly holds: boolean }) | undefined {
  const entries = Object.entries(found);
  if (entries.length === 0) return undefined;
  return {
    measured: entries.map(([name, value]) => `${name} ${tell(value)}`).join("; "),
    numbers: Object.fromEntries(entries.map(([name, value]) => [name, value.mean])),
    holds: entries.every(([, value]) => verdictOf(value) === "supported"),
  };
}
