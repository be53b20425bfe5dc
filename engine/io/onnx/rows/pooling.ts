// Pools: windows, then a reduction over their taps.

import { tensor } from "../../../ops/create.ts";
import { div } from "../../../ops/elementwise.ts";
import { scatterAdd, takeAlongAxis } from "../../../ops/indexing.ts";
import { flatten, reshape } from "../../../ops/movement.ts";
import { filled } from "../../../ops/operand.ts";
import { maxPool1d, maxPool2d } from "../../../ops/pool.ts";
import { argmax, max, mean, norm, sum } from "../../../ops/reduce.ts";
import { pad } from "../../../ops/slicing.ts";
import { type Shape, sizeOf } from "../../../shape.ts";
import type { Tensor } from "../../../tensor.ts";
import type { Call, Row } from "../call.ts";
import { tapAxes, type Windows, windowed, windowsOf } from "./windows.ts";

const kernel = (call: Call): readonly number[] => call.needed(call.ints("kernel_shape"), "attribute kernel_shape");

const maxPool: Row = (call) => {
  const x = call.tensor(0);
  const windows = windowsOf(call, x.shape.slice(2), kernel(call), call.flag("ceil_mode"));
  const columns = call.flag("storage_order");
  if (!call.wants(1)) return [call.kept(0, largest(x, windows))];
  const seen = flatten(windowed(x, windows, lowest(x)), -windows.sizes.length);
  const best = argmax(seen, -1, { keepDims: true });
  const places = flatten(windowed(placesOf(x.shape, columns), windows, 0), -windows.sizes.length);
  const shape = seen.shape.slice(0, -1);
  const chosen = (from: Tensor): Tensor => reshape(takeAlongAxis(from, best, -1), shape);
  return [call.kept(0, chosen(seen)), call.int64(chosen(places))];
};

const lowest = (x: Tensor): number => (x.dtype === "i32" ? -2147483648 : Number.NEGATIVE_INFINITY);

function largest(x: Tensor, windows: Windows): Tensor {
  const { sizes, strides, dilations, pads, extra } = windows;
  const direct = [undefined, maxPool1d, maxPool2d][sizes.length];
  if (direct === undefined) return max(windowed(x, windows, lowest(x)), tapAxes(windows));
  const padding = pads.map(([before, after], i) => [before, after + extra[i]] as const);
  return direct(x, sizes, { stride: strides, dilation: dilations, padding });
}

/** Where each element lies in the flattened tensor; in each plane by columns if asked. */
function placesOf(shape: Shape, columns: boolean): Tensor {
  const sides = shape.slice(2);
  const plane = sizeOf(sides);
  // By columns the first side is the fastest.
  const strides = sides.map((_, i) => sizeOf(columns ? sides.slice(0, i) : sides.slice(i + 1)));
  const rowMajor = sides.map((_, i) => sizeOf(sides.slice(i + 1)));
  const within = Array.from({ length: plane }, (_, place) =>
    sides.reduce((sum, side, i) => sum + (Math.floor(place / rowMajor[i]) % side) * strides[i], 0),
  );
  const all = Array.from({ length: sizeOf(shape) }, (_, i) => Math.floor(i / plane) * plane + within[i % plane]);
  return tensor(Int32Array.from(all), { shape });
}

const averagePool: Row = (call) => {
  const x = call.tensor(0);
  const windows = windowsOf(call, x.shape.slice(2), kernel(call), call.flag("ceil_mode"));
  const total = sum(windowed(x, windows, 0), tapAxes(windows));
  // What counts is what lies in the image, or in the padding the model asked for.
  const inside = filled(x.shape.slice(2), x.dtype, 1);
  const padded = call.flag("count_include_pad");
  const counted = padded ? pad(inside, windows.pads, 1) : inside;
  const over = padded ? { ...windows, pads: windows.pads.map(() => [0, 0] as const) } : windows;
  return call.as(0, div(total, sum(windowed(counted, over, 0), tapAxes(windows))));
};

const lpPool: Row = (call) => {
  const x = call.tensor(0);
  const windows = windowsOf(call, x.shape.slice(2), kernel(call), call.flag("ceil_mode"));
  return call.as(0, norm(windowed(x, windows, 0), tapAxes(windows), { p: call.int("p", 2) }));
};

const overSides =
  (fn: (x: Tensor, axes: number[], call: Call) => Tensor): Row =>
  (call) => {
    const x = call.tensor(0);
    return call.as(0, fn(x, x.shape.map((_, i) => i).slice(2), call));
  };

/** The elements of x put back where they were the largest, 0 elsewhere. */
const maxUnpool: Row = async (call) => {
  const [x, places] = [call.tensor(0), call.tensor(1)];
  const sizes = kernel(call);
  const strides = call.ints(
    "strides",
    sizes.map(() => 1),
  );
  const pads = call.ints(
    "pads",
    [...sizes, ...sizes].map(() => 0),
  );
  const natural = [
    ...x.shape.slice(0, 2),
    ...sizes.map((size, i) => (x.shape[2 + i] - 1) * strides[i] + size - pads[i] - pads[sizes.length + i]),
  ];
  const shape = call.optional(2) === undefined ? natural : await call.integers(2);
  // Places count in the tensor before it was pooled, whose sides the output shape gives where it is known.
  const zeros = filled([sizeOf(natural)], x.dtype, 0);
  const put = reshape(scatterAdd(zeros, 0, flatten(places), flatten(x)), natural);
  return call.kept(
    0,
    pad(
      put,
      shape.map((side, i) => [0, side - natural[i]] as const),
    ),
  );
};

export const pooling: Readonly<Record<string, Row>> = {
  AveragePool: averagePool,
  GlobalAveragePool: overSides((x, axes) => mean(x, axes, { keepDims: true })),
  GlobalLpPool: overSides((x, axes, call) => norm(x, axes, { p: call.int("p", 2), keepDims: true })),
  GlobalMaxPool: overSides((x, axes) => max(x, axes, { keepDims: true })),
  LpPool: lpPool,
  MaxPool: maxPool,
  MaxUnpool: maxUnpool,
};
