// Stochastic gradient descent, with momentum as PyTorch defines it.

import { scatteredRows, type Tensor } from "../../engine/index.ts";
import { checkRange, Optimizer, type Update, zerosBeside } from "./optimizer.ts";
import { subtractRows, touchedRows, worthTouching } from "./touched.ts";

export interface SGDOptions {
  readonly lr: number;
  /** Default 0: none. */
  readonly momentum?: number;
  /** Looks ahead along the momentum (Sutskever et al. 2013); needs momentum. */
  readonly nesterov?: boolean;
  /** Adds weightDecay * p to the gradient; default 0. */
  readonly weightDecay?: number;
}

/**
 * g' = g + decay p;  m = momentum m + g';  p = p - lr * (nesterov: g' + momentum m; else m). With neither decay nor
 * momentum, of a large table (`Embedding`) only the rows that the loss looked up are read and written, with the same bits.
 */
export class SGD extends Optimizer {
  readonly momentum: number;
  readonly nesterov: boolean;
  readonly weightDecay: number;
  /** The velocities, one beside each parameter; none without momentum. */
  readonly velocities: readonly Tensor[];

  constructor(parameters: readonly Tensor[], { lr, momentum = 0, nesterov = false, weightDecay = 0 }: SGDOptions) {
    super("SGD", parameters, lr);
    checkRange("SGD", "momentum", momentum, momentum >= 0 && momentum < 1);
    checkRange("SGD", "weightDecay", weightDecay, weightDecay >= 0);
    checkRange("SGD", "momentum (for nesterov)", momentum, !nesterov || momentum > 0);
    this.momentum = momentum;
    this.nesterov = nesterov;
    this.weightDecay = weightDecay;
    this.velocities = momentum > 0 ? zerosBeside(parameters) : [];
  }

  protected override updates(gradients: readonly (Tensor | undefined)[]): Update[] {
    return this.parameters.flatMap((p, i): Update[] => {
      const raw = gradients[i];
      if (raw === undefined) return [];
      const lr = this.lr.cast(p.dtype);
      const g = this.weightDecay > 0 ? raw.add(p.mul(this.weightDecay)) : raw;
      const scattered = this.momentum + this.weightDecay === 0 ? scatteredRows(raw) : undefined;
      if (scattered !== undefined && worthTouching(p, scattered)) {
        const touched = touchedRows(scattered);
        return [[p, subtractRows(p, touched, touched.gradient.mul(lr))]];
      }
      if (this.momentum === 0) return [[p, p.sub(g.mul(lr))]];
      const velocity = this.velocities[i].mul(this.momentum).add(g);
      const direction = this.nesterov ? g.add(velocity.mul(this.momentum)) : velocity;
      return [
        [p, p.sub(direction.mul(lr))],
        [this.velocities[i], velocity],
      ];
    });
  }
}
