// SwitchHead's projection (Csordas et al. 2024), the paper's baseline of Table 6: sigmoid-gated experts for keys or values.

import { ArgumentError, type DType, oneHot, type Shape, type Tensor, topk } from "../../engine/index.ts";
import { init, Linear, Module } from "../../nn/index.ts";

export interface SwitchExperts {
  readonly experts: number;
  /** How many of them, per head and token, are added up. */
  readonly topK: number;
}

/**
 * Per KV head: sum over the topK experts of s_e * x W^e with s = sigmoid(x W_s), scores that do not compete. One expert
 * of one is the headwise gate at G2 (or G3). x [B, n, dModel] -> [B, n, nKvHeads, headDim].
 */
export class SwitchProjection extends Module {
  readonly experts: number;
  readonly topK: number;
  readonly heads: number;
  readonly headDim: number;
  /** All experts' projections: weight [experts * heads * headDim, dModel]. */
  readonly proj: Linear;
  /** W_s: weight [heads * experts, dModel]. */
  readonly router: Linear;

  /** @throws ArgumentError unless 1 <= topK <= experts */
  constructor(dModel: number, heads: number, headDim: number, options: SwitchExperts & SwitchInit) {
    super();
    const { experts, topK, initStd = 0.02, dtype } = options;
    if (!Number.isInteger(experts) || !Number.isInteger(topK) || topK < 1 || topK > experts)
      throw new ArgumentError("SwitchProjection", `topK must be from 1 to experts = ${experts}, got ${topK}`);
    const linear = (to: number): Linear =>
      new Linear(dModel, to, { bias: false, weightInit: init.normal(0, initStd), dtype });
    this.experts = experts;
    this.topK = topK;
    this.heads = heads;
    this.headDim = headDim;
    this.proj = linear(experts * heads * headDim);
    this.router = linear(heads * experts);
  }

  /** The shapes of its parameters. */
  static shapes(dModel: number, heads: number, headDim: number, { experts }: SwitchExperts): Record<string, Shape> {
    return { "proj.weight": [experts * heads * headDim, dModel], "router.weight": [heads * experts, dModel] };
  }

  override forward(x: Tensor): Tensor {
    const [batch, steps] = x.shape;
    const { experts, topK, heads, headDim } = this;
    const scores = this.router.forward(x).sigmoid().reshape([batch, steps, heads, experts]);
    const kept = topK === experts ? scores : scores.mul(this.chosen(scores));
    const all = this.proj.forward(x).reshape([batch, steps, experts, heads, headDim]);
    return all.mul(kept.transpose(2, 3).unsqueeze(-1)).sum(2);
  }

  /** 1 for the topK experts of each head and token. No gradient. */
  private chosen(scores: Tensor): Tensor {
    return oneHot(topk(scores, this.topK, -1).indices, this.experts, scores.dtype).sum(-2);
  }
}

interface SwitchInit {
  /** Standard deviation of the weights' first values; default 0.02. */
  readonly initStd?: number;
  readonly dtype?: DType;
}
