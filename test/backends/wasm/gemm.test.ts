// Every layout, size and path of the WASM matrix product against three plain loops.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { cut, type Plan, planGemm } from "../../../engine/backends/wasm/gemm-plan.ts";
import type { ContractKernel, MatrixAccess } from "../../../engine/compile/ir.ts";
import { replay } from "../../support/seed.ts";
import { extent, type Floats, hasFma, type Problem, reference, run } from "./gemm-harness.ts";

const layouts = ["normal", "transposed", "padded", "strided", "negative", "repeated"] as const;
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

function fill(length: number, dtype: "f32" | "f64", seed: number): Floats {
  const values = dtype === "f32" ? new Float32Array(length) : new Float64Array(length);
  let state = seed | 1;
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    values[i] = (state >> 8) / (1 << 20);
  }
  return values;
}

interface Case {
  readonly dtype: "f32" | "f64";
  readonly batch: readonly number[];
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly layouts: readonly [Layout, Layout];
  readonly shared: readonly [readonly boolean[], readonly boolean[]];
}

function problemOf({ dtype, batch, m, n, k, layouts: [forA, forB], shared }: Case): Problem {
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
const cases: fc.Arbitrary<Case> = fc
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
const lasts = fc.constantFrom("a" as const, "b" as const, "c" as const);
const { seed, path } = replay();
const check = <T>(arbitrary: fc.Arbitrary<T>, runs: number, property: (value: T) => void): void =>
  fc.assert(fc.property(arbitrary, property), { seed, path, numRuns: runs });

function expectClose(problem: Problem, c: Floats): void {
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

/** Every way to compute a product that is allowed for it, with blocks so small that all loops run. */
function plansOf(kernel: ContractKernel, fma: boolean): Plan[] {
  const chosen = planGemm(kernel, fma);
  const { a, b } = chosen;
  const plans: Plan[] = [];
  for (const rows of [1, 2, 4, fma ? 6 : 5])
    for (const packA of [false, true])
      for (const packB of b.col === 1 ? [false, true] : [true])
        for (const tileA of packA
          ? (["panel"] as const)
          : a.row === 1
            ? (["panel", "rows"] as const)
            : (["rows"] as const)) {
          const cols = kernel.dtype === "f32" ? 8 : 4;
          const plan = cut({ ...chosen, path: "tile", rows, cols, packA, packB, tileA });
          plans.push({
            ...plan,
            blockM: 2 * rows,
            blockN: 2 * cols,
            blockK: 4,
            unit: plan.split === "rows" ? rows : cols,
          });
        }
  if (a.col === 1 && b.row === 1)
    plans.push(cut({ ...chosen, path: "dot", rows: 2, cols: 4, packA: false, packB: false, tileA: "rows" }));
  return plans.map((plan) => {
    const side = plan.split === "rows" ? plan.m : plan.n;
    return { ...plan, unitsPerBatch: plan.m === 0 || plan.n === 0 ? 0 : Math.ceil(side / plan.unit) };
  });
}

for (const fma of [false, true])
  describe.skipIf(fma && !hasFma)(fma ? "with relaxed FMA (skipped where V8 lacks it)" : "with mul and add", () => {
    test("any shape, stride, batch and dtype agrees within the bound, and nothing else is written", () => {
      check(fc.tuple(cases, lasts), 400, ([which, last]) => {
        const problem = problemOf(which);
        const { c, strayWrites } = run(problem, { fma, last });
        expect(strayWrites).toBe(false);
        expectClose(problem, c);
      });
    });

    test("every path, tile and blocking agrees, whichever the planner would choose", () => {
      check(fc.tuple(cases, lasts), 40, ([which, last]) => {
        const problem = problemOf(which);
        for (const plan of plansOf(problem.kernel, fma)) {
          const { c, strayWrites } = run(problem, { fma, last, plan });
          expect(strayWrites).toBe(false);
          expectClose(problem, c);
        }
      });
    });

    test("long sums and whole blocks agree", () => {
      for (const [m, n, k] of [
        [130, 530, 70],
        [7, 33, 1030],
        [64, 257, 300],
        [1, 700, 515],
        [700, 1, 515],
      ])
        for (const forA of ["normal", "transposed"] as const)
          for (const forB of ["normal", "transposed"] as const) {
            const problem = problemOf({ dtype: "f32", batch: [], m, n, k, layouts: [forA, forB], shared: [[], []] });
            expectClose(problem, run(problem, { fma }).c);
          }
    });

    test("any split of the units gives the same bits", () => {
      check(fc.tuple(cases, fc.array(fc.nat(1000), { maxLength: 4 })), 100, ([which, cuts]) => {
        const problem = problemOf({ ...which, batch: which.batch.slice(0, 1) });
        const plan = planGemm(problem.kernel, fma);
        for (const candidate of [plan, ...plansOf(problem.kernel, fma).slice(0, 2)]) {
          const whole = run(problem, { fma, plan: candidate }).c;
          const split = run(problem, {
            fma,
            plan: candidate,
            pieces: (units) => {
              const ends = [0, ...cuts.map((at) => at % (units + 1)), units].sort((x, y) => x - y);
              return ends
                .slice(1)
                .map((end, i) => [ends[i], end] as const)
                .reverse();
            },
          }).c;
          expect(Buffer.from(split.buffer).equals(Buffer.from(whole.buffer))).toBe(true);
        }
      });
    });

    test("NaN and infinities go where the rules of IEEE send them", () => {
      check(
        fc.tuple(cases, fc.nat(), fc.nat(), fc.constantFrom(Number.NaN, Infinity, -Infinity, 0, -0)),
        150,
        ([which, i, j, special]) => {
          const problem = problemOf(which);
          if (problem.a.length === 0 || problem.b.length === 0) return;
          problem.a[i % problem.a.length] = special;
          problem.b[j % problem.b.length] = 0;
          const { c } = run(problem, { fma });
          const expected = reference(problem).c;
          c.forEach((value, at) => {
            if (!Number.isFinite(expected[at]) || !Number.isFinite(value)) expect(value).toBe(expected[at]);
          });
        },
      );
    });
  });
