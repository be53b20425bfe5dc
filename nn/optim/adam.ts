// Adam and AdamW.

import type { Tensor } from "../../engine/index.ts";
import { checkRange, Optimizer, type Update, zerosBeside } from "./optimizer.ts";

export interface AdamOptions {
  readonly lr: number;
  /** Decay of the means of g and g^2; default (0.9, 0.999). */
  readonly betas?: readonly [number, number];
  /** Default 1e-8. */
  readonly eps?: number;
  /** Default 0. */
  readonly weightDecay?: number;
}

/**
 * Adam (Kingma & Ba 2015): m = b1 m + (1-b1) g;  v = b2 v + (1-b2) g^2;
 * p = p - lr * (m / (1-b1^t)) / (sqrt(v / (1-b2^t)) + eps). Weight decay is added to the gradient.
 */
export class Adam extends Optimizer {
  readonly betas: readonly [number, number];
  readonly eps: number;
  readonly weightDecay: number;
  /** How many steps were taken, a scalar leaf. */
  readonly steps: Tensor;
  /** The means of g and of g^2, one beside each parameter. */
  readonly firstMoments: readonly Tensor[];
  readonly secondMoments: readonly Tensor[];

  constructor(parameters: readonly Tensor[], options: AdamOptions) {
    const { lr, betas = [0.9, 0.999], eps = 1e-8, weightDecay = 0 } = options;
    super("Adam", parameters, lr);
    for (const beta of betas) checkRange("Adam", "a beta", beta, beta >= 0 && beta < 1);
    checkRange("Adam", "eps", eps, eps > 0);
    checkRange("Adam", "weightDecay", weightDecay, weightDecay >= 0);
    this.betas = betas;
    this.eps = eps;
    this.weightDecay = weightDecay;
    this.steps = this.scalar(0);
    this.firstMoments = zerosBeside(parameters);
    this.secondMoments = zerosBeside(parameters);
  }

  protected override updates(gradients: readonly (Tensor | undefined)[]): Update[] {
    const steps = this.steps.add(1);
    const [c1, c2] = this.betas.map((beta) => correction(beta, steps));
    const [b1, b2] = this.betas;
    const updates = this.parameters.flatMap((p, i): Update[] => {
      const raw = gradients[i];
      if (raw === undefined) return [];
      const g = this.gradient(raw, p);
      const m = this.firstMoments[i].mul(b1).add(g.mul(1 - b1));
      const v = this.secondMoments[i].mul(b2).add(g.square().mul(1 - b2));
      const direction = m.div(c1.cast(p.dtype)).div(v.div(c2.cast(p.dtype)).sqrt().add(this.eps));
      return [
        [p, this.decayed(p).sub(direction.mul(this.lr.cast(p.dtype)))],
        [this.firstMoments[i], m],
        [this.secondMoments[i], v],
      ];
    });
    return [...updates, [this.steps, steps]];
  }

  /** The gradient that the moments see. */
  protected gradient(g: Tensor, p: Tensor): Tensor {
    return this.weightDecay > 0 ? g.add(p.mul(this.weightDecay)) : g;
  }

  /** The parameter before the step is taken from it. */
  protected decayed(p: Tensor): Tensor {
    return p;
  }
}

/** AdamW (Loshchilov & Hutter 2019): the weights decay by lr * weightDecay on their own, not through the moments. */
export class AdamW extends Adam {
  constructor(parameters: readonly Tensor[], options: AdamOptions) {
    super(parameters, { weightDecay: 0.01, ...options });
  }

  protected override gradient(g: Tensor): Tensor {
    return g;
  }

  protected override decayed(p: Tensor): Tensor {
    return this.weightDecay > 0 ? p.sub(p.mul(this.lr.cast(p.dtype).mul(this.weightDecay))) : p;
  }
}

/** 1 - beta^t. Through expm1, which keeps its digits in f32 where beta^t is close to 1 (and is right for beta = 0). */
export const correction = (beta: number, steps: Tensor): Tensor => steps.mul(Math.log(beta)).expm1().neg();
