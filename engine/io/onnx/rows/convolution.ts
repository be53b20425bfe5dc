// Convolutions over any number of axes: the engine's own for one and two, the products below them for more.

import { conv1d, conv2d, convTranspose1d, convTranspose2d } from "../../../ops/conv.ts";
import { correlate, correlateInput, type Geometry } from "../../../ops/correlate.ts";
import { add, cast, sub } from "../../../ops/elementwise.ts";
import { permute, reshape } from "../../../ops/movement.ts";
import { pad } from "../../../ops/slicing.ts";
import { build } from "../../../primitives/index.ts";
import { overlapAdd, span } from "../../../primitives/windows.ts";
import { sizeOf } from "../../../shape.ts";
import { Tensor } from "../../../tensor.ts";
import type { Call, Row } from "../call.ts";
import { alongChannels } from "./kinds.ts";
import { autoPads, halves, type Windows, windowsOf } from "./windows.ts";

const geometryOf = ({ strides, dilations, pads }: Windows, groups: number): Geometry => ({
  strides,
  dilations,
  before: pads.map(([before]) => before),
  after: pads.map(([, after]) => after),
  groups,
});

const withBias = (y: Tensor, bias: Tensor | undefined): Tensor =>
  bias === undefined ? y : add(y, alongChannels(bias, y.rank));

/** x [N, C, ...sides] with w [Co, C / groups, ...taps]. */
export function convolve(call: Call, x: Tensor, w: Tensor, bias: Tensor | undefined): Tensor {
  const taps = call.ints("kernel_shape", w.shape.slice(2));
  const groups = call.int("group", 1);
  const windows = windowsOf(call, x.shape.slice(2), taps);
  const direct = [undefined, conv1d, conv2d][taps.length];
  if (direct === undefined) return withBias(correlate(x, w, geometryOf(windows, groups)), bias);
  const { strides, dilations, pads } = windows;
  return direct(x, w, { bias, stride: strides, dilation: dilations, padding: pads, groups });
}

const conv: Row = (call) => call.as(0, convolve(call, call.tensor(0), call.tensor(1), call.maybeTensor(2)));

/** The pads of a transposed convolution: given, or what makes the output the shape asked for. */
function transposedPads(call: Call, sides: readonly number[], full: readonly number[], strides: readonly number[]) {
  const auto = call.choice("auto_pad", autoPads, "NOTSET");
  const given = call.ints(
    "pads",
    [...sides, ...sides].map(() => 0),
  );
  const listed = call.ints("output_shape");
  const asked = listed?.slice(-sides.length);
  return sides.map((side, i): readonly [number, number] => {
    const target = asked?.[i] ?? (auto === "SAME_UPPER" || auto === "SAME_LOWER" ? side * strides[i] : undefined);
    if (target === undefined) return auto === "VALID" ? [0, 0] : [given[i], given[sides.length + i]];
    return halves(Math.max(0, full[i] - target), auto === "SAME_UPPER" ? "SAME_UPPER" : "SAME_LOWER");
  });
}

const convTranspose: Row = (call) => {
  const [x, w] = [call.tensor(0), call.tensor(1)];
  const bias = call.maybeTensor(2);
  const sides = x.shape.slice(2);
  const ones = sides.map(() => 1);
  const taps = call.ints("kernel_shape", w.shape.slice(2));
  const [strides, dilations] = [call.ints("strides", ones), call.ints("dilations", ones)];
  const given = call.ints(
    "output_padding",
    sides.map(() => 0),
  );
  const groups = call.int("group", 1);
  const full = sides.map((side, i) => (side - 1) * strides[i] + span(taps[i], dilations[i]) + given[i]);
  const pads = transposedPads(call, sides, full, strides);
  const asked = call.ints("output_shape")?.slice(-sides.length);
  const outputs = full.map((side, i) => asked?.[i] ?? side - pads[i][0] - pads[i][1]);
  const extra = outputs.map((side, i) => side - (full[i] - given[i] - pads[i][0] - pads[i][1]));
  const direct = [undefined, convTranspose1d, convTranspose2d][sides.length];
  // The engine's own takes what is added after the end up to the stride, as far as outputs are not ambiguous.
  if (direct !== undefined && extra.every((n, i) => n >= 0 && (n < strides[i] || n < dilations[i])))
    return call.as(
      0,
      direct(x, w, { bias, stride: strides, dilation: dilations, padding: pads, outputPadding: extra, groups }),
    );
  const geometry = geometryOf({ sizes: taps, strides, dilations, pads, extra }, groups);
  return call.as(0, withBias(correlateInput(x, w, geometry, outputs), bias));
};

/** Rounded integers less their zero points; the sum is int32. */
const convInteger: Row = (call) => {
  const [x, w] = [call.input(0), call.input(1)];
  const [zeroX, zeroW] = [call.maybeTensor(2), call.maybeTensor(3)];
  const left = zeroX === undefined ? x.tensor : sub(x.tensor, zeroX);
  const shift =
    zeroW === undefined || zeroW.size === 1 ? zeroW : reshape(zeroW, [zeroW.size, ...w.shape.slice(1).map(() => 1)]);
  const right = shift === undefined ? w.tensor : sub(w.tensor, shift);
  return call.as("int32", convolve(call, cast(left, "f64"), cast(right, "f64"), undefined));
};

/** Columns of windows added back into an image: x [N, C * taps, positions]. */
const col2im: Row = async (call) => {
  const x = call.tensor(0);
  const [sides, taps] = [await call.integers(1), await call.integers(2)];
  const { strides, dilations, pads } = windowsOf(call, sides, taps);
  const whole = sides.map((side, i) => side + pads[i][0] + pads[i][1]);
  const positions = whole.map((side, i) => Math.floor((side - span(taps[i], dilations[i])) / strides[i]) + 1);
  const d = sides.length;
  const [n, channels] = [x.shape[0], x.shape[1] / sizeOf(taps)];
  const given = reshape(x, [n, channels, ...taps, ...positions]);
  const order = [0, 1, ...positions.map((_, i) => 2 + d + i), ...taps.map((_, i) => 2 + i)];
  const attrs = { axes: taps.map((_, i) => 2 + i), sizes: taps, strides, dilations };
  const total = new Tensor(overlapAdd(build, permute(given, order).node, [n, channels, ...whole], attrs));
  return call.as(0, pad(total, [[0, 0], [0, 0], ...pads.map(([before, after]) => [-before, -after] as const)]));
};

export const convolution: Readonly<Record<string, Row>> = {
  Col2Im: col2im,
  Conv: conv,
  ConvInteger: convInteger,
  ConvTranspose: convTranspose,
};
