// exp of what is known to be at most 0 has code of its own: as accurate as exp, and used only where that is known.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { hasRelaxedMadd } from "../../../engine/backends/wasm/assembler/features.ts";
import { atMostZero } from "../../../engine/backends/wasm/loops/bounds.ts";
import type { Instr, LoopKernel, Store } from "../../../engine/compile/ir.ts";
import { identityAccess } from "../../../engine/compile/view.ts";
import { enableRelaxedSimd } from "../../../engine/index.ts";
import { functionUlps } from "../../../testing/index.ts";
import { allExponents, ulps } from "./accuracy.ts";
import { runKernel } from "./kernel-harness.ts";

// Off by default in Node 20; asked for before the first module is compiled.
enableRelaxedSimd();

interface Change {
  /** What is folded, and how; by default the maximum over argument 0. */
  readonly fold?: { readonly arg?: number; readonly op?: "min"; readonly backwards?: boolean };
  readonly minuend?: "x" | "largest";
  /** Where argument 0 is overwritten, as a stage of its own. */
  readonly overwritten?: boolean;
}

/** Rows of arguments 0 and 1 to argument 2: exp(x - the largest of the row), or what `change` makes of it. */
function kernelOf(rows: number, length: number, { fold = {}, minuend = "x", overwritten }: Change = {}): LoopKernel {
  const access = identityAccess([rows, length]);
  const backwards = [{ shape: [rows, length], strides: [length, -1], offset: length - 1 }];
  const load = (arg: number, at = access): Instr => ({ op: "load", dtype: "f32", arg, access: at, fill: 0 });
  const row = (instrs: readonly Instr[], stores: readonly Store[], folds: LoopKernel["stages"][number]["folds"] = []) =>
    ({ over: "row", instrs, stores, folds, keeps: [] }) as const;
  const first = row(
    [load(fold.arg ?? 0, fold.backwards ? backwards : access)],
    [],
    [{ op: fold.op ?? "max", value: 0, register: 0 }],
  );
  const copy = row([load(1)], [{ arg: 0, access, value: 0 }]);
  const last = row(
    [
      load(0),
      { op: "register", dtype: "f32", register: 0 },
      { op: "apply", dtype: "f32", fn: "sub", args: minuend === "x" ? [0, 1] : [1, 0] },
      { op: "apply", dtype: "f32", fn: "exp", args: [2] },
    ],
    [{ arg: 2, access, value: 3 }],
  );
  return {
    kind: "loop",
    axes: [rows, length],
    outer: 1,
    lanes: "row",
    args: [
      { dtype: "f32", mode: overwritten ? "readwrite" : "read" },
      { dtype: "f32", mode: "read" },
      { dtype: "f32", mode: "write" },
    ],
    registers: ["f32"],
    stages: overwritten ? [first, copy, last] : [first, last],
  };
}

const known = (kernel: LoopKernel): boolean => {
  const stage = kernel.stages[kernel.stages.length - 1];
  return atMostZero(kernel, stage, 2);
};

const values = (kernel: LoopKernel, x: Float32Array, other: Float32Array, fma: boolean): Float32Array =>
  runKernel(kernel, [x, other, new Float32Array(x.length)], { fma })[2] as Float32Array;

const element = fc.oneof({ weight: 8, arbitrary: fc.float({ noNaN: true, min: -200, max: 200 }) }, fc.float());

describe.each(hasRelaxedMadd() ? [false, true] : [false])("exp of x minus its maximum, fused: %s", (fma) => {
  it("is as accurate as exp over all exponents, subnormal results included", () => {
    const x = Float32Array.from([0, ...allExponents(150).filter((value) => value <= 0)]);
    const dense = Float32Array.from({ length: 60_000 }, (_, i) => -((i * 0.6180339887) % 1) * (i % 2 ? 110 : 2));
    for (const sample of [x, dense]) {
      const kernel = kernelOf(1, sample.length);
      expect(known(kernel)).toBe(true);
      const top = sample.reduce((most, value) => Math.max(most, value));
      const errors = values(kernel, sample, sample, fma).map((value, i) =>
        ulps(value, Math.exp(Math.fround(sample[i] - top))),
      );
      const worst = errors.indexOf(errors.reduce((most, error) => Math.max(most, error)));
      expect(errors[worst], `at ${sample[worst]} - ${top}`).toBeLessThanOrEqual(functionUlps.f32.exp);
    }
  });

  it("is exp of the difference in rows of any numbers, whatever the fold is of", () => {
    const changes: readonly Change[] = [
      {},
      { fold: { arg: 1 } },
      { fold: { op: "min" } },
      { fold: { backwards: true } },
      { minuend: "largest" },
      { overwritten: true },
    ];
    const cases = fc.constantFrom(...changes).chain((change) =>
      fc.integer({ min: 1, max: 21 }).chain((length) => {
        const row = fc.array(element, { minLength: 2 * length, maxLength: 2 * length });
        return fc.record({ change: fc.constant(change), length: fc.constant(length), x: row, other: row });
      }),
    );
    fc.assert(
      fc.property(cases, ({ change, length, x, other }) => {
        const kernel = kernelOf(2, length, change);
        expect(known(kernel)).toBe(change === changes[0]);
        const [a, b] = [Float32Array.from(x), Float32Array.from(other)];
        const found = values(kernel, a, b, fma);
        const { fold = {}, minuend, overwritten } = change;
        for (let i = 0; i < found.length; i++) {
          const start = i < length ? 0 : length;
          const folded = (fold.arg === 1 ? b : a).slice(start, start + length);
          const nan = folded.some(Number.isNaN) ? Number.NaN : 0;
          const ends = nan + (fold.op === "min" ? Math.min(...folded) : Math.max(...folded));
          const own = overwritten ? b[i] : a[i];
          const difference = Math.fround(minuend === "largest" ? ends - own : own - ends);
          expect(ulps(found[i], Math.exp(difference)), `exp(${difference})`).toBeLessThanOrEqual(functionUlps.f32.exp);
        }
      }),
    );
  });
});
