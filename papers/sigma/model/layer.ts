// One layer of SIGMA and Mamba4Rec: a mixer of positions, then a feed-forward network, normalised after each.

import type { DType, Tensor } from "../../../engine/index.ts";
import { Dropout, FeedForward, LayerNorm, Module } from "../../../nn/index.ts";
import { type Focus, focused, type Histories } from "./extent.ts";
import type { Mixer } from "./gmamba.ts";

export interface LayerOptions {
  /** Whether x is added to the mixer's output; where there is one layer only it is not (Mamba4Rec's rule). */
  readonly residual: boolean;
  readonly dropout: number;
  /** Of the layer norms. */
  readonly eps: number;
  readonly dtype?: DType;
}

/** h = LN(Dropout(mixer(x)) [+ x]), out = LN(Dropout(FFN(h)) + h), FFN through 4 size features with GELU. */
export class SequenceLayer extends Module<[histories: Histories, focus: Focus], Tensor> {
  readonly mixer: Mixer;
  readonly norm: LayerNorm;
  readonly feedForward: FeedForward;
  readonly outNorm: LayerNorm;
  readonly dropout: Dropout;
  readonly residual: boolean;

  constructor(size: number, mixer: Mixer, { residual, dropout, eps, dtype }: LayerOptions) {
    super();
    this.mixer = mixer;
    this.norm = new LayerNorm(size, { eps, dtype });
    this.feedForward = new FeedForward(size, 4 * size, { dropout, dtype });
    this.outNorm = new LayerNorm(size, { eps, dtype });
    this.dropout = new Dropout(dropout);
    this.residual = residual;
  }

  override forward(histories: Histories, focus: Focus): Tensor {
    return this.finish(this.mixer.forward(histories, focus), () => focused(histories.x, focus));
  }

  /** What follows the mixer, position by position; `x` is the layer's input at the same positions. */
  finish(mixed: Tensor, x: () => Tensor): Tensor {
    const dropped = this.dropout.forward(mixed);
    const h = this.norm.forward(this.residual ? dropped.add(x()) : dropped);
    return this.outNorm.forward(this.dropout.forward(this.feedForward.forward(h)).add(h));
  }
}
