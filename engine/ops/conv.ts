// Convolutions over one or two axes, and their transposes. Layout [N, C, ...sides], PyTorch's conventions.

import { promote } from "../dtype.ts";
import { ArgumentError, ShapeError } from "../errors.ts";
import { operation } from "../operation.ts";
import { span } from "../primitives/windows.ts";
import { formatShape } from "../shape.ts";
import type { Tensor } from "../tensor.ts";
import { correlate, correlateInput, type Geometry } from "./correlate.ts";
import { add, cast } from "./elementwise.ts";
import { reshape, squeeze, unsqueeze } from "./movement.ts";
import { checkTensor } from "./operand.ts";
import { checkSpans, type Padding, type PerAxis, perAxis, resolvePadding } from "./sliding.ts";

export interface ConvOptions {
  /** Added to each output channel: [Co]. */
  readonly bias?: Tensor;
  /** Default 1. */
  readonly stride?: PerAxis;
  /** Default "valid". */
  readonly padding?: Padding;
  /** Distance of neighbouring taps; default 1. */
  readonly dilation?: PerAxis;
  /** Channels fall into so many groups that know nothing of each other (C of them: depthwise); default 1. */
  readonly groups?: number;
}

export interface ConvTransposeOptions extends Omit<ConvOptions, "padding"> {
  /** Of the convolution this is the transpose of: so much is cropped off the result; default 0. */
  readonly padding?: number | readonly (number | readonly [number, number])[];
  /** Elements added after each side of the result, less than the stride; default 0. */
  readonly outputPadding?: PerAxis;
}

function checkWeight(op: string, axes: number, x: Tensor, weight: Tensor, bias: Tensor | undefined, groups: number) {
  checkTensor(op, x);
  checkTensor(op, weight, "weight");
  if (bias !== undefined) checkTensor(op, bias, "bias");
  const shapes = `x ${formatShape(x.shape)} and weight ${formatShape(weight.shape)}`;
  if ((x.rank !== axes + 2 && x.rank !== axes + 1) || weight.rank !== axes + 2) {
    const sides = axes === 1 ? "L" : "H, W";
    throw new ShapeError(op, `needs x [N, C, ${sides}] (or without N) and a weight of rank ${axes + 2}, got ${shapes}`);
  }
  if (!Number.isInteger(groups) || groups < 1) throw new ArgumentError(op, `groups must be >= 1, got ${groups}`);
  if (weight.shape.slice(2).includes(0)) throw new ShapeError(op, `the weight has no taps: ${shapes}`);
  const channels = x.shape[x.rank - axes - 1];
  if (channels % groups !== 0 || weight.shape[0] % groups !== 0) {
    throw new ShapeError(op, `${groups} groups do not divide the channels of ${shapes}`);
  }
  return { shapes, channels };
}

function addBias(op: string, y: Tensor, bias: Tensor | undefined, axes: number): Tensor {
  if (bias === undefined) return y;
  if (bias.rank !== 1 || bias.shape[0] !== y.shape[1]) {
    throw new ShapeError(op, `bias must be [${y.shape[1]}], got ${formatShape(bias.shape)}`);
  }
  return add(y, reshape(bias, [bias.shape[0], ...new Array<number>(axes).fill(1)]));
}

/** Runs `fn` on x with a batch axis, which is taken away again where it was missing. */
function batched(x: Tensor, axes: number, fn: (x: Tensor) => Tensor): Tensor {
  return x.rank === axes + 1 ? squeeze(fn(unsqueeze(x, 0)), 0) : fn(x);
}

function conv(op: string, axes: number, x: Tensor, weight: Tensor, options: ConvOptions): Tensor {
  const { bias, groups = 1, padding = "valid" } = options;
  const { shapes, channels } = checkWeight(op, axes, x, weight, bias, groups);
  if (weight.shape[1] * groups !== channels) {
    throw new ShapeError(
      op,
      `${shapes} do not fit: with ${groups} groups of ${channels} channels the weight's axis 1 must be ${channels / groups}`,
    );
  }
  const strides = perAxis(op, "stride", options.stride ?? 1, axes, 1);
  const dilations = perAxis(op, "dilation", options.dilation ?? 1, axes, 1);
  const spans = weight.shape.slice(2).map((size, i) => span(size, dilations[i]));
  const sides = x.shape.slice(-axes);
  const pairs = resolvePadding(op, padding, sides, spans, strides);
  checkSpans(op, x.shape, pairs, weight.shape.slice(2), dilations);
  const geometry = geometryOf(strides, dilations, pairs, groups);
  const dtype = promote(promote(x.dtype, weight.dtype), "f32");
  return batched(cast(x, dtype), axes, (input) =>
    addBias(op, correlate(input, cast(weight, dtype), geometry), bias, axes),
  );
}

const geometryOf = (
  strides: readonly number[],
  dilations: readonly number[],
  pairs: readonly (readonly [number, number])[],
  groups: number,
): Geometry => ({
  strides,
  dilations,
  before: pairs.map(([before]) => before),
  after: pairs.map(([, after]) => after),
  groups,
});

function convTranspose(op: string, axes: number, x: Tensor, weight: Tensor, options: ConvTransposeOptions): Tensor {
  const { bias, groups = 1 } = options;
  const { shapes, channels } = checkWeight(op, axes, x, weight, bias, groups);
  if (weight.shape[0] !== channels) {
    throw new ShapeError(op, `${shapes} do not fit: the weight's axis 0 must be the ${channels} channels of x`);
  }
  const strides = perAxis(op, "stride", options.stride ?? 1, axes, 1);
  const dilations = perAxis(op, "dilation", options.dilation ?? 1, axes, 1);
  const extra = perAxis(op, "outputPadding", options.outputPadding ?? 0, axes, 0);
  const over = extra.findIndex((n, i) => n >= strides[i] && n >= dilations[i]);
  if (over >= 0)
    throw new ArgumentError(op, `outputPadding ${extra[over]} must be less than the stride or the dilation`);
  const spans = weight.shape.slice(2).map((size, i) => span(size, dilations[i]));
  const positions = x.shape.slice(-axes);
  const pairs = resolvePadding(op, options.padding ?? 0, positions, spans, strides);
  const sides = positions.map((count, i) => (count - 1) * strides[i] + spans[i] + extra[i] - pairs[i][0] - pairs[i][1]);
  if (sides.some((side) => side < 0)) {
    throw new ShapeError(
      op,
      `${shapes} with padding ${String(options.padding)} would give sides ${formatShape(sides)}`,
    );
  }
  const dtype = promote(promote(x.dtype, weight.dtype), "f32");
  const geometry = geometryOf(strides, dilations, pairs, groups);
  return batched(cast(x, dtype), axes, (input) =>
    addBias(op, correlateInput(input, cast(weight, dtype), geometry, sides), bias, axes),
  );
}

/**
 * x [N, C, L] (or [C, L]) with weight [Co, C / groups, K] -> [N, Co, (L + padding - dilation * (K - 1) - 1) / stride + 1].
 * i32 and bool count as f32. Throws typed errors that name the shapes where channels, groups or sizes do not fit.
 */
export const conv1d = operation("conv1d", (x: Tensor, weight: Tensor, options: ConvOptions = {}): Tensor => {
  return conv("conv1d", 1, x, weight, options);
});

/** x [N, C, H, W] (or [C, H, W]) with weight [Co, C / groups, KH, KW] -> [N, Co, H', W']; otherwise as `conv1d`. */
export const conv2d = operation("conv2d", (x: Tensor, weight: Tensor, options: ConvOptions = {}): Tensor => {
  return conv("conv2d", 2, x, weight, options);
});

/**
 * The transpose (adjoint, not inverse) of `conv1d`: x [N, C, L] with weight [C, Co / groups, K] ->
 * [N, Co, (L - 1) * stride + dilation * (K - 1) + 1 + outputPadding - padding].
 */
export const convTranspose1d = operation(
  "convTranspose1d",
  (x: Tensor, weight: Tensor, options: ConvTransposeOptions = {}): Tensor => {
    return convTranspose("convTranspose1d", 1, x, weight, options);
  },
);

/** The transpose of `conv2d`: x [N, C, H, W] with weight [C, Co / groups, KH, KW]; otherwise as `convTranspose1d`. */
export const convTranspose2d = operation(
  "convTranspose2d",
  (x: Tensor, weight: Tensor, options: ConvTransposeOptions = {}): Tensor => {
    return convTranspose("convTranspose2d", 2, x, weight, options);
  },
);
