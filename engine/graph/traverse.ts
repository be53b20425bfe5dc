// Walks over graphs, without recursion: graphs of ten thousand nodes are usual.

import type { Node } from "./node.ts";

/** The nodes whose values a node's value is computed from; none where it is known already. */
export function valueInputs(node: Node): readonly Node[] {
  if (node.storage !== undefined) return [];
  // The other inputs of a custom gradient matter only to differentiation.
  return node.op === "custom" ? node.inputs.slice(0, 1) : node.inputs;
}

/**
 * Every node the outputs need, inputs before users, in a fixed order. `inputsOf` says what a node needs (an empty list
 * for what is a leaf to the caller).
 */
export function topological(outputs: readonly Node[], inputsOf: (node: Node) => readonly Node[]): Node[] {
  const order: Node[] = [];
  const seen = new Set<Node>();
  const stack: { node: Node; inputs: readonly Node[]; next: number }[] = [];
  const visit = (node: Node): void => {
    if (seen.has(node)) return;
    seen.add(node);
    stack.push({ node, inputs: inputsOf(node), next: 0 });
  };
  for (const output of outputs) {
    visit(output);
    while (stack.length > 0) {
      const top = stack[stack.length - 1];
      if (top.next < top.inputs.length) visit(top.inputs[top.next++]);
      else {
        order.push(top.node);
        stack.pop();
      }
    }
  }
  return order;
}
