// Column sums: many rows added up, element by element. In parts of neighbouring rows, so that the kernel that makes the
// rows can add them to its part while they are at hand, and threads share the parts.

import { isReduce } from "../graph/vocabulary.ts";
import { type Shape, sizeOf } from "../shape.ts";
import { canonical, type Domain } from "./domain.ts";
import type { Vertex } from "./vertex.ts";
import type { View } from "./view.ts";

/** `parts` sums of `rows` rows of `side` elements each. */
export interface Columns {
  readonly parts: number;
  readonly rows: number;
  readonly side: number;
}

/** Rows shorter than this are no work for a row kernel. */
const shortestRow = 32;
/** Fewer rows than this are summed in one go. */
const manyRows = 128;
const mostParts = 16;
const fewestParts = 4;

/** Into how many parts a sum over the first axes of a shape is cut, by cutting its first axis; 1: not at all. */
export function columnParts(shape: Shape, axes: readonly number[]): number {
  const leading = axes.every((axis, i) => axis === i);
  const rows = sizeOf(shape.slice(0, axes.length));
  if (!leading || rows < manyRows || sizeOf(shape.slice(axes.length)) < shortestRow) return 1;
  for (let parts = Math.min(mostParts, shape[0]); parts >= fewestParts; parts--)
    if (shape[0] % parts === 0) return parts;
  return 1;
}

/** What a vertex sums if it is a column sum: neighbouring axes in front of others that stay. */
export function columnsOf(v: Vertex): Columns | undefined {
  if (v.op !== "sum" || (v.dtype !== "f32" && v.dtype !== "f64")) return undefined;
  const { axes } = v.as("sum");
  const { shape } = v.inputs[0];
  const [first, last] = [axes[0], axes[axes.length - 1]];
  if (axes.some((axis, i) => axis !== first + i)) return undefined;
  const [parts, side] = [sizeOf(shape.slice(0, first)), sizeOf(shape.slice(last + 1))];
  // Parts are the units of work of the kernel that adds them up.
  if (parts < fewestParts || side < shortestRow) return undefined;
  return { parts, rows: sizeOf(shape.slice(first, last + 1)), side };
}

/** The domain of rows that a column sum adds up. */
export const rowDomain = ({ parts, rows, side }: Columns): Domain => ({ shape: [parts * rows, side], axes: [1] });

/** From an index over the axes of a row kernel (cut where the columns are) to the flat position of a sum. */
export function columnView(axes: readonly number[], { rows, side }: Columns): View {
  const strides: number[] = [];
  // Elements behind the axis: within a row, then of the rows of a part, then of parts.
  let behind = 1;
  for (const length of axes.toReversed()) {
    strides.unshift(behind < side ? behind : behind < side * rows ? 0 : behind / rows);
    behind *= length;
  }
  return { shape: axes, strides, offset: 0 };
}

/** How many of the outer axes of a row kernel are the rows of one part. */
export function summedAxes(axes: readonly number[], { rows, side }: Columns): number {
  let behind = 1;
  let summed = 0;
  for (const length of axes.toReversed()) {
    if (behind >= side && behind < side * rows) summed += 1;
    behind *= length;
  }
  return summed;
}

/** Whether a member of a cluster adds up its rows, rather than folding along them. */
export const isColumnSum = (v: Vertex, domain: Domain): boolean =>
  isReduce(v.op) && canonical(domainOf(v)) !== canonical(domain);

const domains = new WeakMap<Vertex, Domain>();

/** The rows that a reduction by itself runs over: one object, so that its text is made once. */
export function domainOf(reduction: Vertex): Domain {
  const known = domains.get(reduction) ?? { shape: reduction.inputs[0].shape, axes: reduction.as("sum").axes };
  domains.set(reduction, known);
  return known;
}
