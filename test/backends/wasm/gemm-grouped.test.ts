// Products over rows sorted by group, against one plain product for each group.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  emitGrouped,
  type GroupedProduct,
  groupedScratchBytes,
  groupedUnits,
} from "../../../engine/backends/wasm/gemm/grouped.ts";
import type { ContractKernel } from "../../../engine/compile/ir.ts";
import { expectClose, fill } from "./gemm-cases.ts";
import { execute, type Floats, hasFma, type Task } from "./gemm-harness.ts";

interface Case {
  readonly over: "rows" | "inner";
  readonly dtype: "f32" | "f64";
  /** Rows of each group, and rows before the first and after the last. */
  readonly sizes: readonly number[];
  readonly outside: readonly [number, number];
  readonly sides: readonly [number, number];
  readonly transposed: readonly [boolean, boolean];
}

const cases: fc.Arbitrary<Case> = fc.record({
  over: fc.constantFrom("rows" as const, "inner" as const),
  dtype: fc.constantFrom("f32" as const, "f64" as const),
  sizes: fc.array(fc.oneof(fc.integer({ min: 0, max: 9 }), fc.integer({ min: 0, max: 70 })), { maxLength: 6 }),
  outside: fc.tuple(fc.integer({ min: 0, max: 2 }), fc.integer({ min: 0, max: 2 })),
  sides: fc.tuple(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 0, max: 40 })),
  transposed: fc.tuple(fc.boolean(), fc.boolean()),
});

function problemOf({ over, dtype, sizes, outside, sides, transposed }: Case) {
  const groups = sizes.length;
  const total = sizes.reduce((sum, size) => sum + size, outside[0] + outside[1]);
  const [m, n, k] = over === "rows" ? [total, sides[0], sides[1]] : [sides[0], sides[1], total];
  const matrix = (rows: number, cols: number, turned: boolean) => ({
    row: turned ? 1 : cols,
    col: turned ? rows : 1,
    offset: 0,
  });
  const a = { batch: [], ...matrix(m, k, transposed[0]) };
  const b = { batch: over === "rows" ? [k * n] : [], ...matrix(k, n, transposed[1]) };
  const product: GroupedProduct = { over, dtype, groups, m, n, k, a, b };
  const offsets = new Int32Array(groups + 1);
  offsets[0] = outside[0];
  sizes.forEach((size, g) => {
    offsets[g + 1] = offsets[g] + size;
  });
  return {
    product,
    offsets,
    a: fill(m * k, dtype, 3),
    b: fill(k * n * (over === "rows" ? groups : 1), dtype, 5),
    length: over === "rows" ? m * n : groups * m * n,
  };
}

function compute(which: Case, fma: boolean, options: Pick<Task, "pieces" | "last"> = {}, wrong?: Int32Array) {
  const { product, offsets, a, b, length } = problemOf(which);
  return execute({
    ...options,
    dtype: which.dtype,
    inputs: [a, b, wrong ?? offsets],
    length,
    scratch: groupedScratchBytes(product, { fma }),
    units: groupedUnits(product, { fma }),
    emit: (module, scratch) => emitGrouped(module, product, { fma, scratch }),
  });
}

/** Compares each group with the product it stands for; rows of no group must be zero. */
function expectGroups(which: Case, c: Floats): void {
  const { product, offsets, a, b } = problemOf(which);
  const { m, n, k, dtype, over } = product;
  which.sizes.forEach((size, g) => {
    const sides = over === "rows" ? { m: size, n, k } : { m, n, k: size };
    const startA = offsets[g] * (over === "rows" ? product.a.row : product.a.col);
    const startB = over === "rows" ? g * k * n : offsets[g] * product.b.row;
    const kernel: ContractKernel = {
      kind: "contract",
      dtype,
      batch: [],
      ...sides,
      a: { ...product.a, batch: [], offset: startA },
      b: { ...product.b, batch: [], offset: startB },
      args: [],
    };
    const startC = over === "rows" ? offsets[g] * n : g * m * n;
    expectClose({ kernel, a, b }, c.slice(startC, startC + sides.m * n));
  });
  if (over !== "rows") return;
  const outside = [...c.slice(0, offsets[0] * n), ...c.slice(offsets[which.sizes.length] * n)];
  expect(outside.every((value) => value === 0)).toBe(true);
}

for (const fma of [false, true])
  describe.skipIf(fma && !hasFma)(fma ? "with relaxed FMA (skipped where V8 lacks it)" : "with mul and add", () => {
    test("groups of any size agree, and nothing else is written", () => {
      fc.assert(
        fc.property(cases, fc.integer({ min: 0, max: 3 }), (which, last) => {
          const { c, strayWrites } = compute(which, fma, { last });
          expect(strayWrites).toBe(false);
          expectGroups(which, c);
        }),
        { numRuns: 200 },
      );
    });

    test("any split of the units gives the same bits", () => {
      fc.assert(
        fc.property(cases, fc.array(fc.nat(1000), { maxLength: 4 }), (which, cuts) => {
          const whole = compute(which, fma).c;
          const pieces = (units: number) => {
            const ends = [0, ...cuts.map((at) => at % (units + 1)), units].sort((x, y) => x - y);
            return ends.slice(1).map((end, i) => [ends[i], end] as const);
          };
          const split = compute(which, fma, { pieces }).c;
          expect(Buffer.from(split.buffer).equals(Buffer.from(whole.buffer))).toBe(true);
        }),
        { numRuns: 60 },
      );
    });

    test("long groups need more than one block", () => {
      const base = { dtype: "f32", outside: [0, 0], transposed: [false, false] } as const;
      for (const which of [
        { ...base, over: "rows", sizes: [300, 0, 11], sides: [130, 300] },
        { ...base, over: "inner", sizes: [700, 0, 270], sides: [70, 33] },
        { ...base, over: "inner", sizes: [300, 1], sides: [33, 600] },
      ] as const)
        expectGroups(which, compute(which, fma).c);
    });

    test("offsets that are not ascending, or outside the rows, read and write nothing else", () => {
      fc.assert(
        fc.property(cases, fc.integer({ min: 0, max: 3 }), fc.infiniteStream(fc.integer()), (which, last, stream) => {
          const wrong = Int32Array.from({ length: which.sizes.length + 1 }, () => stream.next().value);
          expect(compute(which, fma, { last }, wrong).strayWrites).toBe(false);
        }),
        { numRuns: 60 },
      );
    });
  });
