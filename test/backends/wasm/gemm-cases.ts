// Generated matrix products: shapes, strides, batches and values; and the error that their results may have.

import fc from "fast-check";
import { expect } from "vitest";
import type { ContractKernel, MatrixAccess } from "../../../engine/compile/ir.ts";
import { extent, type Floats, type Problem, reference } from "./gemm-harness.ts";

export const layouts = [
  "normal",
  "transposed",
  "padded",
  "strided",
  "negative",
  "repeated",
  "mirrored",
  "flat",
] as const;
type Layout = (typeof layouts)[number];

/** An access to a matrix of these sides; batch axes are outermost, or repeat the matrix where `shared`. */
function accessOf(
  layout: Layout,
  rows: number,
  cols: number,
  batch: readonly number[],
  shared: readonly boolean[],
): MatrixAccess {
  const strides: Record<Layout, [row: number, col: number]> = {
    normal: [cols, 1],
    transposed: [1, rows],
    padded: [cols + 3, 1],
    strided: [3 * cols, 3],
    negative: [-cols, 1],
    repeated: [0, 1],
    mirrored: [cols, -1],
    flat: [1, 0],
  };
  const [row, col] = strides[layout];
  const access = { batch: batch.map(() => 0), row, col, offset: 0 };
  const [low, high] = extent(access, batch, rows, cols);
  let side = high - low + 1;
  for (let axis = batch.length - 1; axis >= 0; axis--) {
    if (shared[axis]) continue;
    access.batch[axis] = side;
    side *= batch[axis];
  }
  return { ...access, offset: -low };
}

export function fill(length: number, dtype: "f32" | "f64", seed: number): Floats {
  const values = dtype === "f32" ? new Float32Array(length) : new Float64Array(length);
  let state = seed | 1;
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    values[i] = (state >> 8) / (1 << 20);
  }
  return values;
}

export interface Case {
  readonly dtype: "f32" | "f64";
  readonly batch: readonly number[];
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly layouts: readonly [Layout, Layout];
  readonly shared: readonly [readonly boolean[], readonly boolean[]];
}

export function problemOf({ dtype, batch, m, n, k, layouts: [forA, forB], shared }: Case): Problem {
  const a = accessOf(forA, m, k, batch, shared[0]);
  const b = accessOf(forB, k, n, batch, shared[1]);
  const args = [
    { dtype, mode: "read" },
    { dtype, mode: "read" },
    { dtype, mode: "write" },
  ] as const;
  const kernel: ContractKernel = { kind: "contract", dtype, batch, m, n, k, a, b, args };
  const length = (access: MatrixAccess, rows: number, cols: number) =>
    [...batch, rows, cols].includes(0) ? 0 : extent(access, batch, rows, cols)[1] + 1;
  return { kernel, a: fill(length(a, m, k), dtype, m + 7), b: fill(length(b, k, n), dtype, n + 1001) };
}

const side = fc.oneof(
  { weight: 3, arbitrary: fc.integer({ min: 0, max: 9 }) },
  { weight: 4, arbitrary: fc.integer({ min: 1, max: 40 }) },
  { weight: 1, arbitrary: fc.integer({ min: 41, max: 140 }) },
);
export const cases: fc.Arbitrary<Case> = fc
  .record({
    dtype: fc.constantFrom("f32" as const, "f64" as const),
    batch: fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 2 }),
    m: side,
    n: side,
    k: side,
    layouts: fc.tuple(fc.constantFrom(...layouts), fc.constantFrom(...layouts)),
    sharing: fc.tuple(
      fc.array(fc.boolean(), { minLength: 2, maxLength: 2 }),
      fc.array(fc.boolean(), { minLength: 2, maxLength: 2 }),
    ),
  })
  .map(({ sharing, ...rest }) => ({ ...rest, shared: sharing }));
/** Which operand ends where memory ends. */
export const lasts = fc.constantFrom(0, 1, 2);
/** Fails unless every element is within the bound of any order of k roundings. */
export function expectClose(problem: Problem, c: Floats): void {
  const { kernel } = problem;
  const unit = kernel.dtype === "f32" ? 2 ** -24 : 2 ** -53;
  const expected = reference(problem);
  // k roundings of ours, and in f64 as many of the reference.
  const bound = (kernel.k + 1) * unit * (kernel.dtype === "f64" ? 2 : 1.01);
  for (let i = 0; i < c.length; i++) {
    const error = Math.abs(c[i] - expected.c[i]);
    if (!(error <= bound * expected.magnitude[i])) expect.fail(`element ${i}: ${c[i]}, expected ${expected.c[i]}`);
  }
}
