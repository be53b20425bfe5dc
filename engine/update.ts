// Giving leaf tensors new values: at once, or as part of the step that compile() is tracing.

import { ArgumentError, ShapeError } from "./errors.ts";
import { Node, withoutGrad } from "./graph/node.ts";
import { build } from "./primitives/index.ts";
import { realize } from "./runtime/realize.ts";
import { currentTrace } from "./runtime/trace.ts";
import { formatShape, sameShape } from "./shape.ts";
import { registerLeaf, type Tensor } from "./tensor.ts";

/**
 * Assigns `value` to each `target` (leaves: parameters, optimizer state, running statistics), all in one program.
 * Outside compile() the values are computed now, and those of `also` with them; graphs recorded earlier keep the old
 * values. Inside compile() the assignments become part of the step and happen in place.
 */
export function assignAll(
  pairs: readonly (readonly [target: Tensor, value: Tensor])[],
  also: readonly Tensor[] = [],
): void | Promise<void> {
  for (const [target, value] of pairs) check(target, value);
  const trace = currentTrace();
  if (trace !== undefined) {
    // All right-hand sides are read before any target changes.
    const values = pairs.map(([target, value]) => traced(target, value.node));
    for (const [i, [target]] of pairs.entries()) trace.updates.set(target, values[i]);
    return undefined;
  }
  const nodes = pairs.map(([, value]) => withoutGrad(() => fresh(value.node)));
  const done = realize([...nodes, ...also.map((tensor) => tensor.node)]);
  pairs.forEach(([target], i) => {
    const { storage } = nodes[i];
    if (storage !== undefined) target.adopt(storage);
  });
  return done;
}

/** Assigns one value; see `assignAll`. */
export const assign = (target: Tensor, value: Tensor): void | Promise<void> => assignAll([[target, value]]);

function check(target: Tensor, value: Tensor): void {
  if (!sameShape(target.shape, value.shape) || target.dtype !== value.dtype) {
    const [to, from] = [target, value].map((t) => `${t.dtype} ${formatShape(t.shape)}`);
    throw new ShapeError("assign", `cannot assign ${from} to ${to}`);
  }
  if (target.node.op !== "data" && currentTrace()?.updates.get(target) === undefined) {
    throw new ArgumentError("assign", "only leaves can be assigned, this tensor is the result of an operation");
  }
}

/** A leaf of its own even where the value is another leaf: two tensors never share what one of them may update. */
const fresh = (node: Node): Node => (node.storage === undefined ? node : build.stopGradient(node));

/** The new value as a leaf of the rest of the trace: gradients reach the tensor, not what its value came from. */
function traced(target: Tensor, value: Node): Node {
  const leaf = new Node("stopGradient", [value], {}, value.shape, value.dtype, target.requiresGrad);
  registerLeaf(leaf, target);
  return leaf;
}
