// The axes of a cluster's kernel: fine enough that every view inside is one affine map, kept axes first, then rows.

import { isReduce } from "../graph/vocabulary.ts";
import { contiguousStrides, type Shape, sizeOf } from "../shape.ts";
import type { Cluster } from "./cluster.ts";
import { type Columns, columnsOf, isColumnSum, summedAxes } from "./columns.ts";
import { type Domain, keptSize, refine, runsOf } from "./domain.ts";
import type { Order } from "./rounding.ts";
import { isMove, type Vertex, viewOf } from "./vertex.ts";
import type { View } from "./view.ts";

export interface Space {
  /** Sides of the outer (kept) axes, then of the row axes. */
  readonly axes: readonly number[];
  readonly outer: number;
  /** How many of the last outer axes column sums add up. */
  readonly summed: number;
  /** From an index over all axes to the flat position of a full value, and of a kept one. */
  readonly full: View;
  readonly keptInRow: View;
  /** From an index over the outer axes to the flat position of a kept value. */
  readonly kept: View;
}

/**
 * `orders` are those of the cluster's reductions. With `wholeLines` no line of terms is cut: what cannot be read along
 * it in one step is read element by element.
 */
export function spaceOf(c: Cluster, orders: readonly Order[], wholeLines: boolean): Space {
  const domain = c.domain as Domain;
  const sides = fineSides(c, domain, orders, wholeLines);
  const reduced = reducedSides(domain, sides);
  const order = [...sides.keys()].sort((a, b) => Number(reduced[a]) - Number(reduced[b]) || a - b);
  const strides = contiguousStrides(sides);
  const axes = order.map((i) => sides[i]);
  const outer = reduced.filter((r) => !r).length;
  // A single element is a row of one.
  if (axes.length === outer && outer === 0) return scalarSpace;
  const rows = domain.axes.length > 0 ? outer : Math.max(0, axes.length - 1);
  const keptSides = axes.slice(0, outer);
  const keptStrides = contiguousStrides(keptSides);
  return {
    axes,
    outer: rows,
    summed: summedIn(c, axes),
    full: { shape: axes, strides: order.map((i) => strides[i]), offset: 0 },
    keptInRow: { shape: axes, strides: axes.map((_, i) => keptStrides[i] ?? 0), offset: 0 },
    kept: { shape: keptSides, strides: keptStrides, offset: 0 },
  };
}

const one: View = { shape: [1], strides: [0], offset: 0 };
const scalarSpace: Space = {
  axes: [1],
  outer: 0,
  summed: 0,
  full: one,
  keptInRow: one,
  kept: { shape: [], strides: [], offset: 0 },
};

/** All column sums of a cluster have the same rows in a part: their number follows from the domain. */
function summedIn(c: Cluster, axes: readonly number[]): number {
  const sum = c.members.find((v) => isReduce(v.op) && isColumnSum(v, c.domain as Domain));
  return sum === undefined ? 0 : summedAxes(axes, columnsOf(sum) as Columns);
}

/** Cuts the domain's sides where lines of terms end, and wherever a shape met at the same flat position cuts them. */
function fineSides(c: Cluster, domain: Domain, orders: readonly Order[], wholeLines: boolean): number[] {
  const size = sizeOf(domain.shape);
  if (size === 0) return [...domain.shape];
  const rows = keptSize(domain);
  const trailing = domain.axes.every((axis, i) => axis === domain.shape.length - domain.axes.length + i);
  const allowed = (shape: Shape): Shape => (wholeLines ? outsideRow(shape, orders[0]) : shape);
  let sides = refine([allowed(domain.shape)]) as number[];
  const cut = (shape: Shape): void => {
    if (sizeOf(shape) === size) sides = refine([sides, shape]) ?? sides;
    else if (trailing && sizeOf(shape) === rows && rows > 0) sides = refine([sides, [...shape, size / rows]]) ?? sides;
  };
  for (const { step, line } of orders) cut([size / (step * line), step * line]);
  // Stores have no way but steps along axes.
  for (const { part, shape } of c.members) if (part !== undefined) cut(shape);
  for (const member of c.members) {
    cut(allowed(isReduce(member.op) ? member.inputs[0].shape : member.shape));
    for (const input of member.inputs) cutThrough(input, (shape) => cut(allowed(shape)));
  }
  return sides;
}

/** A shape with the axes inside a row taken as one. */
function outsideRow(shape: Shape, { step, row }: Order): Shape {
  const sides: number[] = [];
  let [behind, side] = [1, 1];
  for (const next of shape.toReversed()) {
    if (side > 1 && (behind * side <= step || behind * side >= step * row)) {
      sides.unshift(side);
      [behind, side] = [behind * side, 1];
    }
    side *= next;
  }
  return [side, ...sides];
}

/** Movement that starts at the same flat position: reshapes, then the first view. */
function cutThrough(v: Vertex, cut: (shape: Shape) => void): void {
  let at = v;
  while (isMove(at)) {
    cut(at.shape);
    if (viewOf(at) !== undefined) return;
    at = at.inputs[0];
  }
}

function reducedSides(domain: Domain, sides: readonly number[]): boolean[] {
  if (sizeOf(domain.shape) === 0) return domain.shape.map((_, i) => domain.axes.includes(i));
  const flags: boolean[] = [];
  for (const { reduced, side } of runsOf(domain)) {
    for (let left = side; left > 1; left /= sides[flags.length - 1]) flags.push(reduced);
  }
  return flags;
}
