// Smooth-step: a cubic from exactly 0 to exactly 1 over a band of width gamma (Hazimeh et al. 2020; COMET section 2).

import { ArgumentError, type Tensor } from "../engine/index.ts";

/**
 * S(t) = 0 for t <= -gamma/2, 1 for t >= gamma/2, and -2 (t/gamma)^3 + 3/2 (t/gamma) + 1/2 between: continuous with its
 * first derivative. S(-t) = 1 - S(t).
 * @param t any shape
 * @param gamma the width of the band, > 0
 * @throws ArgumentError
 */
export function smoothStep(t: Tensor, gamma: number): Tensor {
  checkGamma("smoothStep", gamma);
  // The same cubic in w = t/gamma + 1/2 is w^2 (3 - 2w): a product of non-negatives, so rounding never gives a negative
  // probability. Outside the band w is clamped and the slope 6 w (1 - w) is exactly 0.
  const w = t.div(gamma).add(0.5).clamp(0, 1);
  return w.square().mul(w.mul(-2).add(3));
}

/** Throws an ArgumentError unless gamma > 0. */
export function checkGamma(op: string, gamma: number): void {
  if (!(gamma > 0) || !Number.isFinite(gamma)) throw new ArgumentError(op, `gamma must be above 0, got ${gamma}`);
}
