// How far an honest evaluation of a graph may be from the exact one: a running error analysis, so that tests hold
// backends to a bound that follows from the computation, and not to a guess.

import { evaluate } from "../../engine/backends/reference/evaluate.ts";
import { roundTo } from "../../engine/dtype.ts";
import type { Node } from "../../engine/graph/node.ts";
import { topological, valueInputs } from "../../engine/graph/traverse.ts";
import { isFloat, sizeOf, type Tensor } from "../../engine/index.ts";
import { resultsOf } from "../../engine/primitives/index.ts";
import { type Bounded, largestOf } from "./arithmetic.ts";
import { boundsOf } from "./rules.ts";
import { boundScan } from "./scan.ts";
import { boundSelectiveScan } from "./selective.ts";

export type { Bounded } from "./arithmetic.ts";
export { functionUlps } from "./elementwise.ts";

/**
 * For each tensor, its values in f64 without any rounding, and for each element how far a backend that computes in the
 * tensors' dtypes may be from it: leaves are exact, constants are what was written, arithmetic rounds to nearest, sums may be taken in any order, and
 * functions are as accurate as `functionUlps` says. Infinite where the analysis cannot tell: next to a jump, a pole or
 * the largest float. To first order what Higham, "Accuracy and Stability of Numerical Algorithms" (2002), sections 3.3
 * and 3.5, calls a running error analysis. Call it before the tensors are read: a value that is known has no rounding.
 */
export function roundingBounds(tensors: readonly Tensor[]): Bounded[] {
  const outputs = tensors.map((tensor) => tensor.node);
  return boundNodes(topological(outputs, valueInputs), outputs, new Map());
}

/** Values and bounds of `outputs`, from nodes in topological order and those whose bounds are `known`. */
export function boundNodes(nodes: readonly Node[], outputs: readonly Node[], known: Map<Node, Bounded>): Bounded[] {
  const of = (node: Node): Bounded => {
    const found = known.get(node);
    if (found === undefined) throw new Error(`rounding: ${node.op} comes before what it needs`);
    return found;
  };
  for (const node of nodes) {
    if (!known.has(node))
      known.set(node, node.storage === undefined ? bound(node, valueInputs(node).map(of)) : leaf(node));
  }
  return outputs.map(of);
}

function leaf(node: Node): Bounded {
  const host = node.storage?.host ?? node.storage?.device?.read();
  if (host === undefined || host instanceof Promise) throw new Error("rounding: a leaf has no values on the host");
  return { values: Float64Array.from(host), bounds: new Float64Array(host.length) };
}

/** A constant is what was written; the graph has it rounded to its dtype. */
function constant({ attrs, dtype, shape }: Node<"full">): Bounded {
  const value = isFloat(dtype) ? attrs.value : roundTo(dtype, attrs.value);
  const error = Number.isFinite(value) ? Math.abs(roundTo(dtype, value) - value) : 0;
  const size = sizeOf(shape);
  return { values: new Float64Array(size).fill(value), bounds: new Float64Array(size).fill(error) };
}

function bound(node: Node, inputs: readonly Bounded[]): Bounded {
  if (node.op === "full") return constant(node as Node<"full">);
  if (node.op === "scan") return boundScan(node as Node<"scan">, inputs, boundNodes);
  if (node.op === "selectiveScan") return boundSelectiveScan(node as Node<"selectiveScan">, inputs);
  const values = evaluate(
    node,
    inputs.map((input) => input.values),
  );
  if (resultsOf(node).length > 0) return { values, bounds: values.map(() => Number.POSITIVE_INFINITY) };
  const bounds = boundsOf(node, inputs, values);
  // What may overflow, or is a number only by luck, cannot be told.
  const top = largestOf(node.dtype);
  for (let i = 0; i < bounds.length; i++) {
    const near = Number.isFinite(values[i]) ? Math.abs(values[i]) + bounds[i] > top : bounds[i] > 0;
    if (near || Number.isNaN(bounds[i])) bounds[i] = Number.POSITIVE_INFINITY;
  }
  return { values, bounds };
}
