// Convolution (cross-correlation) and its two gradients as one closed family: the sum over positions and taps of
// x * w * g has three slots, and each function here computes the slot that the other two leave open. So each is a
// gradient of the others, and derivatives exist to any order without a scatter or a buffer of copied windows.

import { customGradient } from "../autodiff.ts";
import { build } from "../primitives/index.ts";
import { overlapAdd, span } from "../primitives/windows.ts";
import { type Shape, sizeOf } from "../shape.ts";
import { Tensor } from "../tensor.ts";
import { flatten, flip, permute, reshape } from "./movement.ts";
import { expandNode, primitive } from "./operand.ts";
import { pad, slice } from "./slicing.ts";

/**
 * How windows lie: per spatial axis the stride, the dilation, and zeros before and after (negative: elements cropped).
 * x is [N, C, ...sides], w [Co, C / groups, ...taps], g [N, Co, ...positions].
 */
export interface Geometry {
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  readonly before: readonly number[];
  readonly after: readonly number[];
  readonly groups: number;
}

const range = (from: number, count: number): number[] => Array.from({ length: count }, (_, i) => from + i);

const padSides = (x: Tensor, before: readonly number[], after: readonly number[]): Tensor =>
  pad(x, [[0, 0], [0, 0], ...before.map((n, i) => [n, after[i]] as const)]);

/** [N, C, ...sides] -> [N, groups, C / groups, ...positions, ...taps]. */
function windowed(x: Tensor, taps: Shape, geometry: Geometry): Tensor {
  const { strides, dilations, before, after, groups } = geometry;
  const axes = taps.map((_, i) => 2 + i);
  const whole = padSides(x, before, after);
  const seen = primitive("windows", [whole], { axes, sizes: taps, strides, dilations });
  return reshape(seen, [x.shape[0], groups, x.shape[1] / groups, ...seen.shape.slice(2)]);
}

/** The tensor with groups as an axis of their own in place of `axis`. */
const grouped = (x: Tensor, axis: number, groups: number): Tensor =>
  reshape(x, [...x.shape.slice(0, axis), groups, x.shape[axis] / groups, ...x.shape.slice(axis + 1)]);

const contract = (a: Tensor, b: Tensor): Tensor => primitive("contract", [a, b], {});

/** A weight [groups, rows, ...columns] times every batch element [N, groups, columns, P]. */
function applyToBatch(weight: Tensor, x: Tensor): Tensor {
  // Repeated before its columns are joined: then it is read where it lies, turned or not.
  const repeated = new Tensor(expandNode(reshape(weight, [1, ...weight.shape]).node, [x.shape[0], ...weight.shape]));
  return contract(repeated.rank === 4 ? repeated : flatten(repeated, 3), x);
}

function forward(x: Tensor, w: Tensor, geometry: Geometry): Tensor {
  const { groups, strides, before, after } = geometry;
  const [n, channels] = x.shape;
  const taps = w.shape.slice(2);
  const d = taps.length;
  const weight = grouped(w, 0, groups);
  if (sizeOf(taps) === 1) {
    // One tap: a product of the channels as they lie.
    const all = padSides(x, before, after);
    const seen = slice(all, [null, null, ...strides.map((step) => ({ step }))]);
    const rows = reshape(seen, [n, groups, channels / groups, sizeOf(seen.shape.slice(2))]);
    return reshape(applyToBatch(weight, rows), [n, w.shape[0], ...seen.shape.slice(2)]);
  }
  const seen = windowed(x, taps, geometry);
  const positions = seen.shape.slice(3, 3 + d);
  const columns = permute(seen, [0, 1, 2, ...range(3 + d, d), ...range(3, d)]);
  const flat = reshape(columns, [n, groups, w.shape[1] * sizeOf(taps), sizeOf(positions)]);
  return reshape(applyToBatch(weight, flat), [n, w.shape[0], ...positions]);
}

function forwardInput(g: Tensor, w: Tensor, geometry: Geometry, sides: Shape): Tensor {
  const { groups, strides, dilations, before, after } = geometry;
  const taps = w.shape.slice(2);
  const d = taps.length;
  const [out, perGroup] = [w.shape[0] / groups, w.shape[1]];
  const [n, positions] = [g.shape[0], g.shape.slice(2)];
  if (strides.every((step) => step === 1) && sizeOf(taps) > 1) {
    // Windows of the gradient under the turned weight: the copies of it overlap in the cache, not in memory.
    const turned = permute(flip(grouped(w, 0, groups), range(3, d)), [0, 2, 1, ...range(3, d)]);
    const lead = taps.map((size, i) => span(size, dilations[i]) - 1 - before[i]);
    const trail = taps.map((size, i) => sides[i] + span(size, dilations[i]) - 1 - positions[i] - lead[i]);
    return forward(g, reshape(turned, [groups * perGroup, out, ...taps]), { ...geometry, before: lead, after: trail });
  }
  // Strided windows overlap little: what each position gives to its window, then added where windows meet.
  const weight = reshape(grouped(w, 0, groups), [groups, out, perGroup * sizeOf(taps)]);
  const rows = reshape(g, [n, groups, out, sizeOf(positions)]);
  const given = reshape(applyToBatch(permute(weight, [0, 2, 1]), rows), [n, groups * perGroup, ...taps, ...positions]);
  const seen = permute(given, [0, 1, ...range(2 + d, d), ...range(2, d)]);
  const whole = [n, groups * perGroup, ...sides.map((side, i) => side + before[i] + after[i])];
  const attrs = { axes: range(2, d), sizes: taps, strides, dilations };
  const sum = new Tensor(overlapAdd(build, seen.node, whole, attrs));
  return padSides(
    sum,
    before.map((side) => -side),
    after.map((side) => -side),
  );
}

function forwardWeight(x: Tensor, g: Tensor, geometry: Geometry, taps: Shape): Tensor {
  const { groups } = geometry;
  const d = taps.length;
  const seen = windowed(x, taps, geometry);
  const [n, , perGroup] = seen.shape;
  const columns = permute(seen, [1, 0, ...range(3, d), 2, ...range(3 + d, d)]);
  const count = n * sizeOf(g.shape.slice(2));
  const flat = reshape(columns, [groups, count, perGroup * sizeOf(taps)]);
  const rows = permute(grouped(g, 1, groups), [1, 2, 0, ...range(3, d)]);
  const product = contract(reshape(rows, [groups, g.shape[1] / groups, count]), flat);
  return reshape(product, [g.shape[1], perGroup, ...taps]);
}

const sidesOf = (x: Tensor): Shape => x.shape.slice(2);

/** y [N, Co, ...positions]: y[n, o, p] = sum over channels c of o's group and taps t of x[n, c, p * s + t * d] w[o, c, t]. */
export function correlate(x: Tensor, w: Tensor, geometry: Geometry): Tensor {
  return customGradient(
    (a: Tensor, b: Tensor) => forward(a, b, geometry),
    (seed, _, a, b) => [correlateInput(seed, b, geometry, sidesOf(a)), correlateWeight(a, seed, geometry, sidesOf(b))],
  )(x, w);
}

/** The gradient of `correlate` for x, whose sides are given: a transposed convolution of g. */
export function correlateInput(g: Tensor, w: Tensor, geometry: Geometry, sides: Shape): Tensor {
  return customGradient(
    (a: Tensor, b: Tensor) => forwardInput(a, b, geometry, sides),
    (seed, _, a, b) => [correlate(seed, b, geometry), correlateWeight(seed, a, geometry, sidesOf(b))],
  )(g, w);
}

/** The gradient of `correlate` for w, whose taps are given: a convolution of x with g over the batch. */
function correlateWeight(x: Tensor, g: Tensor, geometry: Geometry, taps: Shape): Tensor {
  return customGradient(
    (a: Tensor, b: Tensor) => forwardWeight(a, b, geometry, taps),
    (seed, _, a, b) => [correlateInput(b, seed, geometry, sidesOf(a)), correlate(a, seed, geometry)],
  )(x, g);
}
