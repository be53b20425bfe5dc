// Attention without a softmax: a state of outer products carried along the sequence; and causal convolution with state.

import { silu } from "../../../ops/activations.ts";
import { conv1d } from "../../../ops/conv.ts";
import { add, cast, exp, mul, sub } from "../../../ops/elementwise.ts";
import { concat } from "../../../ops/joining.ts";
import { permute, reshape, unsqueeze } from "../../../ops/movement.ts";
import { filled } from "../../../ops/operand.ts";
import { sum } from "../../../ops/reduce.ts";
import { scan } from "../../../ops/scan.ts";
import { narrow } from "../../../ops/slicing.ts";
import type { Tensor } from "../../../tensor.ts";
import type { Output, Row } from "../call.ts";
import { joinHeads, sharedHeads, splitHeads } from "./attention.ts";

const rules = ["linear", "gated", "delta", "gated_delta"] as const;

/** [B, H, T, D] -> [T, B, H, D]: the sequence first, as the scan takes it. */
const timeFirst = (x: Tensor): Tensor => permute(x, [2, 0, 1, 3]);

/**
 * S_t = e^g S_(t-1) + k (beta (v - (e^g S_(t-1))^T k))^T and o_t = scale S_t^T q, where rules without a gate have e^g = 1
 * and rules without a correction write v itself.
 */
const linearAttention: Row = (call): Output => {
  const heads = (name: string): number => call.needed(call.int(name), `attribute ${name}`);
  const [queryHeads, heads2] = [heads("q_num_heads"), heads("kv_num_heads")];
  const rule = call.choice("update_rule", rules, "gated_delta");
  call.int("chunk_size");
  const input = call.input(0);
  const [q, k, v] = [queryHeads, heads2, heads2].map((n, i) => timeFirst(splitHeads(call.tensor(i), n)));
  const [batch, keySize, valueSize] = [input.shape[0], q.shape[3], v.shape[3]];
  const scale = call.float("scale", 0) || 1 / Math.sqrt(keySize);
  const past = call.optional(3);
  const start = past?.tensor ?? filled([batch, heads2, keySize, valueSize], q.dtype, 0);
  const gate = rule.startsWith("gated") ? exp(timeFirst(splitHeads(call.tensor(4), heads2))) : undefined;
  const rate = rule.endsWith("delta") ? rateOf(call.tensor(5)) : undefined;
  const steps = { k, v, ...(gate && { gate }), ...(rate && { rate }) };
  const [last, states] = scan(
    (state: Tensor, x: { k: Tensor; v: Tensor; gate?: Tensor; rate?: Tensor }) => {
      const kept = x.gate === undefined ? state : mul(state, unsqueeze(x.gate, -1));
      const key = unsqueeze(x.k, -1);
      const written = x.rate === undefined ? x.v : mul(x.rate, sub(x.v, sum(mul(kept, key), 2)));
      const next = add(kept, mul(key, unsqueeze(written, -2)));
      return [next, next] as const;
    },
    start,
    steps as { k: Tensor; v: Tensor },
  );
  // [T, B, H, D, E] read by the queries of all heads that share a state.
  const shared = sharedStates(states, queryHeads);
  const y = mul(sum(mul(unsqueeze(q, -1), shared), 3), scale);
  return [call.as(0, joinHeads(permute(y, [1, 2, 0, 3]))), call.as(past === undefined ? 0 : 3, last)];
};

/** [B, T, H] or [B, T, 1] -> [T, B, H or 1, 1]. */
const rateOf = (beta: Tensor): Tensor => timeFirst(splitHeads(beta, beta.shape[2]));

function sharedStates(states: Tensor, queryHeads: number): Tensor {
  const [steps, batch, heads, rows, columns] = states.shape;
  const joined = reshape(states, [steps * batch, heads, rows, columns]);
  return reshape(sharedHeads(joined, queryHeads), [steps, batch, queryHeads, rows, columns]);
}

/** A depthwise convolution that sees the past only; the last taps - 1 elements are carried to the next call. */
const causalConv: Row = (call): Output => {
  const [x, w] = [call.tensor(0), call.tensor(1)];
  const activation = call.choice("activation", ["none", "silu", "swish"], "none");
  const [batch, channels] = x.shape;
  const reach = w.shape[2] - 1;
  const past = call.maybeTensor(3) ?? filled([batch, channels, reach], x.dtype, 0);
  const whole = reach === 0 ? x : concat([cast(past, x.dtype), x], 2);
  const y = conv1d(whole, w, { bias: call.maybeTensor(2), groups: channels });
  const state = narrow(whole, 2, whole.shape[2] - reach, reach);
  return [call.as(0, activation === "none" ? y : silu(y)), call.kept(0, state)];
};

export const linearAttentions: Readonly<Record<string, Row>> = {
  CausalConvWithState: causalConv,
  LinearAttention: linearAttention,
};
