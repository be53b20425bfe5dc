// Rematerialisation: trades computing a part of the graph twice for not keeping it in memory between the two.

import { gradients } from "./autograd/gradients.ts";
import { Node, nextNodeId } from "./graph/node.ts";
import { substitute } from "./graph/rewrite.ts";
import { topological } from "./graph/traverse.ts";
import { build } from "./primitives/index.ts";
import { sizeOf } from "./shape.ts";
import { Tensor } from "./tensor.ts";

/**
 * `fn` such that its intermediate values are not kept for the backward pass but computed again there, from the
 * arguments (Chen et al. 2016, "Training deep nets with sublinear memory cost"). Values and gradients are the same bit
 * for bit; random draws inside are not drawn anew. Wrap a block of a deep model, not a single operation.
 */
export function checkpoint<A extends readonly Tensor[]>(fn: (...args: A) => Tensor): (...args: A) => Tensor {
  return (...args) => {
    const first = nextNodeId();
    const value = fn(...args).node;
    if (!value.tracked) return new Tensor(value);
    // What fn did not make itself: its arguments, and parameters it closes over.
    const given = topological([value], (node) => (node.id < first || !node.tracked ? [] : node.inputs)).filter(
      (node) => node.id < first && node.tracked,
    );
    const rule = (seed: Node): (Node | undefined)[] => {
      const again = new Map(args.map(({ node }) => [node, later(node, seed)]));
      const targets = given.map((node) => again.get(node) ?? node);
      return gradients(substitute(value, again), seed, targets, new Set(again.values()));
    };
    return new Tensor(build.apply("custom", [value, ...given], { rule }));
  };
}

/** The same value, available only when the gradient has arrived: else it would be shared with the forward pass. */
function later(node: Node, seed: Node): Node {
  const size = sizeOf(node.shape);
  if (size === 0 || sizeOf(seed.shape) === 0) return node;
  const flat = build.reshape(seed, [sizeOf(seed.shape)]);
  const one = build.apply("slice", [flat], { starts: [0], stops: [1], steps: [1] });
  const spread = build.apply("expand", [one], { shape: [size] });
  return new Node("after", [node, build.reshape(spread, node.shape)], {}, node.shape, node.dtype, node.tracked);
}
