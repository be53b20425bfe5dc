// Windows sliding over axes, as a view: positions and the elements of each window become axes of their own, and nothing
// is copied. Convolution, its gradients and pooling are this movement followed by a contraction or a reduction.

import { ArgumentError, ShapeError } from "../errors.ts";
import type { Attrs, Node } from "../graph/node.ts";
import { checkShape, formatShape, sizeOf } from "../shape.ts";
import { dilate } from "./movement.ts";
import type { Build, Row } from "./row.ts";

type WindowAttrs = Attrs["windows"];

/** How far a window reaches: the positions from its first element to its last. */
export const span = (size: number, dilation: number): number => (size - 1) * dilation + 1;

function check(x: Node, { axes, sizes, strides, dilations }: WindowAttrs): void {
  axes.forEach((axis, i) => {
    for (const [what, value] of [
      ["size", sizes[i]],
      ["stride", strides[i]],
      ["dilation", dilations[i]],
    ] as const) {
      if (!Number.isInteger(value) || value < 1) {
        throw new ArgumentError("windows", `the ${what} along axis ${axis} must be a whole number >= 1, got ${value}`);
      }
    }
    const reach = span(sizes[i], dilations[i]);
    if (axis < 0 || axis >= x.shape.length || axes.indexOf(axis) !== i) {
      throw new ShapeError("windows", `axes [${axes}] are not distinct axes of ${formatShape(x.shape)}`);
    }
    if (reach > x.shape[axis]) {
      throw new ShapeError(
        "windows",
        `a window of ${sizes[i]} with dilation ${dilations[i]} reaches over ${reach} elements, ` +
          `but axis ${axis} of ${formatShape(x.shape)} has ${x.shape[axis]}`,
      );
    }
  });
}

export const windows: Row<"windows"> = {
  shape: ([x], attrs) => {
    check(x, attrs);
    const { axes, sizes, strides, dilations } = attrs;
    const shape = [...x.shape];
    axes.forEach((axis, i) => {
      shape[axis] = Math.floor((x.shape[axis] - span(sizes[i], dilations[i])) / strides[i]) + 1;
    });
    return checkShape("windows", [...shape, ...sizes]);
  },
  dtype: ([x]) => x.dtype,
  vjp: (b, g, y, [x]) => [overlapAdd(b, g, x.shape, y.attrs)],
};

/**
 * The adjoint of `windows`: every element of every window added where it was read. `g` has the shape of the windows,
 * `shape` is that of what they were taken of. Its own gradient is `windows` again.
 */
export function overlapAdd(b: Build, g: Node, shape: readonly number[], attrs: WindowAttrs): Node {
  const { axes, strides, dilations } = attrs;
  if (sizeOf(g.shape) === 0) return b.apply("full", [], { shape, dtype: g.dtype, value: 0 });
  let value = g;
  for (let i = axes.length - 1; i >= 0; i--) {
    value = addAlong(b, value, axes[i], shape[axes[i]], strides[i], dilations[i]);
  }
  return b.apply("custom", [value, g], { rule: (seed) => [b.apply("windows", [seed], attrs)] });
}

/**
 * Overlap-add along one axis, whose window elements are the last axis. With positions q and elements t = j * stride + r,
 * output q * stride + r is the sum over j of g[q - j, j, r]: a sum along diagonals, and a diagonal of rows laid end to
 * end is a window of dilation J + 1. So windows of windows do it, without a loop over elements.
 */
function addAlong(b: Build, g: Node, axis: number, length: number, stride: number, dilation: number): Node {
  const rank = g.shape.length - 1;
  const rest = g.shape.map((_, i) => i).filter((i) => i !== axis && i !== rank);
  const lead = rest.map((i) => g.shape[i]);
  // Elements between dilated ones become zeros where phases and dilation would interfere.
  const spread = stride > 1 ? dilate(b, b.permute(g, [...rest, axis, rank]), rank, dilation) : undefined;
  const rows = spread ?? b.permute(g, [...rest, axis, rank]);
  const step = stride > 1 ? 1 : dilation;
  const [positions, elements] = rows.shape.slice(-2);
  const turns = Math.ceil(elements / stride);
  const whole = resize(b, rows, rank, turns * stride);
  const phases = b.permute(b.reshape(whole, [...lead, positions, turns, stride]), [
    ...lead.map((_, i) => i),
    rank + 1,
    rank - 1,
    rank,
  ]);
  const added = turns === 1 ? b.reshape(phases, phases.shape.slice(0, -1)) : addDiagonals(b, phases, step);
  const count = added.shape[rank];
  const order = [...lead.map((_, i) => i), rank, rank - 1];
  const line = resize(b, b.reshape(b.permute(added, order), [...lead, count * stride]), rank - 1, length);
  // Back to where the axis was.
  return b.permute(
    line,
    Array.from({ length: rank }, (_, i) => (i === axis ? rank - 1 : rest.indexOf(i))),
  );
}

/** [.., P, J] -> [.., P + (J - 1) * step]: element q is the sum over j of x[q - j * step, j], of what there is. */
function addDiagonals(b: Build, x: Node, step: number): Node {
  const rank = x.shape.length;
  const [positions, turns] = x.shape.slice(-2);
  const margin = (turns - 1) * step;
  const border = x.shape.map((_, i) => (i === rank - 2 ? margin : 0));
  const flipped = b.apply("flip", [x], { axes: [rank - 1] });
  const padded = b.apply("pad", [flipped], { lo: border, hi: border, value: 0 });
  const flat = b.reshape(padded, [...x.shape.slice(0, -2), (positions + 2 * margin) * turns]);
  const attrs = { axes: [rank - 2], sizes: [turns], strides: [turns], dilations: [step * turns + 1] };
  return b.sum(b.apply("windows", [flat], attrs), [rank - 1]);
}

/** The axis cut, or filled with zeros, to a length. */
function resize(b: Build, x: Node, axis: number, length: number): Node {
  const side = x.shape[axis];
  if (side === length) return x;
  const zeros = x.shape.map(() => 0);
  if (side < length) return b.apply("pad", [x], { lo: zeros, hi: zeros.with(axis, length - side), value: 0 });
  return b.apply("slice", [x], { starts: zeros, stops: x.shape.with(axis, length), steps: x.shape.map(() => 1) });
}
