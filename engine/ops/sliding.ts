// How windows slide over spatial axes: sizes, strides, dilations and padding as users write them, checked.

import { ArgumentError, ShapeError } from "../errors.ts";
import { span } from "../primitives/windows.ts";
import { formatShape, maxElements, type Shape } from "../shape.ts";

/** One number for all spatial axes, or one per axis. */
export type PerAxis = number | readonly number[];

/**
 * Zeros around each spatial axis: how many on both sides; or per axis, on both or [before, after]; "valid": none;
 * "same": ceil(side / stride) positions; "causal": all of them before, so that no window looks ahead.
 */
export type Padding = "valid" | "same" | "causal" | number | readonly (number | readonly [number, number])[];

type Pair = readonly [before: number, after: number];

const textOf = (value: number | readonly (number | Pair)[]): string =>
  typeof value === "number" ? String(value) : `[${value.map(textOf).join(", ")}]`;

const isCount = (n: number, least: number): boolean => Number.isInteger(n) && n >= least && n <= maxElements;

/** One whole number of at least `least` per spatial axis. */
export function perAxis(op: string, what: string, value: PerAxis, axes: number, least: number): number[] {
  const list = typeof value === "number" ? new Array<number>(axes).fill(value) : [...value];
  if (list.length !== axes || !list.every((n) => isCount(n, least))) {
    const wanted = `${axes} whole numbers in ${least}..${maxElements} (or one for all)`;
    throw new ArgumentError(op, `${what} must be ${wanted}, got ${textOf(value)}`);
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
  if (pairs.length !== sides.length || !pairs.flat().every((n) => isCount(n, 0))) {
    const wanted = `whole numbers in 0..${maxElements} for ${sides.length} axes`;
    throw new ArgumentError(op, `padding must be ${wanted}, got ${textOf(padding)}`);
  }
  return pairs;
}

/** Throws where a window is longer than a padded side: there would be no output. */
export function checkSpans(
  op: string,
  x: Shape,
  pairs: readonly Pair[],
  sizes: readonly number[],
  dilations: readonly number[],
): void {
  sizes.forEach((size, i) => {
    const axis = i - sizes.length;
    const padded = x[x.length + axis] + pairs[i][0] + pairs[i][1];
    const reach = span(size, dilations[i]);
    if (reach > padded) {
      throw new ShapeError(
        op,
        `a window of ${size} with dilation ${dilations[i]}, over ${reach} elements, does not fit axis ${axis} of ` +
          `${formatShape(x)}, which has ${padded} with padding: the output would have a negative size`,
      );
    }
  });
}
