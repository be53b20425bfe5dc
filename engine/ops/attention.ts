// Scaled dot-product attention (Vaswani et al. 2017, equation 1).

import { ArgumentError, DTypeError, ShapeError } from "../errors.ts";
import { apart, operation } from "../operation.ts";
import { broadcastParts, formatShape } from "../shape.ts";
import type { Tensor } from "../tensor.ts";
import { add, lessEqual, mul, where } from "./elementwise.ts";
import { matmul } from "./linalg.ts";
import { mT } from "./movement.ts";
import { softmax } from "./normalize.ts";
import { checkTensor, positions } from "./operand.ts";

export interface AttentionOptions {
  /** bool: true where a query may look; float: added to the scores. Broadcasts to [..., queries, keys]. */
  readonly mask?: Tensor;
  /** Query i looks at keys 0..i only. With fewer queries than keys, the queries are the last ones. */
  readonly causal?: boolean;
  /** Default 1 / sqrt(d). */
  readonly scale?: number;
  /** Applied to the weights before they meet the values (dropout). */
  readonly dropout?: (weights: Tensor) => Tensor;
}

/**
 * softmax(q kT * scale) v: [..., queries, d], [..., keys, d], [..., keys, e] -> [..., queries, e]; batch axes
 * broadcast. A query that may look at nothing gives NaN, as in PyTorch: leave it one key.
 */
export const scaledDotProductAttention = operation(
  "scaledDotProductAttention",
  (q: Tensor, k: Tensor, v: Tensor, options: AttentionOptions = {}): Tensor => {
    const op = "scaledDotProductAttention";
    for (const [name, x] of Object.entries({ q, k, v })) {
      checkTensor(op, x, name);
      if (x.rank < 2) throw new ShapeError(op, `${name} must be [..., length, features], got ${formatShape(x.shape)}`);
    }
    const [d, keys] = [q.shape[q.rank - 1], k.shape[k.rank - 2]];
    if (k.shape[k.rank - 1] !== d || v.shape[v.rank - 2] !== keys) {
      const shapes = [q, k, v].map((x) => formatShape(x.shape));
      throw new ShapeError(op, `q ${shapes[0]}, k ${shapes[1]} and v ${shapes[2]} do not fit`);
    }
    const given = [q, k, v].map((x) => x.shape);
    broadcastParts(
      op,
      given.map((shape) => shape.slice(0, -2)),
      given,
    );
    const scores = masked(op, mul(matmul(q, mT(k)), options.scale ?? 1 / Math.sqrt(d)), options);
    const weights = softmax(scores, -1);
    const { dropout } = options;
    return matmul(dropout === undefined ? weights : apart(() => dropout(weights)), v);
  },
);

function masked(op: string, scores: Tensor, { mask, causal }: AttentionOptions): Tensor {
  const [queries, keys] = scores.shape.slice(-2);
  if (causal === true && queries > keys) {
    throw new ArgumentError(op, `causal attention needs at least as many keys as queries, got ${keys} and ${queries}`);
  }
  const past = causal !== true ? scores : hide(scores, causalMask(queries, keys));
  if (mask === undefined) return past;
  checkTensor(op, mask, "mask");
  if (mask.dtype === "i32")
    throw new DTypeError(op, "the mask must be bool or float, got i32; compare it to something");
  return mask.dtype === "bool" ? hide(past, mask) : add(past, mask);
}

const hide = (scores: Tensor, visible: Tensor): Tensor => where(visible, scores, Number.NEGATIVE_INFINITY);

/** bool [queries, keys]: the key is not after the query; both end at the same time. */
const causalMask = (queries: number, keys: number): Tensor =>
  lessEqual(positions([queries, keys], 1), add(positions([queries, keys], 0), keys - queries));
