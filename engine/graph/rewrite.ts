// Copies of graphs with some nodes replaced.

import { Node } from "./node.ts";
import { topological } from "./traverse.ts";

/** The graph of `output` again, with new nodes for whatever depends on a replaced one. */
export function substitute(output: Node, replaced: ReadonlyMap<Node, Node>): Node {
  const copies = new Map(replaced);
  for (const node of topological([output], (n) => (replaced.has(n) ? [] : n.inputs))) {
    if (copies.has(node) || !node.inputs.some((input) => copies.has(input))) continue;
    const inputs = node.inputs.map((input) => copies.get(input) ?? input);
    copies.set(node, new Node(node.op, inputs, node.attrs, node.shape, node.dtype, node.tracked));
  }
  return copies.get(output) ?? output;
}
