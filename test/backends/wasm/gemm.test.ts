// Every layout, size and path of the WASM matrix product against three plain loops.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type FunctionBuilder, ModuleBuilder } from "../../../engine/backends/wasm/assembler/asm.ts";
import type { FinishedBlock } from "../../../engine/backends/wasm/gemm/drive.ts";
import { emitGemm, gemmUnits } from "../../../engine/backends/wasm/gemm/gemm.ts";
import { cut, type Plan, planGemm } from "../../../engine/backends/wasm/gemm/plan.ts";
import { inSteps, push, sum } from "../../../engine/backends/wasm/gemm/ranges.ts";
import type { ContractKernel } from "../../../engine/compile/ir.ts";
import { type Case, cases, expectClose, lasts, problemOf } from "./gemm-cases.ts";
import { hasFma, reference, run } from "./gemm-harness.ts";

const check = <T>(arbitrary: fc.Arbitrary<T>, numRuns: number, property: (value: T) => void): void =>
  fc.assert(fc.property(arbitrary, property), { numRuns });

const plain = (m: number, n: number, k: number, dtype: Case["dtype"] = "f32"): Case => ({
  dtype,
  batch: [],
  m,
  n,
  k,
  layouts: ["normal", "normal"],
  shared: [[], []],
});

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
            const problem = problemOf({ ...plain(m, n, k), layouts: [forA, forB] });
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

    test("the hook for a fused epilogue sees every element once, after its last block of k", () => {
      check(cases, 20, (which) => {
        const problem = problemOf({ ...which, dtype: "f32", batch: which.batch.slice(0, 1) });
        for (const plan of [planGemm(problem.kernel, fma), ...plansOf(problem.kernel, fma)]) {
          const plainResult = run(problem, { fma, plan }).c;
          const { c } = run(problem, { fma, plan, finish: { args: 3, emit: addOne(plan.n) } });
          expect(c).toEqual(plainResult.map((value) => value + 1));
        }
      });
    });

    test("addresses beyond 2 GiB", () => {
      const { kernel, a, b } = problemOf(plain(37, 45, 70));
      const pages = 36_000;
      const module = new ModuleBuilder();
      module.importMemory("env", "memory", { min: pages, max: 65536, shared: true });
      const start = 34_000 * 65536;
      const [atA, atB, atC, scratch] = [start, start + 65536, start + 2 * 65536, start + 3 * 65536];
      const index = emitGemm(module, kernel, { fma, scratch: (f) => f.i32(scratch) });
      module.func(
        "run",
        [],
        [],
        (f) => f.i32(atA).i32(atB).i32(atC).i32(0).i32(gemmUnits(kernel, { fma })).call(index),
        { export: true },
      );
      const memory = new WebAssembly.Memory({ initial: pages, maximum: 65536, shared: true });
      new Float32Array(memory.buffer, atA, a.length).set(a);
      new Float32Array(memory.buffer, atB, b.length).set(b);
      const instance = new WebAssembly.Instance(new WebAssembly.Module(module.toBytes()), { env: { memory } });
      (instance.exports.run as () => void)();
      expectClose({ kernel, a, b }, new Float32Array(memory.buffer, atC, 37 * 45).slice());
    });
  });

/** Adds one to each element of a finished block. */
const addOne =
  (n: number) =>
  (f: FunctionBuilder, { c, rows, cols }: FinishedBlock): void =>
    inSteps(f, rows, 1, [], (row) =>
      inSteps(f, cols, 1, [], (col) => {
        const at = sum(f, c, [row, 4 * n], [col, 4]);
        push(push(f, at), at).load("f32.load").f32(1).op("f32.add").store("f32.store");
      }),
    );

test("a product of no terms is zero", () => {
  for (const dtype of ["f32", "f64"] as const) {
    const { c } = run(problemOf(plain(9, 11, 0, dtype)), { fma: false });
    expect([...c]).toEqual(new Array(99).fill(0));
  }
});

test("products of one module share their tiles and packers", () => {
  const module = new ModuleBuilder();
  const emit = (m: number, n: number, k: number) =>
    emitGemm(module, problemOf(plain(m, n, k)).kernel, { fma: false, scratch: (f) => f.i32(0) });
  const first = emit(200, 200, 200);
  expect(emit(205, 208, 300)).toBe(first + 2);
});
