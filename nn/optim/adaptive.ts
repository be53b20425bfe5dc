// Optimizers that divide by a running size of the gradient: RMSprop and Adagrad.

import type { Tensor } from "../../engine/index.ts";
import { checkRange, Optimizer, type Update, zerosBeside } from "./optimizer.ts";

export interface RMSpropOptions {
  readonly lr: number;
  /** Decay of the mean of g^2; default 0.99. */
  readonly alpha?: number;
  /** Default 1e-8. */
  readonly eps?: number;
  /** Default 0. */
  readonly momentum?: number;
  /** Divides by the deviation of g instead of its root mean square. */
  readonly centered?: boolean;
  /** Adds weightDecay * p to the gradient; default 0. */
  readonly weightDecay?: number;
}

/** v = a v + (1-a) g^2;  d = g / (sqrt(v) + eps), with momentum b = m b + d;  p = p - lr * (b or d) (Hinton 2012). */
export class RMSprop extends Optimizer {
  readonly options: Required<Omit<RMSpropOptions, "lr">>;
  readonly squares: readonly Tensor[];
  /** The means of g, where centred. */
  readonly means: readonly Tensor[];
  readonly velocities: readonly Tensor[];

  constructor(parameters: readonly Tensor[], { lr, ...given }: RMSpropOptions) {
    super("RMSprop", parameters, lr);
    const options = { alpha: 0.99, eps: 1e-8, momentum: 0, centered: false, weightDecay: 0, ...given };
    checkRange("RMSprop", "alpha", options.alpha, options.alpha >= 0 && options.alpha < 1);
    checkRange("RMSprop", "eps", options.eps, options.eps > 0);
    checkRange("RMSprop", "momentum", options.momentum, options.momentum >= 0 && options.momentum < 1);
    checkRange("RMSprop", "weightDecay", options.weightDecay, options.weightDecay >= 0);
    this.options = options;
    this.squares = zerosBeside(parameters);
    this.means = options.centered ? zerosBeside(parameters) : [];
    this.velocities = options.momentum > 0 ? zerosBeside(parameters) : [];
  }

  protected override updates(gradients: readonly (Tensor | undefined)[]): Update[] {
    const { alpha, eps, momentum, centered, weightDecay } = this.options;
    const average = (old: Tensor, value: Tensor): Tensor => old.mul(alpha).add(value.mul(1 - alpha));
    return this.parameters.flatMap((p, i): Update[] => {
      const raw = gradients[i];
      if (raw === undefined) return [];
      const g = weightDecay > 0 ? raw.add(p.mul(weightDecay)) : raw;
      const square = average(this.squares[i], g.square());
      const mean = centered ? average(this.means[i], g) : undefined;
      const spread = mean === undefined ? square : square.sub(mean.square());
      const direction = g.div(spread.sqrt().add(eps));
      const velocity = momentum > 0 ? this.velocities[i].mul(momentum).add(direction) : undefined;
      return [
        [p, p.sub((velocity ?? direction).mul(this.lr.cast(p.dtype)))],
        [this.squares[i], square],
        ...(mean === undefined ? [] : [[this.means[i], mean] as const]),
        ...(velocity === undefined ? [] : [[this.velocities[i], velocity] as const]),
      ];
    });
  }
}

export interface AdagradOptions {
  readonly lr: number;
  /** Default 1e-10. */
  readonly eps?: number;
  /** The learning rate of step t (from 1) is lr / (1 + (t - 1) lrDecay); default 0. */
  readonly lrDecay?: number;
  /** Adds weightDecay * p to the gradient; default 0. */
  readonly weightDecay?: number;
}

/** s = s + g^2;  p = p - lr_t * g / (sqrt(s) + eps) (Duchi et al. 2011). */
export class Adagrad extends Optimizer {
  readonly options: Required<Omit<AdagradOptions, "lr">>;
  readonly steps: Tensor;
  readonly sums: readonly Tensor[];

  constructor(parameters: readonly Tensor[], { lr, ...given }: AdagradOptions) {
    super("Adagrad", parameters, lr);
    const options = { eps: 1e-10, lrDecay: 0, weightDecay: 0, ...given };
    checkRange("Adagrad", "eps", options.eps, options.eps > 0);
    checkRange("Adagrad", "lrDecay", options.lrDecay, options.lrDecay >= 0);
    checkRange("Adagrad", "weightDecay", options.weightDecay, options.weightDecay >= 0);
    this.options = options;
    this.steps = this.scalar(0);
    this.sums = zerosBeside(parameters);
  }

  protected override updates(gradients: readonly (Tensor | undefined)[]): Update[] {
    const { eps, lrDecay, weightDecay } = this.options;
    const lr = this.lr.div(this.steps.mul(lrDecay).add(1));
    const updates = this.parameters.flatMap((p, i): Update[] => {
      const raw = gradients[i];
      if (raw === undefined) return [];
      const g = weightDecay > 0 ? raw.add(p.mul(weightDecay)) : raw;
      const sum = this.sums[i].add(g.square());
      return [
        [p, p.sub(g.div(sum.sqrt().add(eps)).mul(lr.cast(p.dtype)))],
        [this.sums[i], sum],
      ];
    });
    return [...updates, [this.steps, this.steps.add(1)]];
  }
}
