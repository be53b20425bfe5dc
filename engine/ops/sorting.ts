// Order along an axis. All of it is one primitive, a stable argsort; values follow by gathering, gradients with them.

import { ArgumentError } from "../errors.ts";
import { operation } from "../operation.ts";
import { build } from "../primitives/index.ts";
import { formatShape, resolveAxis } from "../shape.ts";
import { Tensor } from "../tensor.ts";
import { takeAlongAxis } from "./indexing.ts";
import { moveAxis } from "./movement.ts";
import { checkTensor } from "./operand.ts";

export interface SortOptions {
  /** Largest first. */
  readonly descending?: boolean;
}

export interface Sorted {
  readonly values: Tensor;
  /** i32: values = takeAlongAxis(x, indices, axis). */
  readonly indices: Tensor;
}

/** i32 positions that put x in order along `axis`. Stable (equals keep their order); NaN comes last in both directions. */
export const argsort = operation("argsort", (x: Tensor, axis = -1, options: SortOptions = {}): Tensor => {
  checkTensor("argsort", x);
  const at = resolveAxis("argsort", axis, x.shape);
  return firstInOrder(x, at, x.shape[at], options.descending === true);
});

/** The first `kept` positions of the order along an axis. */
function firstInOrder(x: Tensor, axis: number, kept: number, descending: boolean): Tensor {
  const order = build.apply("argsort", [moveAxis(x, axis, -1).node], { descending, kept });
  return moveAxis(new Tensor(order), -1, axis);
}

/** x in order along `axis`, and where each value was. Stable; NaN comes last in both directions. */
export const sort = operation("sort", (x: Tensor, axis = -1, options: SortOptions = {}): Sorted => {
  checkTensor("sort", x);
  const indices = argsort(x, axis, options);
  return { values: takeAlongAxis(x, indices, axis), indices };
});

export interface TopkOptions {
  /** Default true; false: the k smallest. */
  readonly largest?: boolean;
}

/**
 * The k largest (or smallest) along `axis`, best first, and where they are (i32). Among equals the first wins; NaN
 * comes last. Throws an ArgumentError for k beyond the axis.
 */
export const topk = operation("topk", (x: Tensor, k: number, axis = -1, options: TopkOptions = {}): Sorted => {
  checkTensor("topk", x);
  const at = resolveAxis("topk", axis, x.shape);
  if (!Number.isInteger(k) || k < 0 || k > x.shape[at]) {
    throw new ArgumentError(
      "topk",
      `k must be in 0..${x.shape[at]} for axis ${axis} of ${formatShape(x.shape)}, got ${k}`,
    );
  }
  const indices = firstInOrder(x, at, k, options.largest ?? true);
  return { values: takeAlongAxis(x, indices, at), indices };
});
