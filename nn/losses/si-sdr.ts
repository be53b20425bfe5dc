// Scale-invariant signal-to-distortion ratio, and the loss that does not mind in which order sources come out.

import { ArgumentError, formatShape, ShapeError, stack, type Tensor } from "../../engine/index.ts";
import { checkPair, type ReductionOptions, reduced } from "./reduction.ts";

export interface SiSdrOptions {
  /** Whether means are taken off first; default true. */
  readonly zeroMean?: boolean;
  /** Added to energies; default 1e-8. */
  readonly eps?: number;
}

/**
 * 10 log10(|a s|^2 / |a s - e|^2) in dB with a = <e, s> / |s|^2 (Le Roux et al. 2019): [..., T] and [..., T] -> [...];
 * leading axes broadcast.
 */
export function siSdr(estimate: Tensor, target: Tensor, { zeroMean = true, eps = 1e-8 }: SiSdrOptions = {}): Tensor {
  if (estimate.rank < 1 || estimate.shape.at(-1) !== target.shape.at(-1)) {
    throw new ShapeError("siSdr", `lengths of ${formatShape(estimate.shape)} and ${formatShape(target.shape)} differ`);
  }
  const centred = (x: Tensor): Tensor => (zeroMean ? x.sub(x.mean(-1, { keepDims: true })) : x);
  const [e, s] = [centred(estimate), centred(target)];
  const scale = e
    .mul(s)
    .sum(-1, { keepDims: true })
    .div(s.square().sum(-1, { keepDims: true }).add(eps));
  const projected = s.mul(scale);
  const noise = projected.sub(e).square().sum(-1).add(eps);
  return projected
    .square()
    .sum(-1)
    .add(eps)
    .div(noise)
    .log()
    .mul(10 / Math.LN10);
}

/** Sources beyond this have too many orders to try them all. */
const mostSources = 6;

function permutations(items: readonly number[]): number[][] {
  if (items.length <= 1) return [[...items]];
  return items.flatMap((item) => permutations(items.filter((other) => other !== item)).map((rest) => [item, ...rest]));
}

/**
 * Minus the SI-SDR of the best assignment of estimates to targets (permutation-invariant training, Yu et al. 2017),
 * its mean over sources and batch.
 * @param estimates [B, S, T]; @param targets the same shape; S <= 6
 * @throws ShapeError, DTypeError, ArgumentError
 */
export function pitSiSdrLoss(
  estimates: Tensor,
  targets: Tensor,
  options: SiSdrOptions & ReductionOptions = {},
): Tensor {
  checkPair("pitSiSdrLoss", estimates, targets);
  if (estimates.rank !== 3)
    throw new ShapeError("pitSiSdrLoss", `takes [B, S, T], got ${formatShape(estimates.shape)}`);
  const sources = estimates.shape[1];
  if (sources < 1 || sources > mostSources)
    throw new ArgumentError("pitSiSdrLoss", `takes 1 to ${mostSources} sources, got ${sources}`);
  // [B, estimate, target]: every pair once; an order is a sum over S of them.
  const pairs = siSdr(estimates.unsqueeze(2), targets.unsqueeze(1), options);
  const scores = permutations(Array.from({ length: sources }, (_, i) => i)).map((order) =>
    order.map((to, from) => pairs.select(1, from).select(1, to)).reduce((sum, score) => sum.add(score)),
  );
  return reduced(stack(scores, -1).max(-1).div(-sources), options);
}
