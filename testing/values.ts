// Values to fill tensors with: kind ones, off the corners of every function, and special ones, which break kernels.

import fc from "fast-check";
import { hostArray, dtypes as kinds, roundTo } from "../engine/dtype.ts";
import { type DType, type Shape, type Tensor, tensor } from "../engine/index.ts";

/** Any dtype. */
export const dtypes: fc.Arbitrary<DType> = fc.constantFrom(...kinds);

/** Which values a tensor is filled with. */
export type Domain = "real" | "positive" | "unit" | "integer" | "bool" | { readonly below: number };

/** The dtype a domain belongs to: indices are i32, truths bool, all else the float under test. */
export const dtypeOf = (domain: Domain, float: DType): DType =>
  typeof domain === "object" ? "i32" : domain === "bool" ? "bool" : float;

/**
 * Values from a seed, in random order: distinct and off the corners of every function we have (except "integer", "bool"
 * and indices), so that derivatives exist. `salt` keeps the values of two inputs apart.
 */
export function valuesOf(domain: Domain, count: number, seed: number, salt = 0): number[] {
  let state = (seed ^ (salt * 0x9e3779b9)) >>> 0;
  const next = (bound: number): number => {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x6d2b79f5) >>> 0;
    return bound === 0 ? 0 : (state >>> 3) % bound;
  };
  const order = Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const j = next(i + 1);
    [order[i], order[j]] = [order[j], order[i]];
  }
  const step = Math.min(0.13, 5 / Math.max(1, count));
  switch (domain) {
    case "real":
      return order.map((i) => (i - (count - 1) / 2) * step + 0.037 + 0.0113 * salt);
    case "positive":
      return order.map((i) => 0.31 + i * step + 0.0113 * salt);
    case "unit":
      return order.map((i) => (i + 0.4 + 0.01 * salt) / (count + 1));
    case "integer":
      return order.map(() => next(9) - 4);
    case "bool":
      return order.map(() => next(2));
    default:
      return order.map(() => next(domain.below));
  }
}

/** Numbers that break kernels, beside ordinary ones. */
export const specialValues = [0, -0, 1, -1, 0.5, -2.5, 1e-40, -1e-40, 3e38, -3e38, Infinity, -Infinity, NaN] as const;

/** Floats of all kinds: special ones, small whole ones, any f32. */
export const anyFloat: fc.Arbitrary<number> = fc.oneof(
  fc.constantFrom(...specialValues),
  fc.integer({ min: -8, max: 8 }),
  fc.float({ noDefaultInfinity: false }),
);

/** A tensor of this shape over given values. */
export function tensorOf(values: readonly number[], shape: Shape, dtype: DType = "f32"): Tensor {
  const host = hostArray(dtype, values.length);
  for (let i = 0; i < values.length; i++) host[i] = roundTo(dtype, values[i]);
  return tensor(host, { shape, dtype });
}

/** A seed for `valuesOf`. */
export const seeds = fc.nat(0x7fffffff);
