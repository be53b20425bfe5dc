// What the tests of gates share: f64 tensors and comparisons.

import { expect } from "vitest";
import { type NestedArray, type Tensor, tensor } from "../../engine/index.ts";

export const f64 = (data: NestedArray): Tensor => tensor(data, { dtype: "f64" });

/** All values, row-major. */
export const values = (x: Tensor): number[] => Array.from(x.dataSync());

/** Every value within `tolerance` of what is expected. */
export function close(x: Tensor, expected: readonly number[], tolerance: number): void {
  const got = values(x);
  expect(got.length).toBe(expected.length);
  const worst = got.findIndex((value, i) => !(Math.abs(value - expected[i]) <= tolerance));
  if (worst >= 0) expect(got[worst], `element ${worst} of [${got.slice(0, 16)}]`).toBe(expected[worst]);
}
