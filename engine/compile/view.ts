// Views: how a point of a kernel's index space finds its element in a buffer. Movement primitives become views.

import { contiguousStrides, type Shape, sizeOf } from "../shape.ts";

/**
 * One affine map from an index over `shape` to a flat position: offset + sum index[a] * strides[a].
 * Where `mask` is given, an index outside [lo, hi) of any axis reads the access's fill value instead.
 */
export interface View {
  readonly shape: Shape;
  readonly strides: readonly number[];
  readonly offset: number;
  readonly mask?: readonly (readonly [lo: number, hi: number])[];
}

/**
 * A chain of views from the kernel's index space (first) to a buffer (last): the flat position that one gives is
 * unravelled over the next one's shape. Almost always one view; more after a reshape that strides cannot express.
 */
export type Access = readonly View[];

export const identityView = (shape: Shape): View => ({ shape, strides: contiguousStrides(shape), offset: 0 });

export const identityAccess = (shape: Shape): Access => [identityView(shape)];

/** Position i reads i: contiguous strides, no offset, no mask. */
const isIdentity = (view: View): boolean => {
  if (view.offset !== 0 || view.mask !== undefined) return false;
  const strides = contiguousStrides(view.shape);
  return view.shape.every((side, i) => side === 1 || view.strides[i] === strides[i]);
};

/** An access followed by one more view: from a position the access gives (flat over `back.shape`) to back's target. */
export function appendView(access: Access, back: View): Access {
  const last = access[access.length - 1];
  const joined = joinViews(last, back);
  if (joined === undefined) return [...access, back];
  // Together they may be what a view before them can be joined with: a permutation and its inverse move nothing.
  return access.length === 1 ? [joined] : appendView(access.slice(0, -1), joined);
}

/** True when flat position i of the access's index space reads flat position i. */
export const isIdentityAccess = (access: Access): boolean => access.length === 1 && isIdentity(access[0]);

/** One view that does what `front` then `back` do, when strides and masks can say it. */
export function joinViews(front: View, back: View): View | undefined {
  if (isIdentity(back)) return front;
  if (sizeOf(front.shape) === 0)
    return { shape: front.shape, strides: front.shape.map(() => 0), offset: 0, mask: front.mask };
  const sides = back.shape.length;
  // The start as coordinates of `back`, and each front axis as a move along back's axes. Where a mask keeps the first
  // indices out, the start is the first one let in: what lies before it need not exist.
  const first = front.shape.map((_, axis) => front.mask?.[axis][0] ?? 0);
  const corner = front.strides.reduce((flat, stride, axis) => flat + stride * first[axis], front.offset);
  const start = unravel(corner, back.shape);
  if (start === undefined) return undefined;
  const moves: number[][] = [];
  for (let axis = 0; axis < front.shape.length; axis++) {
    if (front.shape[axis] === 1 || front.strides[axis] === 0) {
      moves.push(new Array(sides).fill(0));
      continue;
    }
    const move = unravelSigned(front.strides[axis], back.shape);
    if (move === undefined) return undefined;
    moves.push(move);
  }
  return joinMoves(front, back, start, first, moves);
}

/** Joins by moves along `back`'s axes from coordinates `start`, which belong to index `first` of the front axes. */
function joinMoves(
  front: View,
  back: View,
  start: readonly number[],
  first: readonly number[],
  moves: readonly number[][],
): View | undefined {
  const mask: [number, number][] | undefined = back.mask && front.shape.map((side) => [0, side]);
  for (let b = 0; b < back.shape.length; b++) {
    // Reach of coordinate b over all (unmasked) front indices: no carry into the next axis may happen.
    let lo = start[b];
    let hi = start[b];
    let movers = 0;
    let mover = -1;
    for (let axis = 0; axis < front.shape.length; axis++) {
      const move = moves[axis][b];
      if (move === 0) continue;
      const [from, to] = front.mask?.[axis] ?? [0, front.shape[axis]];
      const last = Math.max(from, to - 1);
      lo += Math.min(move * (from - first[axis]), move * (last - first[axis]));
      hi += Math.max(move * (from - first[axis]), move * (last - first[axis]));
      movers += 1;
      mover = axis;
    }
    if (lo < 0 || hi >= back.shape[b]) return undefined;
    const limits = back.mask?.[b];
    if (limits === undefined || mask === undefined) continue;
    if (lo >= limits[0] && hi < limits[1]) continue;
    // The mask of b becomes a mask of the one front axis that moves along it.
    if (movers !== 1) return undefined;
    const move = moves[mover][b];
    const inside = (i: number) => {
      const at = start[b] + move * (i - first[mover]);
      return at >= limits[0] && at < limits[1];
    };
    let from = 0;
    while (from < front.shape[mover] && !inside(from)) from++;
    let to = from;
    while (to < front.shape[mover] && inside(to)) to++;
    mask[mover] = [Math.max(mask[mover][0], from), Math.min(mask[mover][1], to)];
  }
  const strides = moves.map((move) => move.reduce((sum, m, b) => sum + m * back.strides[b], 0));
  const origin = back.offset + start.reduce((sum, c, b) => sum + c * back.strides[b], 0);
  const offset = strides.reduce((sum, stride, axis) => sum - stride * first[axis], origin);
  return { shape: front.shape, strides, offset, mask: mergeMasks(front, mask) };
}

function mergeMasks(front: View, mask: [number, number][] | undefined): View["mask"] {
  const merged = front.shape.map((side, i): [number, number] => {
    const [a, b] = front.mask?.[i] ?? [0, side];
    const [c, d] = mask?.[i] ?? [0, side];
    return [Math.max(a, c), Math.min(b, d)];
  });
  return merged.every(([lo, hi], i) => lo === 0 && hi === front.shape[i]) ? undefined : merged;
}

function unravel(flat: number, shape: Shape): number[] | undefined {
  if (flat < 0 || flat >= sizeOf(shape)) return undefined;
  const strides = contiguousStrides(shape);
  return shape.map((side, i) => Math.floor(flat / strides[i]) % side);
}

/** A stride as a signed move along the axes of `shape`: the move whose coordinates stay smallest. */
function unravelSigned(stride: number, shape: Shape): number[] | undefined {
  const magnitude = unravel(Math.abs(stride), shape);
  return stride < 0 ? magnitude?.map((m) => (m === 0 ? 0 : -m)) : magnitude;
}

/** The view of a movement primitive: from an index of its output to a flat position over its input. */
export function permuteView(input: Shape, order: readonly number[]): View {
  const strides = contiguousStrides(input);
  return { shape: order.map((axis) => input[axis]), strides: order.map((axis) => strides[axis]), offset: 0 };
}

export function expandView(input: Shape, shape: Shape): View {
  const strides = contiguousStrides(input);
  return { shape, strides: shape.map((side, i) => (input[i] === side ? strides[i] : 0)), offset: 0 };
}

export function sliceView(input: Shape, shape: Shape, starts: readonly number[], steps: readonly number[]): View {
  const strides = contiguousStrides(input);
  return {
    shape,
    strides: strides.map((stride, i) => stride * steps[i]),
    offset: strides.reduce((sum, stride, i) => sum + stride * starts[i], 0),
  };
}

export function flipView(input: Shape, axes: readonly number[]): View {
  const strides = contiguousStrides(input);
  return {
    shape: input,
    strides: strides.map((stride, i) => (axes.includes(i) ? -stride : stride)),
    offset: axes.reduce((sum, axis) => sum + Math.max(0, input[axis] - 1) * strides[axis], 0),
  };
}

export function padView(input: Shape, shape: Shape, lo: readonly number[]): View {
  const strides = contiguousStrides(input);
  return {
    shape,
    strides,
    offset: -strides.reduce((sum, stride, i) => sum + stride * lo[i], 0),
    mask: shape.map((_, i) => [lo[i], lo[i] + input[i]]),
  };
}

export function windowsView(
  input: Shape,
  shape: Shape,
  axes: readonly number[],
  steps: readonly number[],
  dilations: readonly number[],
): View {
  const strides = contiguousStrides(input);
  const moves = strides.map((stride, axis) => (axes.includes(axis) ? stride * steps[axes.indexOf(axis)] : stride));
  return { shape, strides: [...moves, ...axes.map((axis, i) => strides[axis] * dilations[i])], offset: 0 };
}

/** Whether the view steps over axes a and a + 1 as over one. */
export function oneStep({ shape, strides, mask }: View, a: number): boolean {
  if (strides[a] !== strides[a + 1] * shape[a + 1]) return false;
  return [a, a + 1].every((axis) => {
    const limits = mask?.[axis];
    return limits === undefined || (limits[0] === 0 && limits[1] === shape[axis]);
  });
}

/** After how many elements, counted from the end of its index space, a view does not go on in even steps. */
export function viewBreaks(view: View): number[] {
  const long = view.shape.flatMap((side, axis) => (side > 1 ? [axis] : []));
  const pick = <T>(list: readonly T[]): T[] => long.map((axis) => list[axis]);
  const { shape, strides, mask } = view;
  const squeezed = { shape: pick(shape), strides: pick(strides), offset: 0, mask: mask && pick(mask) };
  const breaks: number[] = [];
  let behind = 1;
  for (let a = long.length - 2; a >= 0; a--) {
    behind *= squeezed.shape[a + 1];
    if (!oneStep(squeezed, a)) breaks.push(behind);
  }
  return breaks;
}

/** The step of a view from an element to the one `count` after it, where that is the next along an axis or part of one. */
export function viewStep({ shape, strides }: View, count: number): number | undefined {
  let behind = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    if (count >= behind && count < behind * shape[axis])
      return count % behind === 0 ? (count / behind) * strides[axis] : undefined;
    behind *= shape[axis];
  }
  return undefined;
}

/** Flat position of an index through an access, or undefined where it is masked: the definition, for tests. */
export function locate(access: Access, index: readonly number[]): number | undefined {
  let at: readonly number[] = index;
  let flat = 0;
  for (let v = 0; v < access.length; v++) {
    const view = access[v];
    if (v > 0) {
      const strides = contiguousStrides(view.shape);
      at = view.shape.map((side, i) => Math.floor(flat / strides[i]) % side);
    }
    if (view.mask?.some(([lo, hi], i) => at[i] < lo || at[i] >= hi)) return undefined;
    flat = view.offset + view.strides.reduce((sum, stride, i) => sum + stride * at[i], 0);
  }
  return flat;
}
