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

/** More terms than this in one sum are split by axes. */
const mostTerms = 16;

/**
 * The adjoint of `windows`: every element of every window added where it was read. `g` has the shape of the windows,
 * `shape` is that of what they were taken of. Its own gradient is `windows` again.
 */
export function overlapAdd(b: Build, g: Node, shape: readonly number[], attrs: WindowAttrs): Node {
  if (sizeOf(g.shape) === 0) return b.apply("full", [], { shape, dtype: g.dtype, value: 0 });
  const { axes, sizes, strides, dilations } = attrs;
  const along = axes.map((axis, i) => ({
    axis,
    length: shape[axis],
    size: sizes[i],
    stride: strides[i],
    dilation: dilations[i],
  }));
  const terms = along.reduce((n, { size, stride, dilation }) => n * Math.ceil(span(size, dilation) / stride), 1);
  // One axis after the other reads and writes more, but its sums are short.
  const value =
    terms <= mostTerms ? addAlong(b, g, along) : along.reduceRight((whole, one) => addAlong(b, whole, [one]), g);
  return b.apply("custom", [value, g], { rule: (seed) => [b.apply("windows", [seed], attrs)] });
}

interface Along {
  readonly axis: number;
  readonly length: number;
  readonly stride: number;
  readonly dilation: number;
}

/**
 * Overlap-add along axes whose window elements are the last axes of g. Element t = turn * stride + phase of the window at
 * position p belongs at (p + turn) * stride + phase: so a sum over turns of shifted copies, with phases as axes. Where
 * windows do not overlap there is one turn, and this is movement only.
 */
function addAlong(b: Build, g: Node, along: readonly Along[]): Node {
  const count = along.length;
  const rank = g.shape.length - count;
  const rest = Array.from({ length: rank }, (_, i) => i).filter((i) => along.every(({ axis }) => axis !== i));
  const taps = rest.length;
  const places = taps + count;
  let rows = b.permute(g, [...rest, ...along.map((_, i) => rank + i), ...along.map(({ axis }) => axis)]);
  const plans = along.map(({ stride, dilation, length }, i) => {
    // Zeros between dilated elements, where phases and dilation would interfere.
    if (stride > 1) rows = dilate(b, rows, taps + i, dilation);
    const elements = rows.shape[taps + i];
    return { stride, length, elements, step: stride > 1 ? 1 : dilation, turns: Math.ceil(elements / stride) };
  });
  let sum: Node | undefined;
  const total = plans.reduce((n, { turns }) => n * turns, 1);
  for (let term = 0; term < total; term++) {
    const [starts, lo, hi] = [0, 0, 0].map((zero) => rows.shape.map(() => zero));
    const stops = [...rows.shape];
    let left = term;
    plans.forEach(({ stride, elements, step, turns }, i) => {
      const turn = left % turns;
      left = Math.floor(left / turns);
      starts[taps + i] = turn * stride;
      stops[taps + i] = Math.min(elements, (turn + 1) * stride);
      hi[taps + i] = stride - (stops[taps + i] - starts[taps + i]);
      lo[places + i] = turn * step;
      hi[places + i] = (turns - 1 - turn) * step;
    });
    const part = b.apply("slice", [rows], { starts, stops, steps: starts.map(() => 1) });
    const shifted = b.apply("pad", [part], { lo, hi, value: 0 });
    sum = sum === undefined ? shifted : b.add(sum, shifted);
  }
  // [rest, phases, places] -> [rest, place and phase of each axis as one], cut or filled to its length.
  const added = sum as Node;
  const order = [...rest.keys(), ...plans.flatMap((_, i) => [places + i, taps + i])];
  const lead = rest.map((i) => g.shape[i]);
  const lines = plans.map(({ stride }, i) => added.shape[places + i] * stride);
  const joined = b.reshape(b.permute(added, order), [...lead, ...lines]);
  const whole = plans.reduce((value, { length }, i) => resize(b, value, taps + i, length), joined);
  const back = Array.from({ length: rank }, (_, axis) => {
    const at = along.findIndex((one) => one.axis === axis);
    return at >= 0 ? taps + at : rest.indexOf(axis);
  });
  return b.permute(whole, back);
}

/** The axis cut, or filled with zeros, to a length. */
function resize(b: Build, x: Node, axis: number, length: number): Node {
  const side = x.shape[axis];
  if (side === length) return x;
  const zeros = x.shape.map(() => 0);
  if (side < length) return b.apply("pad", [x], { lo: zeros, hi: zeros.with(axis, length - side), value: 0 });
  return b.apply("slice", [x], { starts: zeros, stops: x.shape.with(axis, length), steps: x.shape.map(() => 1) });
}
