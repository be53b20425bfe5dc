// Metrics of scores and rankings, on host numbers: AUC, AUC within groups, hits, NDCG and reciprocal rank.

import { ArgumentError } from "../../engine/index.ts";

function checkLengths(op: string, a: ArrayLike<number>, b: ArrayLike<number>): void {
  if (a.length !== b.length) throw new ArgumentError(op, `lengths ${a.length} and ${b.length} differ`);
}

/**
 * Probability that a positive (label > 0.5) has a higher score than a negative; ties count half. NaN without both.
 * Exact, O(n log n).
 */
export function auc(scores: ArrayLike<number>, labels: ArrayLike<number>): number {
  checkLengths("auc", scores, labels);
  const order = Array.from({ length: scores.length }, (_, i) => i).sort((a, b) => scores[a] - scores[b]);
  let [positives, wins, below] = [0, 0, 0];
  for (let start = 0; start < order.length; ) {
    let stop = start;
    let own = 0;
    while (stop < order.length && scores[order[stop]] === scores[order[start]])
      own += labels[order[stop++]] > 0.5 ? 1 : 0;
    // NaN equals nothing, itself included: there is no order to speak of.
    if (stop === start) return Number.NaN;
    const negatives = stop - start - own;
    wins += own * (below + negatives / 2);
    positives += own;
    below += negatives;
    start = stop;
  }
  return wins / (positives * below);
}

/**
 * AUC within each group (a user), averaged by the groups' sizes; groups of one kind of label are left out (Zhu et al.
 * 2017). NaN where all are.
 */
export function gauc(scores: ArrayLike<number>, labels: ArrayLike<number>, groups: ArrayLike<number>): number {
  checkLengths("gauc", scores, labels);
  checkLengths("gauc", scores, groups);
  const members = new Map<number, number[]>();
  for (let i = 0; i < groups.length; i++) {
    const list = members.get(groups[i]);
    if (list === undefined) members.set(groups[i], [i]);
    else list.push(i);
  }
  let [total, weight] = [0, 0];
  for (const list of members.values()) {
    const pick = (from: ArrayLike<number>): number[] => list.map((i) => from[i]);
    const value = auc(pick(scores), pick(labels));
    if (Number.isNaN(value)) continue;
    total += value * list.length;
    weight += list.length;
  }
  return total / weight;
}

/**
 * Rank of the item `target` among the scores, from 1: how many are not below it. Ties count against it, so that a model
 * that scores everything alike is not rewarded.
 */
export function rankOf(scores: ArrayLike<number>, target: number): number {
  if (!(Number.isInteger(target) && target >= 0 && target < scores.length))
    throw new ArgumentError("rankOf", `item ${target} is not among ${scores.length}`);
  let rank = 0;
  for (let i = 0; i < scores.length; i++) if (!(scores[i] < scores[target])) rank += 1;
  return rank;
}

const average = (ranks: ArrayLike<number>, value: (rank: number) => number): number =>
  Array.from(ranks).reduce((sum, rank) => sum + value(rank), 0) / ranks.length;

/** HR@k: share of the ranks (from 1) that are at most k. */
export const hitRate = (ranks: ArrayLike<number>, k: number): number => average(ranks, (rank) => (rank <= k ? 1 : 0));

/** NDCG@k with one relevant item a query: mean of 1 / log2(rank + 1) where the rank is at most k. */
export const ndcg = (ranks: ArrayLike<number>, k: number): number =>
  average(ranks, (rank) => (rank <= k ? 1 / Math.log2(rank + 1) : 0));

/** MRR, or MRR@k: mean of 1 / rank where the rank is at most k (default: wherever it is). */
export const meanReciprocalRank = (ranks: ArrayLike<number>, k = Number.POSITIVE_INFINITY): number =>
  average(ranks, (rank) => (rank <= k ? 1 / rank : 0));
