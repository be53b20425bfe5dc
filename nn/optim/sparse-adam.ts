// Adam for tables of which each step looks up a few rows.

import { ArgumentError, formatShape, indexSelect, scatteredRows, type Tensor } from "../../engine/index.ts";
import { type AdamOptions, correction } from "./adam.ts";
import { checkRange, Optimizer, type Update, zerosBeside } from "./optimizer.ts";
import { subtractRows, touchedRows } from "./touched.ts";

/**
 * Lazy Adam, as PyTorch's SparseAdam: rows that were not looked up keep their moments and stay as they are, so a step
 * reads and writes touched rows only. For these m = b1 m + (1-b1) g;  v = b2 v + (1-b2) g^2;
 * p = p - lr * sqrt(1-b2^t) / (1-b1^t) * m / (sqrt(v) + eps), with t counting all steps.
 * Parameters must be tables that the loss uses through lookups alone (`Embedding`, `indexSelect` along axis 0).
 */
export class SparseAdam extends Optimizer {
  readonly betas: readonly [number, number];
  readonly eps: number;
  /** How many steps were taken, a scalar leaf. */
  readonly steps: Tensor;
  /** The means of g and of g^2, one beside each parameter. */
  readonly firstMoments: readonly Tensor[];
  readonly secondMoments: readonly Tensor[];

  constructor(parameters: readonly Tensor[], options: Omit<AdamOptions, "weightDecay">) {
    const { lr, betas = [0.9, 0.999], eps = 1e-8 } = options;
    super("SparseAdam", parameters, lr);
    for (const beta of betas) checkRange("SparseAdam", "a beta", beta, beta >= 0 && beta < 1);
    checkRange("SparseAdam", "eps", eps, eps > 0);
    this.betas = betas;
    this.eps = eps;
    this.steps = this.scalar(0);
    this.firstMoments = zerosBeside(parameters);
    this.secondMoments = zerosBeside(parameters);
  }

  /** @throws ArgumentError for a gradient that is not one of lookups alone, and for one that was evaluated before */
  protected override updates(gradients: readonly (Tensor | undefined)[]): Update[] {
    const steps = this.steps.add(1);
    const [b1, b2] = this.betas;
    const updates = this.parameters.flatMap((p, i): Update[] => {
      const raw = gradients[i];
      if (raw === undefined) return [];
      const scattered = scatteredRows(raw);
      if (scattered === undefined) {
        throw new ArgumentError(
          "SparseAdam",
          `the gradient of parameter ${i} ${formatShape(p.shape)} is not one of looked-up rows alone (it is used ` +
            "otherwise, or was clipped, accumulated or read before the step); give this parameter to Adam",
        );
      }
      const touched = touchedRows(scattered);
      const { index, gradient: g } = touched;
      const [c1, c2] = [b1, b2].map((beta) => correction(beta, steps).cast(p.dtype));
      const [m, v] = [this.firstMoments[i], this.secondMoments[i]];
      const [oldM, oldV] = [m, v].map((moment) => indexSelect(moment, 0, index));
      // What is taken off the old means: (1 - b) (old - new).
      const lessM = oldM.sub(g).mul(1 - b1);
      const lessV = oldV.sub(g.square()).mul(1 - b2);
      const rate = this.lr.cast(p.dtype).mul(c2.sqrt().div(c1));
      const direction = oldM.sub(lessM).div(oldV.sub(lessV).sqrt().add(this.eps));
      return [
        [p, subtractRows(p, touched, direction.mul(rate))],
        [m, subtractRows(m, touched, lessM)],
        [v, subtractRows(v, touched, lessV)],
      ];
    });
    return [...updates, [this.steps, steps]];
  }
}
