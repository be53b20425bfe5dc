// Full-ranking metrics: the target's rank among all items, ties halved, and what is made of ranks.

import { ArgumentError } from "../../engine/index.ts";
import { hitRate, meanReciprocalRank, ndcg } from "../../nn/index.ts";

/**
 * Rank of the target among items 1 .. V-1, from 1: one more than score higher, and half of those that tie with it: a model that scores all
 * alike is in the middle, never first. Item 0, the padding, is not ranked. A score that is NaN counts as higher.
 */
export function rankOfTarget(scores: ArrayLike<number>, target: number): number {
  if (!(Number.isInteger(target) && target >= 1 && target < scores.length))
    throw new ArgumentError("rankOfTarget", `item ${target} is not among 1..${scores.length - 1}`);
  const own = scores[target];
  let [higher, ties] = [0, -1];
  for (let i = 1; i < scores.length; i++) {
    if (scores[i] === own) ties += 1;
    else if (!(scores[i] < own)) higher += 1;
  }
  // NaN ties with nothing, itself included: it ranks last.
  return Number.isNaN(own) ? scores.length - 1 : 1 + higher + ties / 2;
}

export const cutoffs = [10, 20] as const;
type Cutoff = (typeof cutoffs)[number];

/** "HR@10", "NDCG@20", "MRR@10", ... */
export type MetricName = `${"HR" | "NDCG" | "MRR"}@${Cutoff}`;
export type Metrics = Readonly<Record<MetricName, number>>;

/** The metrics of a list of ranks. @throws ArgumentError where it is empty */
export function metricsOf(ranks: ArrayLike<number>): Metrics {
  if (ranks.length === 0) throw new ArgumentError("metricsOf", "there are no ranks to take the mean of");
  const entries = cutoffs.flatMap((k) => [
    [`HR@${k}`, hitRate(ranks, k)],
    [`NDCG@${k}`, ndcg(ranks, k)],
    [`MRR@${k}`, meanReciprocalRank(ranks, k)],
  ]);
  return Object.fromEntries(entries) as Metrics;
}
