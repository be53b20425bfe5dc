// Shape arithmetic on plain arrays. Shapes are immutable; axes may be given from the end (-1 is the last).

import { ShapeError } from "./errors.ts";

export type Shape = readonly number[];

/** The largest number of elements a tensor may have: flat indices are i32. */
export const maxElements = 2 ** 31 - 1;

export const sizeOf = (shape: Shape): number => shape.reduce((n, side) => n * side, 1);

export const sameShape = (a: Shape, b: Shape): boolean => a.length === b.length && a.every((side, i) => side === b[i]);

export const formatShape = (shape: Shape): string => `[${shape.join(", ")}]`;

/** Row-major strides in elements. */
export function contiguousStrides(shape: Shape): number[] {
  const strides = new Array<number>(shape.length);
  let stride = 1;
  for (let i = shape.length - 1; i >= 0; i--) {
    strides[i] = stride;
    stride *= shape[i];
  }
  return strides;
}

/** Checks that a shape is made of non-negative integers and fits the index range. */
export function checkShape(op: string, shape: Shape): Shape {
  for (const side of shape) {
    if (!Number.isInteger(side) || side < 0) {
      throw new ShapeError(op, `shape ${formatShape(shape)} has a side that is not a non-negative integer: ${side}`);
    }
  }
  if (sizeOf(shape) > maxElements) {
    throw new ShapeError(op, `shape ${formatShape(shape)} has ${sizeOf(shape)} elements, more than ${maxElements}`);
  }
  if (shape.some((side) => side > maxElements)) {
    throw new ShapeError(op, `shape ${formatShape(shape)} has a side longer than ${maxElements}`);
  }
  return shape;
}

/** Resolves an axis in [-rank, rank) of a shape (or of one of so many axes) to [0, rank). */
export function resolveAxis(op: string, axis: number, of: Shape | number, what = "axis"): number {
  const rank = typeof of === "number" ? of : of.length;
  if (!Number.isInteger(axis) || axis < -rank || axis >= rank) {
    const whole = typeof of === "number" ? "" : ` ${formatShape(of)}`;
    throw new ShapeError(op, `${what} ${axis} is out of range for a tensor${whole} of rank ${rank}`);
  }
  return axis < 0 ? axis + rank : axis;
}

/** Resolves a list of axes (undefined: all) to a sorted list without repeats. */
export function resolveAxes(op: string, axes: number | readonly number[] | undefined, of: Shape | number): number[] {
  if (axes === undefined) return Array.from({ length: typeof of === "number" ? of : of.length }, (_, i) => i);
  const list = typeof axes === "number" ? [axes] : axes;
  const resolved = list.map((axis) => resolveAxis(op, axis, of)).sort((a, b) => a - b);
  resolved.forEach((axis, i) => {
    if (i > 0 && resolved[i - 1] === axis)
      throw new ShapeError(op, `axis ${axis} is given twice in [${list.join(", ")}]`);
  });
  return resolved;
}

/** NumPy broadcasting of any number of shapes. Throws a ShapeError where they do not fit, or the result is too large. */
export const broadcastShapes = (op: string, ...shapes: Shape[]): number[] => broadcastParts(op, shapes, shapes);

/** The same of parts of shapes; the error shows the whole ones. */
export function broadcastParts(op: string, shapes: readonly Shape[], wholes: readonly Shape[]): number[] {
  const rank = Math.max(0, ...shapes.map((shape) => shape.length));
  const result = new Array<number>(rank).fill(1);
  for (const shape of shapes) {
    const lead = rank - shape.length;
    shape.forEach((side, i) => {
      const other = result[lead + i];
      if (other === 1) result[lead + i] = side;
      else if (side !== 1 && side !== other) {
        const axis = lead + i - rank;
        const list = wholes.map(formatShape).join(" and ");
        const which = shapes === wholes ? `axis ${axis} is` : "sides are";
        throw new ShapeError(op, `shapes ${list} do not broadcast: ${which} ${other} and ${side}`);
      }
    });
  }
  checkShape(op, result);
  return result;
}

/** Where sides differ between a broadcast result and a source: the axes of the result that were expanded. */
export function withoutAxes(shape: Shape, axes: readonly number[]): number[] {
  return shape.filter((_, i) => !axes.includes(i));
}

/** The shape with the given axes set to 1. */
export function keepAxes(shape: Shape, axes: readonly number[]): number[] {
  return shape.map((side, i) => (axes.includes(i) ? 1 : side));
}

/** Resolves one -1 in a target shape so that the sizes agree. */
export function resolveReshape(op: string, from: Shape, to: Shape, what = formatShape(from)): number[] {
  const unknown = to.filter((side) => side === -1).length;
  const known = to.reduce((n, side) => (side === -1 ? n : n * side), 1);
  const size = sizeOf(from);
  if (unknown > 1) throw new ShapeError(op, `only one side of ${formatShape(to)} may be -1`);
  const ok = unknown === 0 ? known === size : known > 0 && size % known === 0;
  if (!ok || to.some((side) => !Number.isInteger(side) || side < -1)) {
    throw new ShapeError(op, `cannot reshape ${what} (${size} elements) to ${formatShape(to)}`);
  }
  return to.map((side) => (side === -1 ? size / known : side));
}
