// What every gate gives: a weight for each expert, and what lies behind it. One interface, so that gates can be swapped.

import { ArgumentError, DTypeError, formatShape, isFloat, oneHot, ShapeError, type Tensor } from "../engine/index.ts";
import { Module } from "../nn/index.ts";

/** A weight below this counts as zero in `support` (the released code's test). */
export const supportThreshold = 1e-5;

/**
 * "soft": the weights as trained. "hard": each selector (tree) keeps its most probable expert only, so that at most k
 * experts run.
 */
export type Inference = "soft" | "hard";

/** What a gate decides for a batch. */
export interface GateOutput {
  /** [B, n]: each sample's weight of each expert, >= 0. */
  readonly weights: Tensor;
  /** [B, n, k]: each selector's own distribution over the experts, before the selectors are weighed. */
  readonly leafProbs: Tensor;
  /** Scalar to add to the loss in training; already multiplied by its factor. */
  readonly regLoss: Tensor;
  /** [B] i32: how many experts have a weight of at least 1e-5. */
  readonly support: Tensor;
}

/** A gate's decision, selector by selector: what a permutation of the experts acts on. */
export interface Routing {
  /** [B, n, k]: the part of each expert's weight that comes from each selector; their sum over k is the weight. */
  readonly shares: Tensor;
  readonly leafProbs: Tensor;
  readonly regLoss: Tensor;
}

/** Sizes that all gates have. */
export interface GateConfig {
  readonly nExperts: number;
  readonly k: number;
}

/** Base class of gates. A subclass computes `route`. */
export abstract class Gate extends Module<[x: Tensor, inference?: Inference], GateOutput> {
  readonly nExperts: number;
  /** The number of selectors: at most so many experts have weight once each selector has decided. */
  readonly k: number;
  /** Whether weights that were mixed by a soft permutation are divided by their sum (DSelect-k's are not). */
  readonly renormalizes: boolean = true;

  /** @throws ArgumentError unless 2 <= n and 1 <= k <= n */
  constructor(name: string, { nExperts, k }: GateConfig) {
    super();
    if (!Number.isInteger(nExperts) || nExperts < 2) {
      throw new ArgumentError(name, `needs at least 2 experts to choose from, got nExperts = ${nExperts}`);
    }
    if (!Number.isInteger(k) || k < 1 || k > nExperts) {
      throw new ArgumentError(name, `k must be from 1 to nExperts = ${nExperts}, got ${k}`);
    }
    this.nExperts = nExperts;
    this.k = k;
  }

  /** The decision, selector by selector. */
  abstract route(x: Tensor, inference: Inference): Routing;

  /** x [B, p] -> the gate's decision for each row. */
  override forward(x: Tensor, inference: Inference = "soft"): GateOutput {
    const { shares, leafProbs, regLoss } = this.route(x, inference);
    const weights = this.k === 1 ? shares.squeeze(-1) : shares.sum(-1);
    return { weights, leafProbs, regLoss, support: weights.greaterEqual(supportThreshold).sum(-1) };
  }
}

/** Checks that x is [B, p] with floats; throws a ShapeError or DTypeError. */
export function checkInput(name: string, x: Tensor, inputDim: number): void {
  if (x.rank !== 2 || x.shape[1] !== inputDim) {
    throw new ShapeError(name, `needs x [B, ${inputDim}], got ${formatShape(x.shape)}`);
  }
  if (!isFloat(x.dtype)) throw new DTypeError(name, `needs a float x, got ${x.dtype}`);
}

/** v [B, n, k] with only the largest of each selector kept, as 1 (the first of equals). No gradient. */
export const hardened = (v: Tensor): Tensor => oneHot(v.argmax(1), v.shape[1], v.dtype).mT();

/** Omega (COMET 2.5): mean over samples of the sum of -v ln(v + 1e-6) over experts and selectors; v [B, n, k]. */
export const entropy = (v: Tensor): Tensor => v.mul(v.add(1e-6).log()).sum([1, 2]).mean().neg();
