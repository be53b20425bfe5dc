// The Transformer encoder of SASRec and BERT4Rec: positions, norm, dropout, and post-norm blocks.

import type { DType, Tensor } from "../../../engine/index.ts";
import {
  Dropout,
  FeedForward,
  LayerNorm,
  LearnedPositions,
  Module,
  MultiHeadAttention,
  TransformerBlock,
} from "../../../nn/index.ts";
import { realPositions } from "./extent.ts";
import { redrawLinears } from "./initial.ts";

export interface EncoderOptions {
  /** Features, d; default 64. */
  readonly size?: number;
  /** Default 2. */
  readonly layers?: number;
  /** Default 8. */
  readonly heads?: number;
  /** Features inside the feed-forward networks; default 256. */
  readonly inner?: number;
  /** Of embeddings, attention weights and branches. */
  readonly dropout?: number;
  /** Of the layer norms; default 1e-5, in the releases 1e-12. */
  readonly eps?: number;
  readonly dtype?: DType;
}

/** Vectors [B, T, size] and lengths [B] -> [B, T, size]; nobody looks at padding. Weights N(0, 0.02^2), biases 0. */
export class Encoder extends Module<[x: Tensor, lengths: Tensor]> {
  readonly positions: LearnedPositions;
  readonly norm: LayerNorm;
  readonly dropout: Dropout;
  readonly blocks: readonly TransformerBlock[];

  constructor(positions: number, causal: boolean, options: EncoderOptions) {
    super();
    const { size = 64, layers = 2, heads = 8, inner = 256, dropout = 0.2, eps = 1e-5, dtype } = options;
    this.positions = new LearnedPositions(positions, size, { dtype });
    this.norm = new LayerNorm(size, { eps, dtype });
    this.dropout = new Dropout(dropout);
    this.blocks = Array.from(
      { length: layers },
      () =>
        new TransformerBlock(size, {
          attention: new MultiHeadAttention(size, { heads, causal, dropout, dtype }),
          feedForward: new FeedForward(size, inner, { dtype }),
          order: "post",
          norm: (features) => new LayerNorm(features, { eps, dtype }),
          dropout,
          dtype,
        }),
    );
    redrawLinears(this);
  }

  override forward(x: Tensor, lengths: Tensor): Tensor {
    const keyMask = realPositions(lengths, x.shape[1]).squeeze(-1);
    const start = this.dropout.forward(this.norm.forward(this.positions.forward(x)));
    return this.blocks.reduce((h, block) => block.forward(h, { keyMask }), start);
  }
}
