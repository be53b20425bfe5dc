// How results of models are held against plain formulas, and numbers for them.

import fc from "fast-check";
import { expect } from "vitest";
import { type Given, given } from "./build.ts";
import { type Plain, sizeOf } from "./plain.ts";

/** f32 arithmetic on numbers of about 1 to 100, over sums of up to some hundred terms. */
export function expectClose(got: Plain, want: Plain, tolerance = 2e-5): void {
  expect(got.shape).toEqual(want.shape);
  const wrong = want.data.findIndex((value, i) => {
    const found = got.data[i];
    if (Object.is(found, value) || (Number.isNaN(found) && Number.isNaN(value))) return false;
    return !(Math.abs(found - value) <= tolerance * (1 + Math.abs(value)));
  });
  if (wrong >= 0) expect.fail(`element ${wrong} is ${got.data[wrong]}, expected ${want.data[wrong]}`);
}

export const expectEqual = (got: Plain, want: Plain): void => {
  expect(got.shape).toEqual(want.shape);
  expect(got.data).toEqual([...want.data]);
};

const element = fc.integer({ min: -1000, max: 1000 }).map((n) => Math.fround(n / 256));

/** Numbers of a shape, of moderate size and exact in f32. */
export const numbers = (shape: readonly number[]): fc.Arbitrary<Given> =>
  fc.array(element, { minLength: sizeOf(shape), maxLength: sizeOf(shape) }).map((data) => given(shape, data));

export const side = fc.integer({ min: 1, max: 5 });
export const shapeOf = (min: number, max: number): fc.Arbitrary<number[]> =>
  fc.array(side, { minLength: min, maxLength: max });

/** Runs a property whose cases are awaited. */
export const forAll = <T>(cases: fc.Arbitrary<T>, body: (value: T) => Promise<void>, numRuns = 25): Promise<void> =>
  fc.assert(fc.asyncProperty(cases, body), { numRuns });
