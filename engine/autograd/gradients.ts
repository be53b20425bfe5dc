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
  return gradientsOfAll([[output, seed]], targets, ends);
}

/** `gradients` of several outputs added up, each with its seed. */
export function gradientsOfAll(
  outputs: readonly (readonly [output: Node, seed: Node])[],
  targets: readonly Node[],
  ends: ReadonlySet<Node>,
): (Node | undefined)[] {
  for (const [output, seed] of outputs) {
    if (sameShape(output.shape, seed.shape)) continue;
    throw new GradientError(
      "gradients",
      `the seed's shape ${formatShape(seed.shape)} is not the output's ${formatShape(output.shape)}`,
    );
  }
  const order = topological(
    outputs.map(([output]) => output),
    (node) => (node.tracked && !ends.has(node) ? node.inputs : []),
  );
  const useful = dependents(order, targets);
  const given = new Map<Node, Node[]>();
  const give = (node: Node, share: Node): void => {
    const shares = given.get(node);
    if (shares === undefined) given.set(node, [share]);
    else shares.push(share);
  };
  const sums = new Map<Node, Node>();
  const sumOf = (node: Node): Node | undefined => {
    const shares = given.get(node);
    if (shares === undefined) return undefined;
    const sum = sums.get(node) ?? joined(shares).reduce(added);
    sums.set(node, sum);
    return sum;
  };
  for (const [output, seed] of outputs) give(output, seed);
  for (const node of order.toReversed()) {
    if (!useful.has(node) || node.inputs.length === 0 || ends.has(node)) continue;
    const g = sumOf(node);
    if (g === undefined) continue;
    const row = primitives[node.op] as Row<Op>;
    if (typeof row.vjp === "string") continue;
    const shares = row.vjp(build, g, node, node.inputs);
    node.inputs.forEach((input, i) => {
      const share = shares[i];
      if (share !== undefined && useful.has(input)) give(input, share);
    });
  }
  return targets.map(sumOf);
}

interface Piece {
  readonly node: Node<"pad">;
  readonly axis: number;
  readonly start: number;
  readonly stop: number;
}

/** A part along one axis, zeros around it: the gradient of a slice. */
function pieceOf(share: Node): Piece | undefined {
  if (share.op !== "pad") return undefined;
  const node = share as Node<"pad">;
  const { lo, hi, value } = node.attrs;
  const [axis, ...others] = lo.flatMap((before, i) => (before + hi[i] > 0 ? [i] : []));
  if (axis === undefined || others.length > 0 || value !== 0) return undefined;
  return { node, axis, start: lo[axis], stop: share.shape[axis] - hi[axis] };
}

/**
 * Shares to add up. Parts that lie side by side (gradients of what was split: gates, heads) become one concatenation,
 * which is written where it lies: no zeros are made and added.
 */
function joined(shares: readonly Node[]): readonly Node[] {
  const found = shares.flatMap((share) => pieceOf(share) ?? []);
  const pieces = found.filter(({ axis }) => axis === found[0].axis).sort((a, b) => a.start - b.start);
  const apart = pieces.every(({ start }, i) => i === 0 || start >= pieces[i - 1].stop);
  if (pieces.length < 2 || !apart) return shares;
  const { axis, node: first } = pieces[0];
  const zeros = (from: number, to: number): Node[] =>
    from === to
      ? []
      : [build.apply("full", [], { shape: first.shape.with(axis, to - from), dtype: first.dtype, value: 0 })];
  const ends = [0, ...pieces.map(({ stop }) => stop)];
  const parts = [
    ...pieces.flatMap(({ node, start }, i) => [...zeros(ends[i], start), node.inputs[0]]),
    ...zeros(ends[pieces.length], first.shape[axis]),
  ];
  const taken = new Set<Node>(pieces.map(({ node }) => node));
  return [build.apply("concat", parts, { axis }), ...shares.filter((share) => !taken.has(share))];
}

/** The sum of two gradients of one node; of a node with several results, result by result. */
function added(sum: Node, share: Node): Node {
  if (share.op !== "tuple") return build.add(sum, share);
  const all = new Map<number, Node>();
  for (const tuple of [sum, share] as Node<"tuple">[]) {
    tuple.attrs.slots.forEach((slot, i) => {
      const before = all.get(slot);
      all.set(slot, before === undefined ? tuple.inputs[i] : build.add(before, tuple.inputs[i]));
    });
  }
  return build.apply("tuple", [...all.values()], { slots: [...all.keys()] });
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
