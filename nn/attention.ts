// Multi-head attention: grouped queries, masks, positions, a window and a cache, each of them optional.

import {
  ArgumentError,
  type DType,
  DTypeError,
  formatShape,
  iota,
  ShapeError,
  scaledDotProductAttention,
  type Tensor,
  where,
} from "../engine/index.ts";
import { checkDivides, checkSizes } from "./checks.ts";
import { Dropout } from "./dropout.ts";
import type { Initializer } from "./init.ts";
import type { KVCache } from "./kv-cache.ts";
import { Linear } from "./linear.ts";
import { Module } from "./module.ts";
import { alibiBias } from "./positions.ts";
import type { RotaryEmbedding } from "./rotary.ts";

export interface MultiHeadAttentionOptions {
  readonly heads: number;
  /** Heads of keys and values, shared by equal groups of queries (Ainslie et al. 2023); default `heads`. */
  readonly kvHeads?: number;
  /** Features of a head; default size / heads. */
  readonly headSize?: number;
  /** Features of the context; default `size`. */
  readonly contextSize?: number;
  /** A query sees nothing after itself; default false. */
  readonly causal?: boolean;
  /** A query sees this many positions, itself included, and (where not causal) as many ahead. */
  readonly window?: number;
  readonly rotary?: RotaryEmbedding;
  /** Adds ALiBi's linear biases to the scores. */
  readonly alibi?: boolean;
  /** Makes a normalisation of the queries and one of the keys, over the features of a head. */
  readonly queryKeyNorm?: (size: number) => Module;
  /** Of the attention weights; default 0. */
  readonly dropout?: number;
  /** Default 1 / sqrt(headSize). */
  readonly scale?: number;
  /** Of all four projections; default true. */
  readonly bias?: boolean;
  readonly weightInit?: Initializer;
  readonly dtype?: DType;
}

export interface AttentionInput {
  /** [N, S, contextSize]: where keys and values come from (cross-attention); default x itself. */
  readonly context?: Tensor;
  /** bool, true where a query may look, or float, added to the scores; broadcasts to [N, heads, T, S]. */
  readonly mask?: Tensor;
  /** bool [N, S], false for padding. A query that would see nothing sees itself (or, in a context, gives NaN). */
  readonly keyMask?: Tensor;
  /** Positions for `rotary`, [T] or [N, T]; default 0, 1, ..., after what is in the cache. */
  readonly positions?: Tensor;
  /** What was read before. Its capacity is the number of keys S. */
  readonly cache?: KVCache;
}

/**
 * x [N, T, size] -> [N, T, size]. Projections named as in published decoders: qProj [heads * headSize, size], kProj and
 * vProj [kvHeads * headSize, size], oProj [size, heads * headSize].
 */
export class MultiHeadAttention extends Module<[x: Tensor, input?: AttentionInput]> {
  readonly qProj: Linear;
  readonly kProj: Linear;
  readonly vProj: Linear;
  readonly oProj: Linear;
  readonly qNorm: Module | undefined;
  readonly kNorm: Module | undefined;
  readonly rotary: RotaryEmbedding | undefined;
  readonly dropout: Dropout;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headSize: number;
  readonly causal: boolean;
  readonly window: number | undefined;
  readonly alibi: boolean;
  readonly scale: number;

  constructor(size: number, options: MultiHeadAttentionOptions) {
    super();
    const op = "MultiHeadAttention";
    const { heads, kvHeads = heads, contextSize = size, dropout = 0, queryKeyNorm, bias, weightInit, dtype } = options;
    checkSizes(op, { size, heads, kvHeads, window: options.window ?? 1 });
    if (options.headSize === undefined) checkDivides(op, "heads", heads, size);
    const headSize = options.headSize ?? size / heads;
    checkDivides(op, "heads of keys among those of queries", kvHeads, heads);
    const linear = (from: number, to: number): Linear => new Linear(from, to, { bias, weightInit, dtype });
    this.qProj = linear(size, heads * headSize);
    this.kProj = linear(contextSize, kvHeads * headSize);
    this.vProj = linear(contextSize, kvHeads * headSize);
    this.oProj = linear(heads * headSize, size);
    this.qNorm = queryKeyNorm?.(headSize);
    this.kNorm = queryKeyNorm?.(headSize);
    this.rotary = options.rotary;
    this.dropout = new Dropout(dropout);
    this.heads = heads;
    this.kvHeads = kvHeads;
    this.headSize = headSize;
    this.causal = options.causal ?? false;
    this.window = options.window;
    this.alibi = options.alibi ?? false;
    this.scale = options.scale ?? 1 / Math.sqrt(headSize);
  }

  override forward(x: Tensor, input: AttentionInput = {}): Tensor {
    const { context, cache, positions } = input;
    if (x.rank !== 3) throw new ShapeError("MultiHeadAttention", `takes [N, T, size], got ${formatShape(x.shape)}`);
    if (context !== undefined && (this.causal || this.window !== undefined || this.rotary !== undefined || cache)) {
      throw new ArgumentError("MultiHeadAttention", "a context has no order: no causality, window, rotation or cache");
    }
    const [batch, steps] = x.shape;
    const source = context ?? x;
    const order = cache?.next(steps) ?? iota([steps]);
    const turn = this.turning(positions ?? order);
    const q = turn(normed(this.qNorm, heads(this.qProj.forward(x), this.heads)));
    const k = turn(normed(this.kNorm, heads(this.kProj.forward(source), this.kvHeads)));
    const v = heads(this.vProj.forward(source), this.kvHeads);
    const known = cache?.append(k, v) ?? { keys: k, values: v };
    const group = this.heads / this.kvHeads;
    // Queries of a group meet the same keys: [N, kvHeads, group, T, headSize].
    const grouped = q.reshape([batch, this.kvHeads, group, steps, this.headSize]);
    const mixed = scaledDotProductAttention(grouped, known.keys.unsqueeze(2), known.values.unsqueeze(2), {
      ...this.visibility(order, known.keys.shape[2], x.dtype, input),
      scale: this.scale,
      dropout: (weights) => this.dropout.forward(weights),
    });
    const joined = mixed.reshape([batch, this.heads, steps, this.headSize]).transpose(1, 2);
    return this.oProj.forward(joined.reshape([batch, steps, this.heads * this.headSize]));
  }

  private turning(positions: Tensor): (x: Tensor) => Tensor {
    const { rotary } = this;
    if (rotary === undefined) return (x) => x;
    const each = positions.rank > 1 ? positions.unsqueeze(1) : positions;
    return (x) => rotary.forward(x, each);
  }

  /** What the scores are masked with: nothing, causality alone (which needs no mask), or all that applies. */
  private visibility(order: Tensor, keys: number, dtype: DType, { mask, keyMask, cache, context }: AttentionInput) {
    if (!mask && !keyMask && !cache && this.window === undefined && !this.alibi) return { causal: this.causal };
    const at = iota([keys]);
    const [query, key] = [order.unsqueeze(1), at.unsqueeze(0)];
    const seen: Tensor[] = [];
    if (this.causal || cache !== undefined) seen.push(key.lessEqual(query));
    if (this.window !== undefined) {
      seen.push(key.greater(query.sub(this.window)));
      if (!this.causal) seen.push(key.less(query.add(this.window)));
    }
    if (mask?.dtype === "bool") seen.push(this.split(mask));
    if (keyMask !== undefined) {
      checkKeyMask(keyMask, keys);
      const real = keyMask.reshape([keyMask.shape[0], 1, 1, 1, keys]);
      seen.push(context === undefined ? real.logicalOr(key.equal(query)) : real);
    }
    const biases = mask !== undefined && mask.dtype !== "bool" ? [this.split(mask)] : [];
    if (this.alibi) biases.push(this.split(alibiBias(this.heads, order, at, dtype)));
    const visible = seen.length === 0 ? undefined : seen.reduce((all, one) => all.logicalAnd(one));
    if (biases.length === 0) return { mask: visible };
    const bias = biases.reduce((sum, one) => sum.add(one));
    return { mask: visible === undefined ? bias : where(visible, bias, Number.NEGATIVE_INFINITY) };
  }

  /** A mask's axis of heads, if it has one, as the axes of groups. */
  private split(mask: Tensor): Tensor {
    if (mask.rank < 3) return mask;
    const side = mask.shape[mask.rank - 3];
    return side === 1 ? mask.unsqueeze(-4) : mask.unflatten(-3, [this.kvHeads, -1]);
  }
}

/** [N, T, heads * size] -> [N, heads, T, size]. */
const heads = (x: Tensor, count: number): Tensor =>
  x.reshape([x.shape[0], x.shape[1], count, x.shape[2] / count]).transpose(1, 2);

const normed = (norm: Module | undefined, x: Tensor): Tensor => (norm === undefined ? x : norm.forward(x));

function checkKeyMask(mask: Tensor, keys: number): void {
  if (mask.dtype !== "bool") throw new DTypeError("MultiHeadAttention", `the key mask must be bool, got ${mask.dtype}`);
  if (mask.rank !== 2 || mask.shape[1] !== keys)
    throw new ShapeError("MultiHeadAttention", `the key mask must be [N, ${keys}], got ${formatShape(mask.shape)}`);
}
