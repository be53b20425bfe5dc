// Short ways to specify inputs.

import type { InputSpec } from "../harness/protocol.ts";

/** f32 values, uniform in [low, high). */
export const floats = (seed: number, shape: readonly number[], low = -1, high = 1): InputSpec => ({
  shape,
  dtype: "f32",
  low,
  high,
  seed,
});

/** i32 values, uniform in 0 .. bound - 1. */
export const integers = (seed: number, shape: readonly number[], bound: number): InputSpec => ({
  shape,
  dtype: "i32",
  low: 0,
  high: bound,
  seed,
});

/** A weight [inputs, outputs] at the scale of the usual initialisation. */
export function weights(seed: number, shape: readonly number[]): InputSpec {
  const scale = 1 / Math.sqrt(shape[0]);
  return floats(seed, shape, -scale, scale);
}

/** Specifications numbered by their order: each gets a seed of its own. */
export const seeded = (
  specs: Readonly<Record<string, (seed: number) => InputSpec>>,
): Readonly<Record<string, InputSpec>> =>
  Object.fromEntries(Object.entries(specs).map(([name, make], i) => [name, make(i + 1)]));
