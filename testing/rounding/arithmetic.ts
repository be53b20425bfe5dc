// The numbers of floating-point arithmetic, and values with bounds.

import type { DType } from "../../engine/index.ts";

/** Values, and how far another evaluation may be from each. */
export interface Bounded {
  readonly values: Float64Array;
  readonly bounds: Float64Array;
}

/** Half of the distance from 1 to the next float: the relative error of rounding to nearest. Integers do not round. */
const units: Readonly<Record<DType, number>> = { f32: 2 ** -24, f64: 2 ** -53, i32: 0, bool: 0 };
/** The same for the smallest floats, absolute. */
const tiny: Readonly<Record<DType, number>> = { f32: 2 ** -150, f64: 0, i32: 0, bool: 0 };

export const unitOf = (dtype: DType): number => units[dtype];

/** Beyond this a value is infinite; integers wrap, which is exact. */
export const largestOf = (dtype: DType): number =>
  dtype === "f32" ? 2 ** 128 * (1 - 2 ** -24) : dtype === "f64" ? Number.MAX_VALUE : Number.POSITIVE_INFINITY;

/** The error of rounding a result of this size once. */
export const rounding = (dtype: DType, value: number): number =>
  Number.isFinite(value) ? units[dtype] * Math.abs(value) + tiny[dtype] : 0;

/** The error of `n` roundings one upon the other, relative: gamma_n = n u / (1 - n u). */
export function gamma(dtype: DType, n: number): number {
  const nu = n * units[dtype];
  return nu / (1 - nu);
}

/** Sizes that contain every value within the bounds. */
export const magnitudes = ({ values, bounds }: Bounded): Float64Array =>
  values.map((value, i) => Math.abs(value) + bounds[i]);

export const sizes = ({ values }: Bounded): Float64Array => values.map(Math.abs);

export const anyBound = ({ bounds }: Bounded): boolean => bounds.some((bound) => bound > 0);
