// Transformer blocks: attention and a feed-forward network around a stream of residuals, normalised where you say.

import type { DType, Tensor } from "../engine/index.ts";
import type { AttentionInput, MultiHeadAttention } from "./attention.ts";
import { DropPath } from "./drop-path.ts";
import { Dropout } from "./dropout.ts";
import { LayerScale } from "./layer-scale.ts";
import { Module } from "./module.ts";
import { LayerNorm } from "./norm.ts";

export interface ResidualOptions {
  /** Where the norms are. pre: x + f(n(x)); post: n(x + f(x)); sandwich: x + n'(f(n(x))). Default pre. */
  readonly order?: "pre" | "post" | "sandwich";
  /** Makes a norm for so many features; default LayerNorm. */
  readonly norm?: (size: number) => Module;
  /** Of the branch; default 0. */
  readonly dropout?: number;
  /** Probability that a sample skips the branch in training; default 0. */
  readonly dropPath?: number;
  /** First values of a trained factor per feature; default: no such factor. */
  readonly layerScale?: number;
  readonly dtype?: DType;
}

/** A branch beside x, added to it: `forward(x, branch)`, with [..., size] -> [..., size]. */
export class Residual extends Module<[x: Tensor, branch: (x: Tensor) => Tensor]> {
  readonly order: "pre" | "post" | "sandwich";
  readonly norm: Module;
  /** The branch's second norm, of a sandwich. */
  readonly outNorm: Module | undefined;
  readonly layerScale: LayerScale | undefined;
  readonly dropout: Dropout;
  readonly dropPath: DropPath;

  constructor(size: number, options: ResidualOptions = {}) {
    super();
    const { order = "pre", dropout = 0, dropPath = 0, layerScale, dtype } = options;
    const norm = options.norm ?? ((features) => new LayerNorm(features, { dtype }));
    this.order = order;
    this.norm = norm(size);
    this.outNorm = order === "sandwich" ? norm(size) : undefined;
    this.layerScale = layerScale === undefined ? undefined : new LayerScale(size, layerScale, { dtype });
    this.dropout = new Dropout(dropout);
    this.dropPath = new DropPath(dropPath);
  }

  override forward(x: Tensor, branch: (x: Tensor) => Tensor): Tensor {
    const raw = branch(this.order === "post" ? x : this.norm.forward(x));
    const normed = this.outNorm?.forward(raw) ?? raw;
    const scaled = this.layerScale?.forward(normed) ?? normed;
    const sum = x.add(this.dropPath.forward(this.dropout.forward(scaled)));
    return this.order === "post" ? this.norm.forward(sum) : sum;
  }
}

export interface TransformerBlockOptions extends ResidualOptions {
  readonly attention: MultiHeadAttention;
  readonly feedForward: Module;
  /** Attention to the context, between the two: makes the block a decoder's of an encoder-decoder. */
  readonly crossAttention?: MultiHeadAttention;
}

export interface BlockInput extends Omit<AttentionInput, "context"> {
  /** For `crossAttention`: [N, S, contextSize], and which of it is real, bool [N, S]. */
  readonly context?: Tensor;
  readonly contextMask?: Tensor;
}

/** x [N, T, size] -> [N, T, size]: self-attention, cross-attention where given, feed-forward; each in a Residual. */
export class TransformerBlock extends Module<[x: Tensor, input?: BlockInput]> {
  readonly attention: MultiHeadAttention;
  readonly attentionResidual: Residual;
  readonly crossAttention: MultiHeadAttention | undefined;
  readonly crossResidual: Residual | undefined;
  readonly feedForward: Module;
  readonly feedForwardResidual: Residual;

  constructor(size: number, { attention, feedForward, crossAttention, ...residual }: TransformerBlockOptions) {
    super();
    this.attention = attention;
    this.attentionResidual = new Residual(size, residual);
    this.crossAttention = crossAttention;
    this.crossResidual = crossAttention === undefined ? undefined : new Residual(size, residual);
    this.feedForward = feedForward;
    this.feedForwardResidual = new Residual(size, residual);
  }

  override forward(x: Tensor, input: BlockInput = {}): Tensor {
    const { context, contextMask, ...own } = input;
    const attended = this.attentionResidual.forward(x, (h) => this.attention.forward(h, own));
    const { crossAttention, crossResidual } = this;
    const informed =
      crossAttention === undefined || crossResidual === undefined
        ? attended
        : crossResidual.forward(attended, (h) => crossAttention.forward(h, { context, keyMask: contextMask }));
    return this.feedForwardResidual.forward(informed, (h) => this.feedForward.forward(h));
  }
}
