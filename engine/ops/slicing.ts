// Parts of tensors: slices, padding, splitting. NumPy's conventions for positions.

import { ArgumentError, ShapeError } from "../errors.ts";
import { operation } from "../operation.ts";
import { build } from "../primitives/index.ts";
import { formatShape, resolveAxis } from "../shape.ts";
import { Tensor } from "../tensor.ts";
import { concat } from "./joining.ts";
import { flip, reshape } from "./movement.ts";
import { checkTensor } from "./operand.ts";

export interface Range {
  readonly start?: number;
  readonly stop?: number;
  /** Default 1; negative: from start down to stop. */
  readonly step?: number;
}

/** What to take of one axis: an index (the axis disappears), [start, stop), a range with a step, or null for all. */
export type AxisSlice = number | readonly [start: number, stop: number] | Range | null;

/** An axis slice in ascending form. */
interface Plan {
  readonly start: number;
  readonly stop: number;
  readonly step: number;
  readonly reversed: boolean;
  readonly dropped: boolean;
}

const clip = (value: number, low: number, high: number): number => Math.min(Math.max(value, low), high);

function planAxis(item: AxisSlice, axis: number, x: Tensor): Plan {
  const side = x.shape[axis];
  if (typeof item === "number") {
    if (!Number.isInteger(item) || item < -side || item >= side) {
      throw new ShapeError("slice", `index ${item} is out of range for axis ${axis} of ${formatShape(x.shape)}`);
    }
    const start = item < 0 ? item + side : item;
    return { start, stop: start + 1, step: 1, reversed: false, dropped: true };
  }
  const range: Range = item === null ? {} : Array.isArray(item) ? { start: item[0], stop: item[1] } : (item as Range);
  const step = range.step ?? 1;
  const bounds = [range.start ?? 0, range.stop ?? 0, step];
  if (step === 0 || !bounds.every(Number.isInteger)) {
    throw new ArgumentError("slice", `axis ${axis} needs whole bounds and a step that is not 0, got [${bounds}]`);
  }
  const resolve = (value: number | undefined, otherwise: number, low: number, high: number) =>
    value === undefined ? otherwise : clip(value < 0 ? value + side : value, low, high);
  if (step > 0) {
    const start = resolve(range.start, 0, 0, side);
    const stop = Math.max(start, resolve(range.stop, side, 0, side));
    return { start, stop, step, reversed: false, dropped: false };
  }
  // From `first` down to just above `last`: the same elements ascending, then flipped.
  const first = resolve(range.start, side - 1, -1, side - 1);
  const last = resolve(range.stop, -1, -1, side - 1);
  const count = Math.max(0, Math.ceil((first - last) / -step));
  const start = count === 0 ? 0 : first + (count - 1) * step;
  return { start, stop: count === 0 ? 0 : first + 1, step: -step, reversed: true, dropped: false };
}

/**
 * The part of x that the ranges name, one per axis from the first; axes left out are whole. Negative positions count
 * from the end; [start, stop) is cut off at the ends as in NumPy; an index out of range throws a ShapeError.
 * `x.slice([0, [1, 3], null, { step: -1 }])` is NumPy's `x[0, 1:3, :, ::-1]`.
 */
export const slice = operation("slice", (x: Tensor, ranges: readonly AxisSlice[]): Tensor => {
  checkTensor("slice", x);
  if (ranges.length > x.rank) {
    throw new ShapeError("slice", `${ranges.length} ranges for ${x.rank} axes of ${formatShape(x.shape)}`);
  }
  const plans = x.shape.map((_, axis) => planAxis(ranges[axis] ?? null, axis, x));
  const whole = plans.every((plan, i) => plan.start === 0 && plan.step === 1 && plan.stop === x.shape[i]);
  const starts = plans.map((plan) => plan.start);
  const stops = plans.map((plan) => plan.stop);
  const steps = plans.map((plan) => plan.step);
  const part = whole ? x : new Tensor(build.apply("slice", [x.node], { starts, stops, steps }));
  const reversed = plans.flatMap((plan, axis) => (plan.reversed ? [axis] : []));
  const kept = part.shape.filter((_, axis) => !plans[axis].dropped);
  return reshape(flip(part, reversed), kept);
});

const sliceAxis = (x: Tensor, axis: number, item: AxisSlice): Tensor =>
  slice(
    x,
    x.shape.map((_, i) => (i === axis ? item : null)),
  );

/** `length` elements of an axis from `start` on. Throws a ShapeError where they are not all there. */
export const narrow = operation("narrow", (x: Tensor, axis: number, start: number, length: number): Tensor => {
  checkTensor("narrow", x);
  const at = resolveAxis("narrow", axis, x.shape);
  if (!Number.isInteger(start) || !Number.isInteger(length)) {
    throw new ArgumentError("narrow", `start and length must be whole numbers, got ${start} and ${length}`);
  }
  const begin = start < 0 ? start + x.shape[at] : start;
  if (begin < 0 || length < 0 || begin + length > x.shape[at]) {
    throw new ShapeError(
      "narrow",
      `${length} elements from ${start} are out of range for axis ${axis} of ${formatShape(x.shape)}`,
    );
  }
  return sliceAxis(x, at, [begin, begin + length]);
});

/** Position `index` of an axis, which disappears. */
export const select = operation("select", (x: Tensor, axis: number, index: number): Tensor => {
  checkTensor("select", x);
  return sliceAxis(x, resolveAxis("select", axis, x.shape), index);
});

/** x with widths[i] = [before, after] elements of `value` added to axis i; negative widths crop. */
export const pad = operation(
  "pad",
  (x: Tensor, widths: readonly (readonly [before: number, after: number])[], value = 0): Tensor => {
    checkTensor("pad", x);
    if (widths.length !== x.rank) {
      throw new ShapeError("pad", `needs [before, after] per axis of ${formatShape(x.shape)}, got ${widths.length}`);
    }
    const bad = widths.flat().find((width) => !Number.isInteger(width));
    if (bad !== undefined) throw new ArgumentError("pad", `widths must be whole numbers, got ${bad}`);
    const over = widths.findIndex(([before, after], i) => x.shape[i] + Math.min(before, 0) + Math.min(after, 0) < 0);
    if (over >= 0) {
      const crop = `[${widths[over].join(", ")}]`;
      throw new ShapeError("pad", `${crop} crops more than there is of axis ${over} of ${formatShape(x.shape)}`);
    }
    const cropped = slice(
      x,
      widths.map(([before, after], i) => [Math.max(0, -before), x.shape[i] - Math.max(0, -after)] as const),
    );
    const [lo, hi] = [0, 1].map((end) => widths.map((width) => Math.max(0, width[end])));
    if ([...lo, ...hi].every((width) => width === 0)) return cropped;
    return new Tensor(build.apply("pad", [cropped.node], { lo, hi, value }));
  },
);

/** Elements moved by `shift` along an axis; those pushed off the end come back at the start. */
export const roll = operation("roll", (x: Tensor, shift: number, axis: number): Tensor => {
  checkTensor("roll", x);
  const at = resolveAxis("roll", axis, x.shape);
  if (!Number.isInteger(shift)) throw new ArgumentError("roll", `the shift must be a whole number, got ${shift}`);
  const side = x.shape[at];
  const by = side === 0 ? 0 : ((shift % side) + side) % side;
  return by === 0 ? x : concat([sliceAxis(x, at, [side - by, side]), sliceAxis(x, at, [0, side - by])], at);
});

/** Pieces along an axis: of one size (the last may be smaller), or of the given sizes, which must add up. */
export const split = operation("split", (x: Tensor, sizes: number | readonly number[], axis = 0): Tensor[] => {
  checkTensor("split", x);
  const at = resolveAxis("split", axis, x.shape);
  const side = x.shape[at];
  if (typeof sizes === "number" && !(Number.isInteger(sizes) && sizes > 0))
    throw new ArgumentError("split", `the size must be a whole number >= 1, got ${sizes}`);
  const list =
    typeof sizes === "number"
      ? Array.from({ length: Math.max(1, Math.ceil(side / sizes)) }, (_, i) => Math.min(sizes, side - i * sizes))
      : sizes;
  const total = list.reduce((sum, size) => sum + size, 0);
  if (total !== side || list.some((size) => !Number.isInteger(size) || size < 0)) {
    throw new ShapeError(
      "split",
      `sizes [${list.join(", ")}] do not add up to axis ${axis} of ${formatShape(x.shape)}`,
    );
  }
  let start = 0;
  return list.map((size) => {
    const piece = sliceAxis(x, at, [start, start + size]);
    start += size;
    return piece;
  });
});

/** `count` pieces along an axis, of equal size but for the last (fewer where there is not enough), as PyTorch. */
export const chunk = operation("chunk", (x: Tensor, count: number, axis = 0): Tensor[] => {
  checkTensor("chunk", x);
  if (!Number.isInteger(count) || count < 1) throw new ArgumentError("chunk", `count must be positive, got ${count}`);
  const side = x.shape[resolveAxis("chunk", axis, x.shape)];
  return split(x, Math.max(1, Math.ceil(side / count)), axis);
});
