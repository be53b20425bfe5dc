// Reverse-mode differentiation as a graph transformation: nodes in, nodes out, nothing runs.

import { GradientError } from "../errors.ts";
import type { Node, Op } from "../graph/node.ts";
import { topological } from "../graph/traverse.ts";
import { build, primitives, type Row } from "../primitives/index.ts";
import { formatShape, sameShape } from "../shape.ts";

/**
 * Gradients of sum(output * seed) with respect to each of `targets`; undefined where the output does not depend on it.
 * The result is a graph of primitives, so it can be differentiated again. `ends` are taken for leaves: gradients reach
 * them and go no further.
 */
export function gradients(
  output: Node,
  seed: Node,
  targets: readonly Node[],
  ends: ReadonlySet<Node> = new Set(),
): (Node | undefined)[] {
  if (!sameShape(output.shape, seed.shape)) {
    throw new GradientError(
      "gradients",
      `the seed's shape ${formatShape(seed.shape)} is not the output's ${formatShape(output.shape)}`,
    );
  }
  const order = topological([output], (node) => (node.tracked && !ends.has(node) ? node.inputs : []));
  const useful = dependents(order, targets);
  const sums = new Map<Node, Node>([[output, seed]]);
  for (const node of order.toReversed()) {
    const g = sums.get(node);
    if (g === undefined || !useful.has(node) || node.inputs.length === 0 || ends.has(node)) continue;
    const row = primitives[node.op] as Row<Op>;
    if (typeof row.vjp === "string") continue;
    const shares = row.vjp(build, g, node, node.inputs);
    node.inputs.forEach((input, i) => {
      const share = shares[i];
      if (share === undefined || !useful.has(input)) return;
      const sum = sums.get(input);
      sums.set(input, sum === undefined ? share : build.add(sum, share));
    });
  }
  return targets.map((target) => sums.get(target));
}

/** The nodes of `order` (inputs first) that some target is an ancestor of, targets included. */
function dependents(order: readonly Node[], targets: readonly Node[]): Set<Node> {
  const wanted = new Set(targets);
  const useful = new Set<Node>();
  for (const node of order) {
    if (wanted.has(node) || (node.tracked && node.inputs.some((input) => useful.has(input)))) useful.add(node);
  }
  return useful;
}

/** Every tracked node below an output, inputs first: where `backward` looks for leaves to give gradients to. */
export const trackedNodes = (output: Node): Node[] =>
  topological([output], (node) => (node.tracked ? node.inputs : [])).filter((node) => node.tracked);
