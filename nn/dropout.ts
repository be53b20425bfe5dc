// Dropout: in training, zeroes elements at random and scales the rest so that the mean stays.

import { ArgumentError, rand, type Tensor } from "../engine/index.ts";
import { Module } from "./module.ts";

/** x with each element zeroed with probability `rate` and the others divided by 1 - rate; x itself outside training. */
export class Dropout extends Module {
  readonly rate: number;

  /** @throws ArgumentError unless 0 <= rate < 1 */
  constructor(rate = 0.5) {
    super();
    if (!(rate >= 0 && rate < 1)) throw new ArgumentError("Dropout", `rate must be in [0, 1), got ${rate}`);
    this.rate = rate;
  }

  override forward(x: Tensor): Tensor {
    if (!this.training || this.rate === 0) return x;
    const kept = rand(x.shape).greaterEqual(this.rate);
    return where0(kept, x.div(1 - this.rate));
  }
}

/** A dropped element is 0 even where x is infinite. */
const where0 = (kept: Tensor, x: Tensor): Tensor => x.maskedFill(kept.logicalNot(), 0);
