// How windows slide over spatial axes: sizes, strides, dilations and padding as users write them, checked.

import { ArgumentError, ShapeError } from "../errors.ts";
import { formatShape, type Shape } from "../shape.ts";

/** One number for all spatial axes, or one per axis. */
export type PerAxis = number | readonly number[];

/**
 * Zeros around each spatial axis: how many on both sides; or per axis, on both or [before, after]; "valid": none;
 * "same": ceil(side / stride) positions; "causal": all of them before, so that no window looks ahead.
 */
export type Padding = "valid" | "same" | "causal" | number | readonly (number | readonly [number, number])[];

/** One whole number of at least `least` per spatial axis. */
export function perAxis(op: string, what: string, value: PerAxis, axes: number, least: number): number[] {
  const list = typeof value === "number" ? new Array<number>(axes).fill(value) : [...value];
  if (list.length !== axes || list.some((n) => !Number.isInteger(n) || n < least)) {
    const got = typeof value === "number" ? value : `[${value.join(", ")}]`;
    throw new ArgumentError(op, `${what} must be ${axes} whole numbers >= ${least} (or one for all), got ${got}`);
  }
  return list;
}

/** [before, after] per spatial axis. */
export function resolvePadding(
  op: string,
  padding: Padding,
  sides: Shape,
  spans: readonly number[],
  strides: readonly number[],
): (readonly [before: number, after: number])[] {
  if (typeof padding === "string") {
    if (padding !== "valid" && padding !== "same" && padding !== "causal") {
      throw new ArgumentError(op, `padding must be "valid", "same", "causal" or numbers, got "${padding}"`);
    }
    return sides.map((side, i) => {
      if (padding === "valid") return [0, 0];
      if (padding === "causal") return [spans[i] - 1, 0];
      const missing = Math.max(0, (Math.ceil(side / strides[i]) - 1) * strides[i] + spans[i] - side);
      return [Math.floor(missing / 2), Math.ceil(missing / 2)];
    });
  }
  const list = typeof padding === "number" ? sides.map(() => padding) : padding;
  const pairs = list.map((item) => (typeof item === "number" ? ([item, item] as const) : item));
  if (pairs.length !== sides.length || pairs.flat().some((n) => !Number.isInteger(n) || n < 0)) {
    throw new ArgumentError(op, `padding must be whole numbers >= 0 for ${sides.length} axes, got ${String(padding)}`);
  }
  return pairs;
}

/** Throws where a window is longer than a padded side: there would be no output. */
export function checkSpans(
  op: string,
  x: Shape,
  sides: readonly number[],
  pairs: readonly (readonly [number, number])[],
  spans: readonly number[],
): void {
  sides.forEach((side, i) => {
    const padded = side + pairs[i][0] + pairs[i][1];
    if (spans[i] > padded) {
      throw new ShapeError(
        op,
        `a window over ${spans[i]} elements does not fit axis ${i - sides.length} of ${formatShape(x)}, ` +
          `which has ${padded} with padding: the output would have a negative size`,
      );
    }
  });
}
