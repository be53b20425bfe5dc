// Gather, scatter and sort kernels: right results, indices out of range reported, nothing else written.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { LoopKernel, ScatterKernel, SortKernel } from "../../../engine/compile/ir.ts";
import { identityAccess } from "../../../engine/compile/view.ts";
import { type DType, hostArray } from "../../../engine/dtype.ts";
import { interpretKernel } from "../../support/interpret.ts";
import { runKernel, takeError } from "./kernel-harness.ts";

const source = { source: "gather index", axis: 0 };
const dtypes = ["f32", "f64", "i32", "bool"] as const;
const side = fc.integer({ min: 0, max: 9 });

interface Problem {
  readonly dtype: Exclude<DType, "bool">;
  readonly outer: number;
  readonly bound: number;
  readonly count: number;
  readonly inner: number;
  readonly alike: boolean;
  readonly seed: number;
}

describe("wasm sort", () => {
  const lengths = fc.oneof(fc.integer({ min: 0, max: 60 }), fc.integer({ min: 100, max: 600 }));
  it("is the start of a stable argsort with NaN last", () => {
    const specials = [Number.NaN, -0, 0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 1e-40, -1e-40];
    const values = fc.oneof(fc.integer({ min: -5, max: 5 }), fc.constantFrom(...specials), fc.float());
    fc.assert(
      fc.property(
        fc.constantFrom(...dtypes),
        side,
        lengths,
        fc.boolean(),
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.boolean(),
        fc.infiniteStream(values),
        (dtype, rows, length, descending, part, all, stream) => {
          const kept = all ? length : Math.floor(part * length);
          const x = hostArray(dtype, rows * length);
          for (let i = 0; i < x.length; i++) {
            const value = stream.next().value as number;
            x[i] = dtype === "bool" ? Number(value > 0) : value;
          }
          const kernel: SortKernel = {
            kind: "sort",
            dtype,
            rows,
            length,
            kept,
            descending,
            args: [
              { dtype, mode: "read" },
              { dtype: "i32", mode: "write" },
            ],
          };
          const expected = [Float64Array.from(x), new Float64Array(rows * kept)];
          interpretKernel(kernel, expected);
          const [, out] = runKernel(kernel, [x, new Int32Array(rows * kept)], { cuts: [0.4] });
          expect(Array.from(out)).toEqual(Array.from(expected[1]));
        },
      ),
      { numRuns: 150 },
    );
  });
});

describe("wasm scatterAdd", () => {
  const problem = fc.record({
    dtype: fc.constantFrom<Exclude<DType, "bool">[]>("f32", "f64", "i32"),
    outer: side,
    bound: fc.integer({ min: 1, max: 6 }),
    count: side,
    inner: side,
    alike: fc.boolean(),
    seed: fc.nat(1000),
  });
  const make = ({ dtype, outer, bound, count, inner, alike, seed }: Problem) => {
    const kernel: ScatterKernel = {
      kind: "scatter",
      source,
      dtype,
      outer,
      bound,
      count,
      inner,
      args: [
        { dtype, mode: "read" },
        { dtype: "i32", mode: "read" },
        { dtype, mode: "read" },
        { dtype, mode: "write" },
      ],
    };
    const x = hostArray(dtype, outer * bound * inner).map((_, i) => (i * seed) % 11);
    const updates = hostArray(dtype, outer * count * inner).map((_, i) => ((i + seed) % 7) - 3);
    const index = new Int32Array(updates.length).map(
      (_, i) => ((alike ? Math.floor(i / inner) : i) * 13 + seed) % bound,
    );
    return { kernel, args: [x, index, updates, hostArray(dtype, x.length)] };
  };
  it("adds in order", () => {
    fc.assert(
      fc.property(problem, (p) => {
        const { kernel, args } = make(p);
        const expected = args.map((values) => Float64Array.from(values));
        interpretKernel(kernel, expected);
        expect(Array.from(runKernel(kernel, args, { cuts: [0.5] })[3])).toEqual(Array.from(expected[3]));
        expect(takeError()).toBeUndefined();
      }),
      { numRuns: 200 },
    );
  });
  it.each([-1, 4, 2 ** 30])("reports index %i", (wrong) => {
    const { kernel, args } = make({ dtype: "f32", outer: 2, bound: 4, count: 3, inner: 5, alike: true, seed: 3 });
    args[1][7] = wrong;
    runKernel(kernel, args);
    expect(takeError()).toEqual([1, wrong, 4]);
  });
});

describe("wasm gather", () => {
  /** out[r, c] = table[index[r], c], or index[r, c] with `each`. */
  const gather = (rows: number, columns: number, bound: number, each: boolean): LoopKernel => {
    const axes = [rows, columns];
    const index = [{ shape: axes, strides: each ? [columns, 1] : [1, 0], offset: 0 }];
    const table = [{ shape: axes, strides: [0, 1], offset: 0 }];
    return {
      kind: "loop",
      axes,
      outer: 0,
      lanes: "row",
      registers: [],
      args: [
        { dtype: "i32", mode: "read" },
        { dtype: "f32", mode: "read" },
        { dtype: "f32", mode: "write" },
      ],
      stages: [
        {
          over: "row",
          instrs: [
            { op: "load", dtype: "i32", arg: 0, access: index, fill: 0 },
            { op: "gather", dtype: "f32", arg: 1, access: table, index: 0, stride: columns, bound, source },
          ],
          stores: [{ arg: 2, access: identityAccess(axes), value: 1 }],
          folds: [],
          keeps: [],
        },
      ],
    };
  };
  const table = Float32Array.from({ length: 10 * 7 }, (_, i) => i);
  it.each([false, true])("reads rows, and reports an index that is out of range (index per element: %s)", (each) => {
    const index = Int32Array.from({ length: each ? 35 : 5 }, (_, i) => (i * 3) % 10);
    const [, , out] = runKernel(gather(5, 7, 10, each), [index, table, new Float32Array(35)]);
    expect(Array.from(out)).toEqual(Array.from(out, (_, i) => index[each ? i : Math.floor(i / 7)] * 7 + (i % 7)));
    expect(takeError()).toBeUndefined();
    for (const wrong of [10, -1, 12, -2147483648]) {
      index[3] = wrong;
      runKernel(gather(5, 7, 10, each), [index, table, new Float32Array(35)]);
      expect(takeError()).toEqual([1, wrong, 10]);
    }
  });
});
