// What the paper measures of a model: sinks, massive activations, scores, sparsity. All of it lazy tensors.

import { ArgumentError, iota, type Tensor, tensor } from "../../engine/index.ts";
import type { AttentionTrace } from "./attention.ts";
import type { GateSpec } from "./gate.ts";
import type { LayerTrace, ModelTrace } from "./model.ts";

/** Queries before this one look at the first token for want of others: they are left out of the second F-Attn. */
export const firstQuery = 8;

/** Thresholds of the sparsity of Y. */
export const sparsityThresholds = [1e-2, 1e-3] as const;

const laterQueries = (weights: Tensor, from: number): Tensor => {
  const queries = weights.shape[2];
  if (!Number.isInteger(from) || from < 0 || from >= queries)
    throw new ArgumentError("F-Attn", `the first query must be in [0, ${queries}), got ${from}`);
  return weights.narrow(2, from, queries - from);
};

/** A[b, h, i, 0] of the queries i >= from: [B, H, queries]. */
const onFirst = (weights: Tensor, from: number): Tensor => laterQueries(weights, from).select(3, 0);

/** F-Attn: the mean of A[b, h, i, 0] over batch, heads and queries i >= from. weights [B, H, n, keys]. */
export const firstTokenAttention = (weights: Tensor, from = 0): Tensor => onFirst(weights, from).mean();

/** F-Attn of uniform causal attention over n tokens, queries i >= from: the mean of 1 / (i + 1). */
export function uniformFloor(n: number, from = 0): number {
  let sum = 0;
  for (let i = from; i < n; i++) sum += 1 / (i + 1);
  return sum / (n - from);
}

/**
 * How much of the first token's attention reaches W_O: the mean of A[b, h, i, 0] * mean_c g[b, h, i, c].
 * scores [B or 1, n or 1, H or 1, channels or 1], of a multiplicative gate at G1; without one the gate is 1.
 */
export function gateWeightedFirstAttention(weights: Tensor, scores: Tensor | undefined, from = 0): Tensor {
  const first = onFirst(weights, from);
  if (scores === undefined) return first.mean();
  const perHead = scores.mean(3).transpose(1, 2);
  const later = perHead.shape[2] === 1 ? perHead : perHead.narrow(2, from, perHead.shape[2] - from);
  return first.mul(later).mean();
}

/** M-Act of a layer: the largest |value| of the hidden state it outputs. */
export const maxActivation = (hidden: Tensor): Tensor => hidden.abs().max();

/** Value drain (after Guo et al. 2024): ||V_0|| / mean_j>0 ||V_j||, mean over the batch. values [B, heads, n, c] -> [heads]. */
export function valueDrain(values: Tensor): Tensor {
  const norms = values.square().sum(-1).sqrt();
  const keys = norms.shape[2];
  if (keys < 2) throw new ArgumentError("valueDrain", "needs at least two tokens");
  return norms
    .select(2, 0)
    .div(norms.narrow(2, 1, keys - 1).mean(2))
    .mean(0);
}

/** Share of |y| below a threshold. */
export const sparsity = (y: Tensor, threshold: number): Tensor => y.abs().less(threshold).cast(y.dtype).mean();

export interface ScoreStatistics {
  readonly [name: string]: Tensor;
  readonly mean: Tensor;
  /** Of all scores, divided by their number. */
  readonly std: Tensor;
  readonly min: Tensor;
  readonly max: Tensor;
}

/** Statistics of a gate's scores, of any shape. */
export function scoreStatistics(scores: Tensor): ScoreStatistics {
  const mean = scores.mean();
  return { mean, std: scores.sub(mean).square().mean().sqrt(), min: scores.min(), max: scores.max() };
}

/** Shares of the scores in `bins` equal bins of [low, high], the last one closed: [bins]. Those outside are in none. */
export function scoreHistogram(scores: Tensor, bins = 20, [low, high]: readonly [number, number] = [0, 1]): Tensor {
  const edges = tensor(
    Array.from({ length: bins }, (_, i) => low + ((high - low) * i) / bins),
    { dtype: scores.dtype },
  );
  const flat = scores.reshape([-1, 1]);
  // At or above each edge, but for what is above the highest: differences are the bins.
  const above = flat.greaterEqual(edges).logicalAnd(flat.lessEqual(high)).cast("f64").mean(0);
  const next = iota([bins])
    .add(1)
    .clamp(0, bins - 1);
  const following = above.indexSelect(0, next).mul(
    iota([bins])
      .less(bins - 1)
      .cast("f64"),
  );
  return above.sub(following);
}

/** The SDPA output before and after what follows it, and scaled by the mean score alone (the control). */
export interface OutputSparsity {
  readonly [name: string]: Tensor;
  /** Mean |Y| and |Y'|. */
  readonly before: Tensor;
  readonly after: Tensor;
  /** Shares below each of `sparsityThresholds`: [2]. */
  readonly sparsityBefore: Tensor;
  readonly sparsityAfter: Tensor;
  readonly sparsityControl: Tensor;
}

/** How sparse a gate at G1 makes Y. Without scores, or for one elsewhere, the control is Y itself. */
export function outputSparsity(
  { sdpaOutput, gatedOutput }: AttentionTrace,
  scores: Tensor | undefined,
): OutputSparsity {
  const thresholds = tensor([...sparsityThresholds], { dtype: sdpaOutput.dtype });
  const below = (y: Tensor): Tensor => y.abs().reshape([-1, 1]).less(thresholds).cast(y.dtype).mean(0);
  return {
    before: sdpaOutput.abs().mean(),
    after: gatedOutput.abs().mean(),
    sparsityBefore: below(sdpaOutput),
    sparsityAfter: below(gatedOutput),
    sparsityControl: below(scores === undefined ? sdpaOutput : sdpaOutput.mul(scores.mean())),
  };
}

/** All diagnostics of one layer: scalars, but for `drain` [heads] and what `outputSparsity` gives. */
export interface LayerDiagnostics {
  readonly [name: string]: Tensor | ScoreStatistics | OutputSparsity | undefined;
  /** F-Attn over all queries, and over those from `firstQuery` on. */
  readonly fAttn: Tensor;
  readonly fAttnLater: Tensor;
  readonly gateWeightedFAttn: Tensor;
  readonly mAct: Tensor;
  readonly drain: Tensor;
  readonly output: OutputSparsity;
  /** Undefined without a gate. */
  readonly scores: ScoreStatistics | undefined;
  readonly histogram: Tensor | undefined;
}

export function layerDiagnostics(trace: LayerTrace, gate: GateSpec | null, from = firstQuery): LayerDiagnostics {
  const { weights, scores, hidden, values } = trace;
  const weighing = gate?.position === "G1" && (gate.form ?? "mul") === "mul" ? scores : undefined;
  return {
    fAttn: firstTokenAttention(weights),
    fAttnLater: firstTokenAttention(weights, from),
    gateWeightedFAttn: gateWeightedFirstAttention(weights, weighing, from),
    mAct: maxActivation(hidden),
    drain: valueDrain(values),
    output: outputSparsity(trace, weighing),
    scores: scores === undefined ? undefined : scoreStatistics(scores),
    histogram: scores === undefined ? undefined : scoreHistogram(scores),
  };
}

/** Diagnostics of every layer, in order; a model's value is the mean over its layers. Return them from `compile`. */
export const diagnostics = (trace: ModelTrace, gate: GateSpec | null = null, from = firstQuery): LayerDiagnostics[] =>
  trace.layers.map((layer) => layerDiagnostics(layer, gate, from));
