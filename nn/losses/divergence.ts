// Distances of distributions and directions.

import { type Tensor, where } from "../../engine/index.ts";
import { checkPair, type ReductionOptions, reduced } from "./reduction.ts";

/**
 * KL(p || q) = sum p (log p - log q) along the last axis, the mean over the rest: from log-probabilities, with
 * gradients to both sides. Where p is 0 (its logarithm -Inf), q counts for nothing.
 * @param logP [..., C]; @param logQ the same shape
 * @throws ShapeError, DTypeError
 */
export function klDivergence(logP: Tensor, logQ: Tensor, options: ReductionOptions = {}): Tensor {
  checkPair("klDivergence", logP, logQ);
  const none = logP.equal(Number.NEGATIVE_INFINITY);
  // Both sides of the difference are made harmless before it is taken: -Inf - -Inf is NaN, and so is its gradient.
  const [p, q] = [logP.maskedFill(none, 0), logQ.maskedFill(none, 0)];
  const terms = where(none, 0, p.exp().mul(p.sub(q)));
  return reduced(terms.sum(-1), options);
}

export interface CosineOptions {
  /** Default -1. */
  readonly axis?: number;
  /** Least product of the lengths; default 1e-8. */
  readonly eps?: number;
}

/** x y / max(|x| |y|, eps) along an axis, which disappears. @throws ShapeError, DTypeError */
export function cosineSimilarity(x: Tensor, y: Tensor, { axis = -1, eps = 1e-8 }: CosineOptions = {}): Tensor {
  checkPair("cosineSimilarity", x, y);
  const squares = x.square().sum(axis).mul(y.square().sum(axis));
  // Limited before the root: the root's slope at 0 is infinite.
  return x
    .mul(y)
    .sum(axis)
    .div(squares.maximum(eps * eps).sqrt());
}

export interface CosineLossOptions extends ReductionOptions {
  /** Similarity up to which a pair that should differ costs nothing; default 0. */
  readonly margin?: number;
}

/**
 * Mean of 1 - cos(x, y) where `alike` (bool [...]) holds, of max(0, cos(x, y) - margin) elsewhere.
 * @param x [..., C]; @param y the same shape
 * @throws ShapeError, DTypeError
 */
export function cosineEmbeddingLoss(x: Tensor, y: Tensor, alike: Tensor, options: CosineLossOptions = {}): Tensor {
  const similarity = cosineSimilarity(x, y);
  const apart = similarity.sub(options.margin ?? 0).relu();
  return reduced(where(alike, similarity.neg().add(1), apart), options);
}
