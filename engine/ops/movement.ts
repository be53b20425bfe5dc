// Movement: which element is read. Views of the graph: nothing is copied by these alone.

import { ArgumentError, ShapeError } from "../errors.ts";
import { operation } from "../operation.ts";
import { build } from "../primitives/index.ts";
import { checkShape, formatShape, resolveAxes, resolveAxis, resolveReshape, type Shape, sizeOf } from "../shape.ts";
import { Tensor } from "../tensor.ts";
import { checkTensor, expandNode } from "./operand.ts";

/** The same elements, row-major, in another shape; one side may be -1 (what fits). */
export const reshape = operation("reshape", (x: Tensor, shape: Shape): Tensor => {
  checkTensor("reshape", x);
  return new Tensor(build.reshape(x.node, resolveReshape("reshape", x.shape, shape)));
});

/** Axis i of the result is axis order[i] of x. */
export const permute = operation("permute", (x: Tensor, order: readonly number[]): Tensor => {
  checkTensor("permute", x);
  if (order.length !== x.rank) {
    throw new ShapeError("permute", `[${order.join(", ")}] does not name each axis of ${formatShape(x.shape)} once`);
  }
  resolveAxes("permute", order, x.shape);
  return new Tensor(
    build.permute(
      x.node,
      order.map((axis) => resolveAxis("permute", axis, x.shape)),
    ),
  );
});

/** Axes a and b exchanged; the last two when left out. */
export const transpose = operation("transpose", (x: Tensor, a = -2, b = -1): Tensor => {
  checkTensor("transpose", x);
  const [p, q] = [resolveAxis("transpose", a, x.shape), resolveAxis("transpose", b, x.shape)];
  return permute(
    x,
    x.shape.map((_, i) => (i === p ? q : i === q ? p : i)),
  );
});

/** The transposed matrix; scalars and vectors stay. Throws a ShapeError above rank 2 (use `mT` or `transpose`). */
export const t = operation("t", (x: Tensor): Tensor => {
  checkTensor("t", x);
  if (x.rank > 2) throw new ShapeError("t", `needs rank <= 2, got ${formatShape(x.shape)}; use mT or transpose`);
  return x.rank < 2 ? x : transpose(x);
});

/** A batch of matrices, each transposed: [..., n, m] of [..., m, n]. */
export const mT = operation("mT", (x: Tensor): Tensor => {
  return transpose(x, -2, -1);
});

/** Axis `from` moved to position `to`, the others in order. */
export const moveAxis = operation("moveAxis", (x: Tensor, from: number, to: number): Tensor => {
  checkTensor("moveAxis", x);
  const [p, q] = [resolveAxis("moveAxis", from, x.shape), resolveAxis("moveAxis", to, x.shape)];
  const others = x.shape.map((_, i) => i).filter((i) => i !== p);
  return permute(x, [...others.slice(0, q), p, ...others.slice(q)]);
});

/** x repeated to `shape`, which it must broadcast to (NumPy rules). */
export const broadcastTo = operation("broadcastTo", (x: Tensor, shape: Shape): Tensor => {
  checkTensor("broadcastTo", x);
  checkShape("broadcastTo", shape);
  const lead = shape.length - x.rank;
  if (lead < 0 || x.shape.some((side, i) => side !== 1 && side !== shape[lead + i])) {
    throw new ShapeError("broadcastTo", `${formatShape(x.shape)} does not broadcast to ${formatShape(shape)}`);
  }
  return new Tensor(expandNode(x.node, shape));
});

/** Like `broadcastTo`, where -1 keeps a side. */
export const expand = operation("expand", (x: Tensor, shape: Shape): Tensor => {
  checkTensor("expand", x);
  const lead = shape.length - x.rank;
  return broadcastTo(
    x,
    shape.map((side, i) => (side === -1 && i >= lead ? x.shape[i - lead] : side)),
  );
});

/** Without the axes of side 1; `axis`: only these, which must be 1. */
export const squeeze = operation("squeeze", (x: Tensor, axis?: number | readonly number[]): Tensor => {
  checkTensor("squeeze", x);
  const axes = resolveAxes("squeeze", axis, x.shape);
  const wrong = axis === undefined ? undefined : axes.find((i) => x.shape[i] !== 1);
  if (wrong !== undefined) {
    throw new ShapeError("squeeze", `axis ${wrong} of ${formatShape(x.shape)} is ${x.shape[wrong]}, not 1`);
  }
  return reshape(
    x,
    x.shape.filter((side, i) => side !== 1 || !axes.includes(i)),
  );
});

/** With a new axis of side 1 at position `axis` of the result. */
export const unsqueeze = operation("unsqueeze", (x: Tensor, axis: number): Tensor => {
  checkTensor("unsqueeze", x);
  const at = resolveAxis("unsqueeze", axis, x.rank + 1);
  return reshape(x, [...x.shape.slice(0, at), 1, ...x.shape.slice(at)]);
});

/** Axes start to end (both included) joined into one; all of them by default. A scalar becomes [1]. */
export const flatten = operation("flatten", (x: Tensor, start = 0, end = -1): Tensor => {
  checkTensor("flatten", x);
  if (x.rank === 0) return reshape(x, [1]);
  const [first, last] = [resolveAxis("flatten", start, x.shape), resolveAxis("flatten", end, x.shape)];
  if (first > last) throw new ArgumentError("flatten", `start ${start} is after end ${end}`);
  return reshape(x, [...x.shape.slice(0, first), sizeOf(x.shape.slice(first, last + 1)), ...x.shape.slice(last + 1)]);
});

/** One axis split into several, whose sizes multiply to it; one may be -1. */
export const unflatten = operation("unflatten", (x: Tensor, axis: number, sizes: readonly number[]): Tensor => {
  checkTensor("unflatten", x);
  const at = resolveAxis("unflatten", axis, x.shape);
  const split = resolveReshape("unflatten", [x.shape[at]], sizes, `axis ${axis} of ${formatShape(x.shape)}`);
  return reshape(x, [...x.shape.slice(0, at), ...split, ...x.shape.slice(at + 1)]);
});

/** Reversed along the axes (all by default). */
export const flip = operation("flip", (x: Tensor, axis?: number | readonly number[]): Tensor => {
  checkTensor("flip", x);
  const axes = resolveAxes("flip", axis, x.shape);
  return axes.length === 0 ? x : new Tensor(build.apply("flip", [x.node], { axes }));
});

/** The whole tensor repeated reps[i] times along axis i (NumPy's tile); leading reps add axes. */
export const tile = operation("tile", (x: Tensor, reps: readonly number[]): Tensor => {
  checkTensor("tile", x);
  if (!reps.every((count) => Number.isInteger(count) && count >= 0)) {
    throw new ArgumentError("tile", `repeats must be whole numbers >= 0, got [${reps.join(", ")}]`);
  }
  const counts = [...new Array<number>(Math.max(0, x.rank - reps.length)).fill(1), ...reps];
  const shape = [...new Array<number>(counts.length - x.rank).fill(1), ...x.shape];
  // [n] -> [1, n] -> [r, n] -> [r * n], for all axes at once.
  const spread = broadcastTo(
    reshape(
      x,
      shape.flatMap((side) => [1, side]),
    ),
    shape.flatMap((side, i) => [counts[i], side]),
  );
  return reshape(
    spread,
    shape.map((side, i) => side * counts[i]),
  );
});

/** PyTorch's name of `tile`. */
export const repeat = operation("repeat", (x: Tensor, reps: readonly number[]): Tensor => {
  return tile(x, reps);
});

/** Each element repeated `count` times along `axis`: a, a, b, b, ... */
export const repeatInterleave = operation("repeatInterleave", (x: Tensor, count: number, axis: number): Tensor => {
  checkTensor("repeatInterleave", x);
  const at = resolveAxis("repeatInterleave", axis, x.shape);
  if (!Number.isInteger(count) || count < 0) {
    throw new ArgumentError("repeatInterleave", `the count must be a whole number >= 0, got ${count}`);
  }
  const shape = [...x.shape.slice(0, at + 1), count, ...x.shape.slice(at + 1)];
  return flatten(broadcastTo(unsqueeze(x, at + 1), shape), at, at + 1);
});
