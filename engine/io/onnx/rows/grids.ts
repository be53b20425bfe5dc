// Sampling at places that data names: GridSample, and the grids of affine maps.

import { clamp } from "../../../ops/activations.ts";
import { tensor } from "../../../ops/create.ts";
import {
  abs,
  add,
  cast,
  floor,
  greaterEqual,
  less,
  logicalAnd,
  mul,
  remainder,
  round,
  sub,
  where,
} from "../../../ops/elementwise.ts";
import { takeAlongAxis } from "../../../ops/indexing.ts";
import { matmul } from "../../../ops/linalg.ts";
import { mT, reshape, unsqueeze } from "../../../ops/movement.ts";
import { select } from "../../../ops/slicing.ts";
import { contiguousStrides, sizeOf } from "../../../shape.ts";
import type { Tensor } from "../../../tensor.ts";
import type { Row } from "../call.ts";

/** One of the elements around a place, along one axis: its position (any whole number) and its weight. */
interface Tap {
  readonly at: Tensor;
  readonly weight: Tensor | undefined;
}

/** Keys' cubic with a = -0.75 at distance t from 0 to 2. */
const cubicNear = (t: Tensor): Tensor => add(mul(mul(sub(mul(t, 1.25), 2.25), t), t), 1);
const cubicFar = (t: Tensor): Tensor => sub(3, mul(mul(add(mul(sub(t, 5), t), 8), t), 0.75));

function tapsOf(mode: string, x: Tensor): Tap[] {
  if (mode === "nearest") return [{ at: round(x), weight: undefined }];
  const low = floor(x);
  const t = sub(x, low);
  const rest = sub(1, t);
  const linear = [
    { at: low, weight: rest },
    { at: add(low, 1), weight: t },
  ];
  if (mode !== "cubic") return linear;
  return [
    { at: sub(low, 1), weight: cubicFar(add(t, 1)) },
    { at: low, weight: cubicNear(t) },
    { at: add(low, 1), weight: cubicNear(rest) },
    { at: add(low, 2), weight: cubicFar(add(rest, 1)) },
  ];
}

/** Mirrored at the borders (the middles of the end elements, or their outer edges) until it lies between them. */
function reflected(at: Tensor, side: number, aligned: boolean): Tensor {
  const [low, range] = aligned ? [0, side - 1] : [-0.5, side];
  if (range === 0) return mul(at, 0);
  const past = remainder(abs(sub(at, low)), 2 * range);
  return add(where(less(range, past), sub(2 * range, past), past), low);
}

const gridSample: Row = (call) => {
  const [x, grid] = [call.tensor(0), call.tensor(1)];
  const given = call.choice("mode", ["linear", "bilinear", "nearest", "cubic", "bicubic"], "linear");
  const mode = given.replace(/^bi/, "");
  const padding = call.choice("padding_mode", ["zeros", "border", "reflection"], "zeros");
  const aligned = call.flag("align_corners");
  const [batch, channels, ...sides] = x.shape;
  const outer = grid.shape.slice(1, -1);
  // The last coordinate of the grid is of the first spatial axis.
  const places = sides.map((side, i) => {
    const v = reshape(select(grid, grid.rank - 1, sides.length - 1 - i), [batch, sizeOf(outer)]);
    return aligned ? mul(add(v, 1), (side - 1) / 2) : mul(sub(mul(add(v, 1), side), 1), 0.5);
  });
  const strides = contiguousStrides(sides);
  const flat = reshape(x, [batch, channels, sizeOf(sides)]);
  /** The sum over the taps of axis `axis` and all after it. */
  const gather = (axis: number, index: Tensor | undefined, weight: Tensor | undefined): Tensor => {
    if (axis === sides.length) {
      const found = takeAlongAxis(flat, unsqueeze(index as Tensor, 1), 2);
      return weight === undefined ? found : mul(found, unsqueeze(weight, 1));
    }
    const side = sides[axis];
    const terms = tapsOf(mode, places[axis]).map(({ at, weight: own }) => {
      const inside = cast(logicalAnd(greaterEqual(at, 0), less(at, side)), x.dtype);
      const moved = padding === "reflection" ? reflected(at, side, aligned) : at;
      const place = mul(cast(clamp(moved, 0, side - 1), "i32"), strides[axis]);
      const factors = [weight, own, padding === "zeros" ? inside : undefined].filter((factor) => factor !== undefined);
      const product = factors.length === 0 ? undefined : factors.reduce((a, b) => mul(a, b));
      return gather(axis + 1, index === undefined ? place : add(index, place), product);
    });
    return terms.reduce((a, b) => add(a, b));
  };
  return call.as(0, reshape(gather(0, undefined, undefined), [batch, channels, ...outer]));
};

/** The places, from -1 to 1 along each axis, that a map theta [N, d, d + 1] sends each element to. */
const affineGrid: Row = async (call) => {
  const theta = call.tensor(0);
  const sides = (await call.integers(1)).slice(2);
  const aligned = call.flag("align_corners");
  const place = (i: number, side: number): number =>
    aligned ? (side === 1 ? -1 : (2 * i) / (side - 1) - 1) : (2 * i + 1) / side - 1;
  const strides = contiguousStrides(sides);
  // Rows (x, y, ..., 1): the last axis first.
  const points = Array.from({ length: sizeOf(sides) }, (_, at) => [
    ...sides.map((side, i) => place(Math.floor(at / strides[i]) % side, side)).reverse(),
    1,
  ]);
  const base = tensor(points, { dtype: theta.dtype });
  return call.as(0, reshape(matmul(base, mT(theta)), [theta.shape[0], ...sides, sides.length]));
};

export const grids: Readonly<Record<string, Row>> = { AffineGrid: affineGrid, GridSample: gridSample };
