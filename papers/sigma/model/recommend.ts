// Recommendations for one history: the best items with their scores, nothing of padding, nothing seen where so asked.

import { ArgumentError, type Compiled, compile, type Tensor } from "../../../engine/index.ts";
import type { Recommender } from "../recommender.ts";
import { checkHistory, padHistories } from "./histories.ts";

export interface RecommendOptions {
  /** Whether items of the history are left out; default false, as in the paper's evaluation. */
  readonly excludeSeen?: boolean;
}

export interface Recommendation {
  readonly item: number;
  /** The logit: comparable within one call only. */
  readonly score: number;
}

const scorers = new WeakMap<Recommender, Compiled<[ids: Tensor, lengths: Tensor], Tensor>>();

/** The model's forward pass in evaluation mode, compiled once a model and batch size; training mode is left as it is. */
export function scorerOf(model: Recommender): Compiled<[ids: Tensor, lengths: Tensor], Tensor> {
  const known = scorers.get(model);
  if (known !== undefined) return known;
  const scorer = compile((ids: Tensor, lengths: Tensor) => evaluating(model, () => model.forward(ids, lengths)));
  scorers.set(model, scorer);
  return scorer;
}

/** Runs `fn` with the model in evaluation mode. */
export function evaluating<T>(model: Recommender, fn: () => T): T {
  const { training } = model;
  model.eval();
  try {
    return fn();
  } finally {
    model.train(training);
  }
}

/**
 * The `k` best next items after a history (oldest first; its last `maxLength` items count), best first, equal scores by
 * id. Fewer than k where no more are left.
 * @throws ArgumentError for a bad history or k
 */
export async function recommend(
  model: Recommender,
  history: readonly number[],
  k: number,
  options: RecommendOptions = {},
): Promise<Recommendation[]> {
  const { ids, lengths } = padHistories([history], model.items, model.maxLength);
  return best(await scorerOf(model)(ids, lengths).data(), k, options.excludeSeen === true ? history : []);
}

/**
 * The k best items by scores [V] of all ids, the padding id and `excluded` left out; equal scores by id.
 * @throws ArgumentError unless k is a whole number of at least 1
 */
export function best(scores: ArrayLike<number>, k: number, excluded: readonly number[] = []): Recommendation[] {
  if (!Number.isInteger(k) || k < 1) throw new ArgumentError("recommend", `k must be at least 1, got ${k}`);
  if (excluded.length > 0) checkHistory("recommend", excluded, scores.length);
  const out = new Set(excluded);
  const candidates = Array.from({ length: scores.length - 1 }, (_, i) => i + 1).filter((item) => !out.has(item));
  candidates.sort((a, b) => scores[b] - scores[a] || a - b);
  return candidates.slice(0, k).map((item) => ({ item, score: scores[item] }));
}
