// Stochastic depth: in training, a sample's whole branch is dropped at random.

import { rand, type Tensor } from "../engine/index.ts";
import { checkRate } from "./checks.ts";
import { Module } from "./module.ts";

/**
 * x [N, ...] with each sample zeroed with probability `rate` and the others divided by 1 - rate (Huang et al. 2016); x
 * itself outside training. Put it at the end of a residual branch.
 */
export class DropPath extends Module {
  readonly rate: number;

  /** @throws ArgumentError unless 0 <= rate < 1 */
  constructor(rate = 0) {
    super();
    checkRate("DropPath", "rate", rate);
    this.rate = rate;
  }

  override forward(x: Tensor): Tensor {
    if (!this.training || this.rate === 0) return x;
    const dropped = rand(x.shape.map((side, i) => (i === 0 ? side : 1))).less(this.rate);
    return x.div(1 - this.rate).maskedFill(dropped, 0);
  }
}
