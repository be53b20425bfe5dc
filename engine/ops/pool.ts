// Pooling over one or two axes: windows, then a reduction. Layout [..., ...sides]: leading axes are left alone.

import { ShapeError } from "../errors.ts";
import { operation } from "../operation.ts";
import { span } from "../primitives/windows.ts";
import { formatShape } from "../shape.ts";
import type { Tensor } from "../tensor.ts";
import { add, cast, div, floorDivide, less, lessEqual, logicalAnd, mul, neg, sub } from "./elementwise.ts";
import { matmul } from "./linalg.ts";
import { moveAxis, unsqueeze } from "./movement.ts";
import { asFloat, checkTensor, filled, positions, primitive } from "./operand.ts";
import { max, sum } from "./reduce.ts";
import { pad } from "./slicing.ts";
import { checkSpans, type Padding, type PerAxis, perAxis, resolvePadding } from "./sliding.ts";

export interface PoolOptions {
  /** Default: the size, so that windows do not overlap. */
  readonly stride?: PerAxis;
  /** As of convolutions; padding never wins a maximum. Default 0. */
  readonly padding?: Padding;
  /** Distance of neighbouring elements of a window; default 1. */
  readonly dilation?: PerAxis;
}

export interface AvgPoolOptions extends Omit<PoolOptions, "dilation"> {
  /** Whether zeros of the padding count as elements; default true. */
  readonly countIncludePad?: boolean;
}

interface Plan {
  readonly pairs: readonly (readonly [number, number])[];
  /** The windows of a tensor of x's spatial sides, padded with `value`. */
  windows(x: Tensor, value: number): Tensor;
}

function planPool(op: string, axes: number, x: Tensor, size: PerAxis, options: PoolOptions): Plan {
  checkTensor(op, x);
  if (x.rank < axes) throw new ShapeError(op, `needs at least ${axes} axes, got ${formatShape(x.shape)}`);
  const sizes = perAxis(op, "size", size, axes, 1);
  const strides = perAxis(op, "stride", options.stride ?? sizes, axes, 1);
  const dilations = perAxis(op, "dilation", options.dilation ?? 1, axes, 1);
  const spans = sizes.map((n, i) => span(n, dilations[i]));
  const sides = x.shape.slice(-axes);
  const pairs = resolvePadding(op, options.padding ?? 0, sides, spans, strides);
  checkSpans(op, x.shape, pairs, sizes, dilations);
  return {
    pairs,
    windows(tensor, value) {
      const lead = tensor.rank - axes;
      const whole = pad(tensor, [...tensor.shape.slice(0, lead).map(() => [0, 0] as const), ...pairs], value);
      const attrs = { axes: sizes.map((_, i) => lead + i), sizes, strides, dilations };
      return primitive("windows", [whole], attrs);
    },
  };
}

const lastAxes = (axes: number): number[] => Array.from({ length: axes }, (_, i) => i - axes);

function maxPool(op: string, axes: number, x: Tensor, size: PerAxis, options: PoolOptions): Tensor {
  const plan = planPool(op, axes, x, size, options);
  const lowest = x.dtype === "bool" ? 0 : x.dtype === "i32" ? -2147483648 : Number.NEGATIVE_INFINITY;
  return max(plan.windows(x, lowest), lastAxes(axes));
}

function avgPool(op: string, axes: number, x: Tensor, size: PerAxis, options: AvgPoolOptions): Tensor {
  const plan = planPool(op, axes, x, size, options);
  const value = asFloat(x);
  const total = sum(plan.windows(value, 0), lastAxes(axes));
  const inside = plan.pairs.every(([before, after]) => before === 0 && after === 0);
  if (inside || options.countIncludePad !== false) {
    const count = perAxis(op, "size", size, axes, 1).reduce((n, side) => n * side, 1);
    return mul(total, 1 / count);
  }
  const ones = filled(x.shape.slice(-axes), value.dtype, 1);
  return div(total, sum(plan.windows(ones, 0), lastAxes(axes)));
}

/**
 * [L, O]: column o holds 1 / count in the rows of its share, which reaches from floor(o L / O) to ceil((o + 1) L / O).
 */
function shares(side: number, outputs: number, dtype: Tensor["dtype"]): Tensor {
  const [row, column] = [unsqueeze(positions([side], 0), 1), unsqueeze(positions([outputs], 0), 0)];
  const start = floorDivide(mul(column, side), outputs);
  // ceil(a / b) = -floor(-a / b)
  const stop = neg(floorDivide(mul(add(column, 1), -side), outputs));
  const inside = cast(logicalAnd(lessEqual(start, row), less(row, stop)), dtype);
  return div(inside, cast(sub(stop, start), dtype));
}

function adaptiveAvgPool(op: string, axes: number, x: Tensor, size: PerAxis): Tensor {
  checkTensor(op, x);
  const outputs = perAxis(op, "size", size, axes, 1);
  if (x.rank < axes || x.shape.slice(-axes).includes(0)) {
    throw new ShapeError(op, `needs ${axes} axes with elements, got ${formatShape(x.shape)}`);
  }
  // Along each axis a product with a matrix of shares: uneven shares overlap, and no window could say so.
  return outputs.reduce((value, count, i) => {
    const axis = i - axes;
    const side = value.shape[value.rank + axis];
    const matrix = shares(side, count, value.dtype);
    if (axis === -1) return matmul(value, matrix);
    return moveAxis(matmul(moveAxis(value, axis, -1), matrix), -1, axis);
  }, asFloat(x));
}

/** The largest of each window of [..., L]. Equal ones share the gradient. Throws typed errors where a window does not fit. */
export const maxPool1d = operation("maxPool1d", (x: Tensor, size: PerAxis, options: PoolOptions = {}): Tensor => {
  return maxPool("maxPool1d", 1, x, size, options);
});

/** The largest of each window of [..., H, W]; otherwise as `maxPool1d`. */
export const maxPool2d = operation("maxPool2d", (x: Tensor, size: PerAxis, options: PoolOptions = {}): Tensor => {
  return maxPool("maxPool2d", 2, x, size, options);
});

/** The mean of each window of [..., L]. */
export const avgPool1d = operation("avgPool1d", (x: Tensor, size: PerAxis, options: AvgPoolOptions = {}): Tensor => {
  return avgPool("avgPool1d", 1, x, size, options);
});

/** The mean of each window of [..., H, W]. */
export const avgPool2d = operation("avgPool2d", (x: Tensor, size: PerAxis, options: AvgPoolOptions = {}): Tensor => {
  return avgPool("avgPool2d", 2, x, size, options);
});

/** Means of `size` shares of [..., L], as even as can be; where they are not, neighbours overlap (as in PyTorch). */
export const adaptiveAvgPool1d = operation("adaptiveAvgPool1d", (x: Tensor, size: PerAxis): Tensor => {
  return adaptiveAvgPool("adaptiveAvgPool1d", 1, x, size);
});

/** As `adaptiveAvgPool1d`, along both of [..., H, W]. */
export const adaptiveAvgPool2d = operation("adaptiveAvgPool2d", (x: Tensor, size: PerAxis): Tensor => {
  return adaptiveAvgPool("adaptiveAvgPool2d", 2, x, size);
});
