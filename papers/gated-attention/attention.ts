// The paper's attention layer: grouped queries, QK-norm, RoPE, and one gate (or none) at one of five positions (the paper's Eq. 5).

import {
  ArgumentError,
  type DType,
  formatShape,
  iota,
  type Shape,
  ShapeError,
  scaledDotProductAttention,
  type Tensor,
} from "../../engine/index.ts";
import { init, type KVCache, Linear, Module, RMSNorm, RotaryEmbedding, type RotaryOptions } from "../../nn/index.ts";
import { AttentionGate, type GatePosition, type GateSettings, type GateSpec, type HeadSizes } from "./gate.ts";
import { prefixed } from "./shapes.ts";
import { type SwitchExperts, SwitchProjection } from "./switch-head.ts";

/** What is done to each head's output without a gate: controls for the non-linearity alone (Table 3). */
export type OutputControl = "none" | "rmsnorm" | "silu";

export interface GatedAttentionOptions extends HeadSizes, GateSettings {
  /** Default null: the baseline. */
  readonly gate?: GateSpec | null;
  /** Default none. */
  readonly control?: OutputControl;
  /** Values (and keys) from SwitchHead's experts; default null. */
  readonly switchHead?: (SwitchExperts & { readonly keys: boolean }) | null;
  /** RMSNorm of queries and keys over a head's channels; default true. */
  readonly qkNorm?: boolean;
  /** Default { theta: 10,000 }; null: no rotation. */
  readonly rope?: RotaryOptions | null;
  /** Of all norms; default 1e-6. */
  readonly eps?: number;
  /** Standard deviation of every matrix's first values; default 0.02. */
  readonly initStd?: number;
  readonly dtype?: DType;
}

/** Everything a layer computes on the way. Values that nobody reads are never computed. */
export interface AttentionTrace {
  /** A [B, nHeads, n, keys]: the attention weights. */
  readonly weights: Tensor;
  /** The gate's scores [B, n, heads, channels or 1] (with 1 where shared or input-independent); undefined without a gate. */
  readonly scores: Tensor | undefined;
  /** Y [B, n, nHeads, headDim]: the SDPA output. */
  readonly sdpaOutput: Tensor;
  /** Y': Y after the gate at G1, or the control; Y itself for all others. */
  readonly gatedOutput: Tensor;
  /** V [B, nKvHeads, keys, headDim] as attended to: gated at G2. */
  readonly values: Tensor;
  /** O [B, n, dModel]: the layer's output, gated at G5. */
  readonly output: Tensor;
}

export interface GatedAttentionInput {
  /** What was read before: keys, and values after their gate. */
  readonly cache?: KVCache;
  /** Positions for RoPE, i32 [n]; default 0, 1, ..., after what is in the cache. */
  readonly positions?: Tensor;
}

/** A projection to heads: x [B, n, dModel] -> [B, n, heads, headDim]. */
class HeadLinear extends Linear {
  readonly heads: number;

  constructor(dModel: number, heads: number, headDim: number, initStd: number, dtype: DType | undefined) {
    super(dModel, heads * headDim, { bias: false, weightInit: init.normal(0, initStd), dtype });
    this.heads = heads;
  }

  override forward(x: Tensor): Tensor {
    return super.forward(x).reshape([x.shape[0], x.shape[1], this.heads, -1]);
  }
}

/** Causal self-attention x [B, n, dModel] -> [B, n, dModel]; x is the block's pre-normed input, which the gate reads too. */
export class GatedAttention extends Module<[x: Tensor, input?: GatedAttentionInput]> {
  readonly qProj: HeadLinear;
  readonly kProj: HeadLinear | SwitchProjection;
  readonly vProj: HeadLinear | SwitchProjection;
  readonly oProj: Linear;
  readonly qNorm: RMSNorm | undefined;
  readonly kNorm: RMSNorm | undefined;
  readonly gate: AttentionGate | undefined;
  /** The rmsnorm control's norm of each head's output; weight [headDim], one for all heads. */
  readonly outputNorm: RMSNorm | undefined;
  readonly control: OutputControl;
  readonly rotary: RotaryEmbedding | undefined;
  readonly sizes: HeadSizes;

  /** @throws ArgumentError for sizes that do not divide or a gate that makes no sense (see AttentionGate) */
  constructor(options: GatedAttentionOptions) {
    super();
    const { dModel, nHeads, nKvHeads, headDim, gate = null, control = "none", switchHead = null } = options;
    const { qkNorm = true, rope = {}, eps = 1e-6, initStd = 0.02, dtype } = options;
    checkHeads(options);
    const heads = (count: number): HeadLinear => new HeadLinear(dModel, count, headDim, initStd, dtype);
    const experts = (chosen: SwitchExperts): SwitchProjection =>
      new SwitchProjection(dModel, nKvHeads, headDim, { ...chosen, initStd, dtype });
    const norm = (): RMSNorm => new RMSNorm(headDim, { eps, dtype });
    this.qProj = heads(nHeads);
    this.kProj = switchHead?.keys === true ? experts(switchHead) : heads(nKvHeads);
    this.vProj = switchHead === null ? heads(nKvHeads) : experts(switchHead);
    this.oProj = new Linear(nHeads * headDim, dModel, { bias: false, weightInit: init.normal(0, initStd), dtype });
    this.qNorm = qkNorm ? norm() : undefined;
    this.kNorm = qkNorm ? norm() : undefined;
    this.gate = gate === null ? undefined : new AttentionGate(gate, options, options);
    this.outputNorm = control === "rmsnorm" ? norm() : undefined;
    this.control = control;
    this.rotary = rope === null ? undefined : new RotaryEmbedding(headDim, rope);
    this.sizes = { dModel, nHeads, nKvHeads, headDim };
  }

  /** The shapes of all parameters, by name. */
  static shapes(options: GatedAttentionOptions): Record<string, Shape> {
    const { dModel, nHeads, nKvHeads, headDim, gate = null, switchHead = null, qkNorm = true } = options;
    const heads = (count: number): Record<string, Shape> => ({ weight: [count * headDim, dModel] });
    const experts = (chosen: SwitchExperts): Record<string, Shape> =>
      SwitchProjection.shapes(dModel, nKvHeads, headDim, chosen);
    return {
      ...prefixed("qProj", heads(nHeads)),
      ...prefixed("kProj", switchHead?.keys === true ? experts(switchHead) : heads(nKvHeads)),
      ...prefixed("vProj", switchHead === null ? heads(nKvHeads) : experts(switchHead)),
      "oProj.weight": [dModel, nHeads * headDim],
      ...(qkNorm ? { "qNorm.weight": [headDim], "kNorm.weight": [headDim] } : {}),
      ...(gate === null ? {} : prefixed("gate", AttentionGate.shapes(gate, options, options))),
      ...(options.control === "rmsnorm" ? { "outputNorm.weight": [headDim] } : {}),
    };
  }

  override forward(x: Tensor, input: GatedAttentionInput = {}): Tensor {
    return this.inspect(x, input).output;
  }

  /** `forward` with all it computes on the way; what is not read costs nothing. */
  inspect(x: Tensor, { cache, positions }: GatedAttentionInput = {}): AttentionTrace {
    const { dModel, nHeads, nKvHeads, headDim } = this.sizes;
    if (x.rank !== 3 || x.shape[2] !== dModel)
      throw new ShapeError("GatedAttention", `takes [B, n, ${dModel}], got ${formatShape(x.shape)}`);
    const [batch, steps] = x.shape;
    const scores = this.gate?.forward(x);
    const gated = (position: GatePosition, y: Tensor): Tensor => this.gatedAt(position, y, scores);
    const order = cache?.next(steps) ?? iota([steps]);
    const turn = (h: Tensor): Tensor => this.rotary?.forward(h, positions ?? order) ?? h;
    // Gates come right after their projection: before QK-norm and RoPE, and before the cache.
    const q = turn(normed(this.qNorm, gated("G4", this.qProj.forward(x))).transpose(1, 2));
    const k = turn(normed(this.kNorm, gated("G3", this.kProj.forward(x))).transpose(1, 2));
    const v = gated("G2", this.vProj.forward(x)).transpose(1, 2);
    const known = cache?.append(k, v) ?? { keys: k, values: v };
    const keys = known.keys.shape[2];
    // Queries of a group meet the same keys: [B, nKvHeads, group, n, headDim].
    const grouped = q.reshape([batch, nKvHeads, nHeads / nKvHeads, steps, headDim]);
    const visible = cache === undefined ? { causal: true } : { mask: iota([keys]).lessEqual(order.unsqueeze(1)) };
    const { mixed, weights } = attend(grouped, known.keys.unsqueeze(2), known.values.unsqueeze(2), visible);
    const sdpaOutput = mixed.reshape([batch, nHeads, steps, headDim]).transpose(1, 2);
    const gatedOutput = gated("G1", this.controlled(sdpaOutput));
    const output = this.oProj.forward(gatedOutput.reshape([batch, steps, nHeads * headDim]));
    return {
      weights: weights.reshape([batch, nHeads, steps, keys]),
      scores,
      sdpaOutput,
      gatedOutput,
      values: known.values,
      output: gated("G5", output.unsqueeze(2)).squeeze(2),
    };
  }

  private gatedAt(position: GatePosition, y: Tensor, scores: Tensor | undefined): Tensor {
    const { gate } = this;
    return gate === undefined || scores === undefined || gate.spec.position !== position ? y : gate.apply(y, scores);
  }

  private controlled(y: Tensor): Tensor {
    return this.control === "silu" ? y.silu() : normed(this.outputNorm, y);
  }
}

const normed = (norm: RMSNorm | undefined, x: Tensor): Tensor => norm?.forward(x) ?? x;

/** Scaled dot-product attention, and its weights. */
function attend(q: Tensor, k: Tensor, v: Tensor, visible: { readonly causal?: boolean; readonly mask?: Tensor }) {
  let weights = q;
  const mixed = scaledDotProductAttention(q, k, v, {
    ...visible,
    dropout: (found) => {
      weights = found;
      return found;
    },
  });
  return { mixed, weights };
}

function checkHeads({ dModel, nHeads, nKvHeads, headDim }: HeadSizes): void {
  for (const [name, size] of Object.entries({ dModel, nHeads, nKvHeads, headDim })) {
    if (!Number.isInteger(size) || size < 1)
      throw new ArgumentError("GatedAttention", `${name} must be at least 1, got ${size}`);
  }
  if (nHeads % nKvHeads !== 0)
    throw new ArgumentError("GatedAttention", `nKvHeads = ${nKvHeads} does not divide nHeads = ${nHeads}`);
}
