// Resize: along each axis a product with a matrix of weights, whatever the interpolation.

import { ArgumentError } from "../../../errors.ts";
import { tensor } from "../../../ops/create.ts";
import { cast, where } from "../../../ops/elementwise.ts";
import { indexSelect } from "../../../ops/indexing.ts";
import { matmul } from "../../../ops/linalg.ts";
import { moveAxis } from "../../../ops/movement.ts";
import { resolveAxis } from "../../../shape.ts";
import type { Tensor } from "../../../tensor.ts";
import type { Call, Row } from "../call.ts";
import { indexOf } from "./kinds.ts";

const transformations = [
  "half_pixel",
  "half_pixel_symmetric",
  "pytorch_half_pixel",
  "align_corners",
  "asymmetric",
  "tf_half_pixel_for_nn",
  "tf_crop_and_resize",
] as const;
type Transformation = (typeof transformations)[number];

/** One axis: `side` elements become `outputs`, scaled by `scale` (outputs is that rounded). */
interface Line {
  readonly axis: number;
  readonly side: number;
  readonly outputs: number;
  readonly scale: number;
  /** Start and end of the part that is looked at, for tf_crop_and_resize. */
  readonly roi: readonly [number, number];
}

/** Where output y lies among the inputs. `length`: of the output before it is rounded to whole elements. */
const origin: Record<Transformation, (y: number, line: Line, length: number) => number> = {
  half_pixel: (y, { scale }) => (y + 0.5) / scale - 0.5,
  half_pixel_symmetric: (y, { side, outputs, scale }, length) =>
    (side / 2) * (1 - outputs / length) + (y + 0.5) / scale - 0.5,
  pytorch_half_pixel: (y, { scale }, length) => (length === 1 ? -0.5 : (y + 0.5) / scale - 0.5),
  align_corners: (y, { side }, length) => (length === 1 ? 0 : (y * (side - 1)) / (length - 1)),
  asymmetric: (y, { scale }) => y / scale,
  tf_half_pixel_for_nn: (y, { scale }) => (y + 0.5) / scale,
  tf_crop_and_resize: (y, { side, roi: [start, end] }, length) =>
    start * (side - 1) +
    (length === 1 ? ((end - start) * (side - 1)) / 2 : (y * (end - start) * (side - 1)) / (length - 1)),
};

const nearest: Readonly<Record<string, (x: number) => number>> = {
  round_prefer_floor: (x) => Math.ceil(x - 0.5),
  round_prefer_ceil: (x) => Math.floor(x + 0.5),
  floor: Math.floor,
  ceil: Math.ceil,
};

/** The weight of an input at distance `d`, and how far inputs count. */
interface Kernel {
  readonly reach: number;
  weight(d: number): number;
}

const linear: Kernel = { reach: 1, weight: (d) => Math.max(0, 1 - Math.abs(d)) };

const cubic = (a: number): Kernel => ({
  reach: 2,
  weight(d) {
    const x = Math.abs(d);
    if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
    return x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : 0;
  },
});

export interface Interpolation {
  readonly kernel: Kernel;
  /** When shrinking, the kernel widens so that every input counts. */
  readonly antialias: boolean;
  /** Inputs beyond the ends do not count; otherwise the end stands for them. */
  readonly excludeOutside: boolean;
}

/** [side, outputs]: the share of each input in each output. */
function weightsOf(line: Line, from: (y: number) => number, { kernel, antialias, excludeOutside }: Interpolation) {
  const { side, outputs } = line;
  const narrowing = antialias ? Math.min(line.scale, 1) : 1;
  const matrix = new Float64Array(side * outputs);
  for (let y = 0; y < outputs; y++) {
    const x = from(y);
    const reach = kernel.reach / narrowing;
    const taps: [number, number][] = [];
    for (let i = Math.ceil(x - reach); i <= Math.floor(x + reach); i++) {
      const weight = kernel.weight((i - x) * narrowing);
      if (!excludeOutside || (i >= 0 && i < side)) taps.push([Math.min(Math.max(i, 0), side - 1), weight]);
    }
    const total = taps.reduce((sum, [, weight]) => sum + weight, 0);
    for (const [i, weight] of taps) matrix[i * outputs + y] += weight / total;
  }
  return matrix;
}

function alongAxis(x: Tensor, axis: number, matrix: Float64Array, outputs: number): Tensor {
  const weights = tensor(matrix, { shape: [x.shape[axis], outputs], dtype: x.dtype });
  return moveAxis(matmul(moveAxis(x, axis, -1), weights), -1, axis);
}

/** Which axes change, and how: from scales, or sizes with a policy for the ratio of sides. */
async function linesOf(call: Call, x: Tensor, scalesAt: number, roiAt?: number): Promise<Line[]> {
  const axes = call
    .ints(
      "axes",
      x.shape.map((_, i) => i),
    )
    .map((axis) => resolveAxis(call.where, axis, x.shape));
  const policy = call.choice("keep_aspect_ratio_policy", ["stretch", "not_larger", "not_smaller"], "stretch");
  const given = async (i: number): Promise<number[]> =>
    call.optional(i) === undefined ? [] : Array.from(await call.input(i).numbers());
  const [scales, sizes] = [await given(scalesAt), await given(scalesAt + 1)];
  const roi = roiAt === undefined ? [] : await given(roiAt);
  if (scales.length === 0 && sizes.length === 0) throw new ArgumentError(call.where, "needs scales or sizes");
  const ratios = scales.length > 0 ? scales : sizes.map((size, i) => size / x.shape[axes[i]]);
  const one =
    policy === "not_larger" ? Math.min(...ratios) : policy === "not_smaller" ? Math.max(...ratios) : undefined;
  return axes.map((axis, i) => {
    const side = x.shape[axis];
    const scale = scales.length === 0 && one !== undefined ? one : ratios[i];
    const rounded =
      scales.length > 0 ? Math.floor(side * scale) : one === undefined ? sizes[i] : Math.floor(side * scale + 0.5);
    return { axis, side, outputs: rounded, scale, roi: [roi[i] ?? 0, roi[axes.length + i] ?? 1] };
  });
}

async function resizeBy(call: Call, lines: readonly Line[], how: Transformation): Promise<Tensor> {
  const mode = call.choice("mode", ["nearest", "linear", "cubic", "bilinear"], "nearest");
  const round =
    nearest[
      call.choice("nearest_mode", ["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"], "round_prefer_floor")
    ];
  const a = call.float("cubic_coeff_a", -0.75);
  const interpolation: Interpolation = {
    kernel: mode === "cubic" ? cubic(a) : linear,
    antialias: call.flag("antialias"),
    excludeOutside: call.flag("exclude_outside"),
  };
  const outside = call.float("extrapolation_value", 0);
  const input = call.input(0);
  const x = mode === "nearest" ? input.tensor : cast(input.tensor, input.tensor.dtype === "f64" ? "f64" : "f32");
  const changing = lines.filter(
    (line) => line.outputs !== line.side || line.scale !== 1 || how === "tf_crop_and_resize",
  );
  return changing.reduce((value, line) => {
    const from = (y: number): number => origin[how](y, line, line.scale * line.side);
    const places = Array.from({ length: line.outputs }, (_, y) => from(y));
    const chosen = places.map((place) => Math.min(Math.max(round(place), 0), line.side - 1));
    const resized =
      mode === "nearest"
        ? indexSelect(value, line.axis, indexOf(chosen))
        : alongAxis(value, line.axis, weightsOf(line, from, interpolation), line.outputs);
    if (how !== "tf_crop_and_resize") return resized;
    const beyond = places.map((place) => place < 0 || place > line.side - 1);
    const mask = tensor(beyond, {
      shape: value.shape.map((_, i) => (i === line.axis ? beyond.length : 1)),
      dtype: "bool",
    });
    return where(mask, outside, resized);
  }, x);
}

/** Opset 10 knows scales only, asymmetric coordinates and (as others did) rounding down. */
const resize: Row = async (call) => {
  if (call.opset < 11) {
    const lines = await linesOf(call, call.tensor(0), 1);
    return call.as(0, await resizeDown(call, lines));
  }
  const how = call.choice("coordinate_transformation_mode", transformations, "half_pixel");
  return call.as(0, await resizeBy(call, await linesOf(call, call.tensor(0), 2, 1), how));
};

/** Nearest and linear of the first versions: the input at or before each place, or the two around it. */
async function resizeDown(call: Call, lines: readonly Line[]): Promise<Tensor> {
  const mode = call.choice("mode", ["nearest", "linear", "bilinear"], "nearest");
  const x = call.tensor(0);
  return lines.reduce((value, line) => {
    const from = (y: number): number => y / line.scale;
    if (mode !== "nearest") {
      const plain = { kernel: linear, antialias: false, excludeOutside: false };
      return alongAxis(value, line.axis, weightsOf(line, from, plain), line.outputs);
    }
    const chosen = Array.from({ length: line.outputs }, (_, y) => Math.min(Math.floor(from(y)), line.side - 1));
    return indexSelect(value, line.axis, indexOf(chosen));
  }, x);
}

const upsample: Row = async (call) => {
  const x = call.tensor(0);
  const scales =
    call.opset < 9 ? call.needed(call.floats("scales"), "attribute scales") : Array.from(await call.input(1).numbers());
  const lines = x.shape.map((side, axis): Line => {
    const scale = scales[axis];
    return { axis, side, outputs: Math.floor(side * scale), scale, roi: [0, 1] };
  });
  return call.as(0, await resizeDown(call, lines));
};

export const resizing: Readonly<Record<string, Row>> = { Resize: resize, Upsample: upsample };
