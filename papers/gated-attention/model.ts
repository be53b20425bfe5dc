// A Qwen3-style decoder around GatedAttention: the paper's baseline, its stabilisers, and what a run inspects.

import { ArgumentError, type Shape, ShapeError, type Tensor } from "../../engine/index.ts";
import {
  Embedding,
  GatedFeedForward,
  init,
  KVCache,
  LearnedPositions,
  Linear,
  Module,
  RMSNorm,
} from "../../nn/index.ts";
import { type AttentionTrace, GatedAttention, type GatedAttentionOptions } from "./attention.ts";
import { ExpertFeedForward, type ExpertsOptions, type Routing } from "./experts.ts";
import { prefixed } from "./shapes.ts";

export interface TransformerLMOptions extends GatedAttentionOptions {
  readonly vocabSize: number;
  readonly nLayers: number;
  /** Hidden features F of the SwiGLU feed-forward, or the experts instead of it. */
  readonly feedForward: number | ExpertsOptions;
  /** Output scores by the embedding table; default true. */
  readonly tied?: boolean;
  /** A trained vector per position is added at the input, for so many positions; default none. */
  readonly learnedPositions?: number;
  /** "sandwich": x + RMSNorm(f(RMSNorm(x))) for both sub-layers; default none. */
  readonly outNorm?: "none" | "sandwich";
  /** Sub-layer outputs are clipped to [-clip, clip]; default: not. */
  readonly clip?: number;
  /** All first values depend on it and the parameter's name alone, so models that differ in the gate share the rest. */
  readonly seed?: number;
}

/** What one layer computes on the way. */
export interface LayerTrace extends AttentionTrace {
  /** [B, n, dModel]: the residual stream after the feed-forward. */
  readonly hidden: Tensor;
  /** Where tokens went; undefined without experts. */
  readonly routing: Routing | undefined;
}

export interface ModelTrace {
  readonly layers: readonly LayerTrace[];
  /** [B, n, vocabSize]. */
  readonly logits: Tensor;
}

export interface ModelInput {
  /** One per layer, from `TransformerLM.cache`: what was read before. */
  readonly caches?: readonly KVCache[];
}

/** One block: x + Attn(norm(x)), then x + FFN(norm(x)), each branch clipped and normalised where asked. */
export class DecoderLayer extends Module<[x: Tensor, input: { cache?: KVCache; positions?: Tensor }], LayerTrace> {
  readonly inputLayernorm: RMSNorm;
  readonly selfAttn: GatedAttention;
  readonly selfAttnOutNorm: RMSNorm | undefined;
  readonly postAttentionLayernorm: RMSNorm;
  readonly mlp: GatedFeedForward | ExpertFeedForward;
  readonly mlpOutNorm: RMSNorm | undefined;
  readonly clip: number | undefined;

  constructor(options: TransformerLMOptions) {
    super();
    const { dModel, feedForward, outNorm = "none", clip, eps = 1e-6, initStd = 0.02, dtype } = options;
    if (clip !== undefined && !(clip > 0)) throw new ArgumentError("DecoderLayer", `clip must be above 0, got ${clip}`);
    const norm = (): RMSNorm => new RMSNorm(dModel, { eps, dtype });
    this.inputLayernorm = norm();
    this.selfAttn = new GatedAttention(options);
    this.selfAttnOutNorm = outNorm === "sandwich" ? norm() : undefined;
    this.postAttentionLayernorm = norm();
    this.mlp =
      typeof feedForward === "number"
        ? new GatedFeedForward(dModel, feedForward, { weightInit: init.normal(0, initStd), dtype })
        : new ExpertFeedForward(dModel, { ...feedForward, initStd, dtype });
    this.mlpOutNorm = outNorm === "sandwich" ? norm() : undefined;
    this.clip = clip;
  }

  /** The shapes of all parameters, by name. */
  static shapes(options: TransformerLMOptions): Record<string, Shape> {
    const { dModel, feedForward, outNorm } = options;
    const sandwich = (name: string): Record<string, Shape> =>
      outNorm === "sandwich" ? { [`${name}.weight`]: [dModel] } : {};
    return {
      "inputLayernorm.weight": [dModel],
      ...prefixed("selfAttn", GatedAttention.shapes(options)),
      ...sandwich("selfAttnOutNorm"),
      "postAttentionLayernorm.weight": [dModel],
      ...prefixed("mlp", feedForwardShapes(dModel, feedForward)),
      ...sandwich("mlpOutNorm"),
    };
  }

  override forward(x: Tensor, input: { cache?: KVCache; positions?: Tensor }): LayerTrace {
    const attention = this.selfAttn.inspect(this.inputLayernorm.forward(x), input);
    const attended = x.add(this.branch(attention.output, this.selfAttnOutNorm));
    const normed = this.postAttentionLayernorm.forward(attended);
    const { output, routing } =
      this.mlp instanceof ExpertFeedForward
        ? this.mlp.forward(normed)
        : { output: this.mlp.forward(normed), routing: undefined };
    return { ...attention, hidden: attended.add(this.branch(output, this.mlpOutNorm)), routing };
  }

  private branch(y: Tensor, norm: RMSNorm | undefined): Tensor {
    const clipped = this.clip === undefined ? y : y.clamp(-this.clip, this.clip);
    return norm?.forward(clipped) ?? clipped;
  }
}

/** ids i32 [B, n] -> logits [B, n, vocabSize]; parameters are named as in published Qwen3 files, in camelCase. */
export class TransformerLM extends Module<[ids: Tensor, input?: ModelInput]> {
  readonly embedTokens: Embedding;
  readonly positions: LearnedPositions | undefined;
  readonly layers: readonly DecoderLayer[];
  readonly norm: RMSNorm;
  readonly lmHead: Linear | undefined;
  readonly options: TransformerLMOptions;

  constructor(options: TransformerLMOptions) {
    super();
    const { vocabSize, nLayers, dModel, tied = true, learnedPositions, seed } = options;
    const { eps = 1e-6, initStd = 0.02, dtype } = options;
    const weightInit = init.normal(0, initStd);
    this.options = options;
    this.embedTokens = new Embedding(vocabSize, dModel, { init: weightInit, dtype });
    this.positions =
      learnedPositions === undefined
        ? undefined
        : new LearnedPositions(learnedPositions, dModel, { init: weightInit, dtype });
    this.layers = Array.from({ length: nLayers }, () => new DecoderLayer(options));
    this.norm = new RMSNorm(dModel, { eps, dtype });
    this.lmHead = tied ? undefined : new Linear(dModel, vocabSize, { bias: false, weightInit, dtype });
    if (seed !== undefined) this.initialize(seed);
  }

  /** The shapes of all parameters, by name, without making any. */
  static shapes(options: TransformerLMOptions): Record<string, Shape> {
    const { vocabSize, nLayers, dModel, tied = true, learnedPositions } = options;
    const layer = DecoderLayer.shapes(options);
    return Object.assign(
      { "embedTokens.weight": [vocabSize, dModel] },
      learnedPositions === undefined ? {} : { "positions.weight": [learnedPositions, dModel] },
      ...Array.from({ length: nLayers }, (_, i) => prefixed(`layers.${i}`, layer)),
      { "norm.weight": [dModel] },
      tied ? {} : { "lmHead.weight": [vocabSize, dModel] },
    );
  }

  override forward(ids: Tensor, input: ModelInput = {}): Tensor {
    return this.inspect(ids, input).logits;
  }

  /** `forward` with all that the layers compute on the way; what is not read costs nothing. */
  inspect(ids: Tensor, { caches }: ModelInput = {}): ModelTrace {
    if (ids.rank !== 2) throw new ShapeError("TransformerLM", `takes ids [B, n], got rank ${ids.rank}`);
    if (caches !== undefined && caches.length !== this.layers.length)
      throw new ArgumentError("TransformerLM", `needs ${this.layers.length} caches, got ${caches.length}`);
    const [batch, steps] = ids.shape;
    const positions = caches?.[0]?.next(steps);
    const embedded = this.embedTokens.forward(ids);
    let hidden = this.positions?.forward(embedded, positions) ?? embedded;
    const layers = this.layers.map((layer, i) => {
      const trace = layer.forward(hidden, { cache: caches?.[i], positions });
      hidden = trace.hidden;
      return trace;
    });
    const { vocabSize, dModel } = this.options;
    const rows = this.norm.forward(hidden).reshape([batch * steps, dModel]);
    const logits = this.lmHead?.forward(rows) ?? this.embedTokens.attend(rows);
    return { layers, logits: logits.reshape([batch, steps, vocabSize]) };
  }

  /** Empty caches for decoding a batch piece by piece, one per layer. */
  cache(batch: number, capacity: number): KVCache[] {
    const { nKvHeads: heads, headDim: size, dtype } = this.options;
    return this.layers.map(() => new KVCache({ batch, heads, capacity, size, dtype }));
  }
}

function feedForwardShapes(dModel: number, feedForward: number | ExpertsOptions): Record<string, Shape> {
  if (typeof feedForward !== "number") return ExpertFeedForward.shapes(dModel, feedForward);
  return {
    "gateProj.weight": [feedForward, dModel],
    "upProj.weight": [feedForward, dModel],
    "downProj.weight": [dModel, feedForward],
  };
}

/** Parameters by whether AdamW decays them: matrices are, norms, biases and an input-independent gate's logits are not. */
export function decayGroups(model: Module<never[], unknown>): { readonly decayed: Tensor[]; readonly free: Tensor[] } {
  const decays = (name: string, p: Tensor): boolean => p.rank > 1 && !name.endsWith("gate.logits");
  const named = model.namedParameters();
  return {
    decayed: named.filter(([name, p]) => decays(name, p)).map(([, p]) => p),
    free: named.filter(([name, p]) => !decays(name, p)).map(([, p]) => p),
  };
}
