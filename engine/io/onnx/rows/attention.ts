// Scaled dot-product attention with caches, masks and windows, and rotary positions.

import { scaledDotProductAttention } from "../../../ops/attention.ts";
import {
  add,
  cast,
  div,
  equal,
  greaterEqual,
  less,
  lessEqual,
  mul,
  sub,
  tanh,
  where,
} from "../../../ops/elementwise.ts";
import { indexSelect } from "../../../ops/indexing.ts";
import { concat, stack } from "../../../ops/joining.ts";
import { matmul } from "../../../ops/linalg.ts";
import { mT, permute, repeatInterleave, reshape, unsqueeze } from "../../../ops/movement.ts";
import { softmax } from "../../../ops/normalize.ts";
import { filled, positions } from "../../../ops/operand.ts";
import { max } from "../../../ops/reduce.ts";
import { narrow, pad, slice } from "../../../ops/slicing.ts";
import type { Tensor } from "../../../tensor.ts";
import type { Call, Output, Row } from "../call.ts";
import { elementType } from "../element-types.ts";

/** [B, T, H * D] -> [B, H, T, D]. */
export const splitHeads = (x: Tensor, heads: number): Tensor =>
  permute(reshape(x, [x.shape[0], x.shape[1], heads, x.shape[2] / heads]), [0, 2, 1, 3]);

/** [B, H, T, D] -> [B, T, H * D]. */
export const joinHeads = (x: Tensor): Tensor => {
  const [batch, heads, steps, features] = x.shape;
  return reshape(permute(x, [0, 2, 1, 3]), [batch, steps, heads * features]);
};

/** Each head of keys or values for the run of query heads that share it. */
export const sharedHeads = (x: Tensor, queryHeads: number): Tensor =>
  x.shape[1] === queryHeads ? x : repeatInterleave(x, queryHeads / x.shape[1], 1);

const hidden = Number.NEGATIVE_INFINITY;

/** What is added to the scores: -Inf where a query may not look. Undefined where it may look everywhere. */
function biasOf(call: Call, q: Tensor, keys: number, past: number): Tensor | undefined {
  const [batch, queries] = [q.shape[0], q.shape[2]];
  const lengths = call.maybeTensor(6);
  const terms: Tensor[] = [];
  const hide = (visible: Tensor): void => {
    terms.push(where(visible, filled([], q.dtype, 0), filled([], q.dtype, hidden)));
  };
  const mask = call.maybeTensor(3);
  if (mask !== undefined) {
    const short = keys - mask.shape[mask.rank - 1];
    const widths = mask.shape.map((_, i) => (i === mask.rank - 1 ? ([0, short] as const) : ([0, 0] as const)));
    const whole = short > 0 ? pad(mask, widths, mask.dtype === "bool" ? 0 : hidden) : mask;
    if (whole.dtype === "bool") hide(whole);
    else terms.push(cast(whole, q.dtype));
  }
  const [left, right] = [call.int("left_window_size", -1), call.int("right_window_size", -1)];
  // A query's own position among the keys: after the cache, or at the end of what is valid in a static one.
  const offset =
    lengths !== undefined && call.optional(4) === undefined ? sub(reshape(lengths, [batch, 1, 1, 1]), queries) : past;
  const place = add(positions([1, 1, queries, 1], 2), offset);
  const key = positions([1, 1, 1, keys], 3);
  if (call.flag("is_causal")) hide(lessEqual(key, place));
  if (left >= 0) hide(greaterEqual(key, sub(place, left)));
  if (right >= 0) hide(lessEqual(key, add(place, right)));
  if (lengths !== undefined) hide(less(key, reshape(lengths, [batch, 1, 1, 1])));
  return terms.length === 0 ? undefined : terms.reduce((a, b) => add(a, b));
}

const attention: Row = (call): Output => {
  const [Q, K, V] = [call.tensor(0), call.tensor(1), call.tensor(2)];
  const [pastKey, pastValue] = [call.maybeTensor(4), call.maybeTensor(5)];
  const flat = Q.rank === 3;
  const heads = (name: string): number => call.needed(call.int(name), `attribute ${name}`);
  const queryHeads = flat ? heads("q_num_heads") : Q.shape[1];
  const keyHeads = flat ? heads("kv_num_heads") : K.shape[1];
  call.int("q_num_heads");
  call.int("kv_num_heads");
  const q = flat ? splitHeads(Q, queryHeads) : Q;
  const after = (past: Tensor | undefined, x: Tensor): Tensor => {
    const split = flat ? splitHeads(x, keyHeads) : x;
    return past === undefined ? split : concat([past, split], 2);
  };
  const [presentKey, presentValue] = [after(pastKey, K), after(pastValue, V)];
  const [k, v] = [sharedHeads(presentKey, queryHeads), sharedHeads(presentValue, queryHeads)];
  const bias = biasOf(call, q, k.shape[2], pastKey?.shape[2] ?? 0);
  const found = attend(call, q, k, v, bias);
  return [
    call.as(0, flat ? joinHeads(found.y) : found.y),
    call.kept(1, presentKey),
    call.kept(2, presentValue),
    found.shown === undefined ? undefined : call.as(0, found.shown),
  ];
};

function attend(call: Call, q: Tensor, k: Tensor, v: Tensor, bias: Tensor | undefined) {
  const scale = call.float("scale") ?? 1 / Math.sqrt(q.shape[3]);
  const softcap = call.float("softcap", 0);
  const mode = call.int("qk_matmul_output_mode", 0);
  const precision = call.type("softmax_precision") ?? elementType("float");
  // A query that may look at nothing gives 0, where a softmax alone would give NaN.
  const blind = bias === undefined ? undefined : equal(max(bias, -1, { keepDims: true }), hidden);
  const sighted = (x: Tensor): Tensor => (blind === undefined ? x : where(blind, 0, x));
  if (softcap === 0 && !call.wants(3) && precision.dtype === q.dtype) {
    return { y: sighted(scaledDotProductAttention(q, k, v, { scale, mask: bias })) };
  }
  const raw = mul(matmul(q, mT(k)), scale);
  const capped = softcap > 0 ? mul(tanh(div(raw, softcap)), softcap) : raw;
  const scores = bias === undefined ? capped : add(capped, bias);
  const weights = sighted(softmax(cast(scores, precision.bits === 64 ? "f64" : q.dtype), -1));
  const shown = [raw, capped, scores, weights][mode];
  if (shown === undefined) return call.unsupported(`attribute qk_matmul_output_mode = ${mode}`);
  return { y: matmul(cast(weights, q.dtype), v), shown: call.wants(3) ? shown : undefined };
}

/** Attention whose scores and weights are changed by graphs of the model. */
const flexAttention: Row = async (call) => {
  const [q, heads] = [call.tensor(0), call.tensor(0).shape[1]];
  const [k, v] = [sharedHeads(call.tensor(1), heads), sharedHeads(call.tensor(2), heads)];
  const scale = call.float("scale") ?? 1 / Math.sqrt(q.shape[3]);
  const inType = call.input(0).type;
  const type = call.type("softmax_precision") ?? elementType(inType.bits === 64 ? "double" : "float");
  const through = async (name: string, x: Tensor): Promise<Tensor> => {
    const graph = call.graph(name);
    const value = await call.as(type, x);
    return graph === undefined ? value.tensor : (await call.run(graph, [value]))[0].tensor;
  };
  const scores = await through("score_mod", mul(matmul(q, mT(k)), scale));
  const weights = await through("prob_mod", softmax(scores, -1));
  return call.as(2, matmul(weights, cast(v, weights.dtype)));
};

/** The first features of each head turned by the angle of its position, in pairs (i, i + half) or (2i, 2i + 1). */
const rotary: Row = (call) => {
  const X = call.tensor(0);
  const flat = X.rank === 3;
  const x = flat ? splitHeads(X, call.needed(call.int("num_heads"), "attribute num_heads")) : X;
  call.int("num_heads");
  const features = x.shape[3];
  const turned = call.int("rotary_embedding_dim", 0) || features;
  const place = call.maybeTensor(3);
  const table = (i: number): Tensor => {
    const cache = call.tensor(i);
    return unsqueeze(place === undefined ? cache : indexSelect(cache, 0, place), 1);
  };
  const [cos, sin] = [table(1), table(2)];
  const [front, rest] = [narrow(x, 3, 0, turned), narrow(x, 3, turned, features - turned)];
  const half = turned / 2;
  const interleaved = call.flag("interleaved");
  const part = (i: number): Tensor =>
    interleaved ? slice(front, [null, null, null, { start: i, step: 2 }]) : narrow(front, 3, i * half, half);
  const [a, b] = [part(0), part(1)];
  const pair = [sub(mul(cos, a), mul(sin, b)), add(mul(sin, a), mul(cos, b))];
  const joined = interleaved ? reshape(stack(pair, 4), front.shape) : concat(pair, 3);
  const y = rest.shape[3] === 0 ? joined : concat([joined, rest], 3);
  return call.as(0, flat ? joinHeads(y) : y);
};

export const attentions: Readonly<Record<string, Row>> = {
  Attention: attention,
  RotaryEmbedding: rotary,
};

export const previewAttentions: Readonly<Record<string, Row>> = { FlexAttention: flexAttention };
