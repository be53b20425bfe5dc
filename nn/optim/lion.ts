// Lion: steps of one size in the direction of a sign (Chen et al. 2023).

import type { Tensor } from "../../engine/index.ts";
import { checkRange, Optimizer, type Update, zerosBeside } from "./optimizer.ts";

export interface LionOptions {
  readonly lr: number;
  /** Shares of the momentum in the step, and of itself in its next value; default (0.9, 0.99). */
  readonly betas?: readonly [number, number];
  /** Decoupled, as AdamW's; default 0. */
  readonly weightDecay?: number;
}

/** p = p - lr * (sign(b1 m + (1-b1) g) + decay p);  m = b2 m + (1-b2) g. */
export class Lion extends Optimizer {
  readonly betas: readonly [number, number];
  readonly weightDecay: number;
  readonly momenta: readonly Tensor[];

  constructor(parameters: readonly Tensor[], { lr, betas = [0.9, 0.99], weightDecay = 0 }: LionOptions) {
    super("Lion", parameters, lr);
    for (const beta of betas) checkRange("Lion", "a beta", beta, beta >= 0 && beta < 1);
    checkRange("Lion", "weightDecay", weightDecay, weightDecay >= 0);
    this.betas = betas;
    this.weightDecay = weightDecay;
    this.momenta = zerosBeside(parameters);
  }

  protected override updates(gradients: readonly (Tensor | undefined)[]): Update[] {
    const [b1, b2] = this.betas;
    const blend = (m: Tensor, g: Tensor, beta: number): Tensor => m.mul(beta).add(g.mul(1 - beta));
    return this.parameters.flatMap((p, i): Update[] => {
      const g = gradients[i];
      if (g === undefined) return [];
      const direction = blend(this.momenta[i], g, b1).sign();
      const whole = this.weightDecay > 0 ? direction.add(p.mul(this.weightDecay)) : direction;
      return [
        [p, p.sub(whole.mul(this.lr.cast(p.dtype)))],
        [this.momenta[i], blend(this.momenta[i], g, b2)],
      ];
    });
  }
}
