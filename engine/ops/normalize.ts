// Softmax and the normalisations, in forms that a backend can run as one pass over rows.

import { customGradient } from "../autodiff.ts";
import { ShapeError } from "../errors.ts";
import { operation } from "../operation.ts";
import { build } from "../primitives/index.ts";
import { broadcastShapes, formatShape, resolveAxes, type Shape, sameShape } from "../shape.ts";
import { Tensor } from "../tensor.ts";
import { add, div, exp, log, mul, rsqrt, square, sub } from "./elementwise.ts";
import { asFloat, checkTensor } from "./operand.ts";
import { type Axes, mean, sum } from "./reduce.ts";

const keep = { keepDims: true } as const;

/**
 * x minus its maximum along the axes: NaN all over in rows that are all -Inf, or have +Inf or NaN.
 * No gradient flows through the maximum: what uses this does not change when a row is shifted.
 */
function shifted(x: Tensor, axes: readonly number[]): Tensor {
  return sub(x, new Tensor(build.unreduce(build.max(x.node, axes), keepShape(x.shape, axes), axes)));
}

const keepShape = (shape: Shape, axes: readonly number[]): number[] =>
  shape.map((side, i) => (axes.includes(i) ? 1 : side));

/**
 * e^x / sum(e^x) along `axis` (or several): non-negative, adds up to 1. -Inf gives 0; a row that is all -Inf (or has
 * +Inf or NaN) gives NaN, as in PyTorch.
 */
export const softmax = operation("softmax", (x: Tensor, axis: Axes = -1): Tensor => {
  checkTensor("softmax", x);
  const axes = resolveAxes("softmax", axis, x.shape);
  const forward = (input: Tensor): Tensor => {
    const powers = exp(shifted(input, axes));
    // One division a row.
    return mul(powers, div(1, sum(powers, axes, keep)));
  };
  return customGradient(forward, (seed, y) => {
    const weighted = mul(seed, y);
    return [sub(weighted, mul(y, sum(weighted, axes, keep)))];
  })(asFloat(x));
});

/** log(softmax(x)) along `axis`, without the loss of small probabilities. */
export const logSoftmax = operation("logSoftmax", (x: Tensor, axis: Axes = -1): Tensor => {
  checkTensor("logSoftmax", x);
  const axes = resolveAxes("logSoftmax", axis, x.shape);
  const parts = (input: Tensor) => {
    const low = shifted(input, axes);
    const powers = exp(low);
    return { low, powers, total: sum(powers, axes, keep) };
  };
  const forward = (input: Tensor): Tensor => {
    const { low, total } = parts(input);
    return sub(low, log(total));
  };
  // The softmax from the powers there are, not from the result by another exp.
  return customGradient(forward, (seed, _y, input) => {
    const { powers, total } = parts(input);
    return [sub(seed, mul(powers, div(sum(seed, axes, keep), total)))];
  })(asFloat(x));
});

export interface NormalizeOptions {
  /** Scale, of the normalised shape. */
  readonly weight?: Tensor;
  /** Shift, of the normalised shape. */
  readonly bias?: Tensor;
  /** Added to the variance (or mean square); default 1e-5. */
  readonly eps?: number;
}

/** The last axes of x, after checking that they are `shape`. */
function trailingAxes(op: string, x: Tensor, shape: Shape): number[] {
  checkTensor(op, x);
  const lead = x.rank - shape.length;
  if (shape.length === 0 || lead < 0 || !sameShape(x.shape.slice(lead), shape)) {
    throw new ShapeError(op, `x ${formatShape(x.shape)} does not end in the normalised shape ${formatShape(shape)}`);
  }
  return shape.map((_, i) => lead + i);
}

function affine(op: string, x: Tensor, shape: Shape, { weight, bias }: NormalizeOptions): Tensor {
  for (const part of [weight, bias]) {
    if (part !== undefined) checkTensor(op, part, "weight or bias");
    if (part !== undefined && !sameShape(broadcastShapes(op, part.shape, shape), shape)) {
      throw new ShapeError(
        op,
        `weight and bias must broadcast to ${formatShape(shape)}, got ${formatShape(part.shape)}`,
      );
    }
  }
  const scaled = weight === undefined ? x : mul(x, weight);
  return bias === undefined ? scaled : add(scaled, bias);
}

/** x about its mean, and 1 / sqrt(variance + eps). */
function centredAndScale(x: Tensor, axes: readonly number[], eps: number): [Tensor, Tensor] {
  const centred = sub(x, mean(x, axes, keep));
  return [centred, rsqrt(add(mean(square(centred), axes, keep), eps))];
}

/** x or x about its mean times one scale a row, `parts` giving both. */
function scaled(axes: readonly number[], centre: boolean, parts: (x: Tensor) => readonly [Tensor, Tensor]) {
  // The gradient in the form that needs both row sums of it at once: s (g - mean g - c s^2 mean(g c)).
  return customGradient(
    (x: Tensor) => mul(...parts(x)),
    (seed, _output, x) => {
      const [value, scale] = parts(x);
      const along = mul(square(scale), mean(mul(seed, value), axes, keep));
      const level = centre ? sub(seed, mean(seed, axes, keep)) : seed;
      return [mul(scale, sub(level, mul(value, along)))];
    },
  );
}

/** (x - mean) / sqrt(variance + eps) over the last axes, `shape`; then weight and bias (Ba et al. 2016). */
export const layerNorm = operation("layerNorm", (x: Tensor, shape: Shape, options: NormalizeOptions = {}): Tensor => {
  const axes = trailingAxes("layerNorm", x, shape);
  const normal = scaled(axes, true, (value) => centredAndScale(value, axes, options.eps ?? 1e-5));
  return affine("layerNorm", normal(asFloat(x)), shape, options);
});

/** x / sqrt(mean(x^2) + eps) over the last axes, `shape`; then weight (Zhang & Sennrich 2019). */
export const rmsNorm = operation("rmsNorm", (x: Tensor, shape: Shape, options: NormalizeOptions = {}): Tensor => {
  const axes = trailingAxes("rmsNorm", x, shape);
  const scale = (value: Tensor) => rsqrt(add(mean(square(value), axes, keep), options.eps ?? 1e-5));
  return affine("rmsNorm", scaled(axes, false, (value) => [value, scale(value)])(asFloat(x)), shape, options);
});
