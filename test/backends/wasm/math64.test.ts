// Functions of f64 on vectors: the same bits wherever an element lies, fused or not within what is promised, whatever
// its bits are; remainders exact.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { hasRelaxedMadd } from "../../../engine/backends/wasm/assembler/features.ts";
import { unaryFloatOps } from "../../../engine/graph/vocabulary.ts";
import { enableRelaxedSimd } from "../../../engine/index.ts";
import { elementwise } from "../../../engine/primitives/elementwise.ts";
import { functionUlps } from "../../../testing/index.ts";
import { mapKernel } from "./accuracy.ts";
import { exactValue, ulps64 } from "./exact.ts";
import { runKernel } from "./kernel-harness.ts";

enableRelaxedSimd();

type Fn = keyof typeof functionUlps.f64;
type Binary = "pow" | "remainder";
const functions: readonly Fn[] = [...unaryFloatOps, "pow"];
const paths = hasRelaxedMadd() ? [false, true] : [false];

function run(fn: Fn | Binary, args: readonly Float64Array[], fma: boolean): Float64Array {
  const { length } = args[0];
  const kernel = mapKernel(
    fn,
    args.map(() => "f64" as const),
    "f64",
    length,
  );
  return runKernel(kernel, [...args, new Float64Array(length)], { fma })[args.length] as Float64Array;
}

/** Any bits; sizes at which functions bend; whole numbers; multiples of pi/2, where reductions cancel. */
const numbers = fc.oneof(
  fc.double(),
  fc.double({ min: -40, max: 40, noNaN: true }),
  fc.integer({ min: -60, max: 60 }),
  fc.integer({ min: -(2 ** 31), max: 2 ** 31 }).map((n) => (n * Math.PI) / 2),
);
const lists = fc
  .array(fc.tuple(numbers, numbers), { minLength: 1, maxLength: 19 })
  .map((pairs) => [0, 1].map((side) => Float64Array.from(pairs, (pair) => pair[side])));

const scalarOf = (fn: Fn | Binary) => elementwise[fn].scalar as (...xs: number[]) => number;
const isNumber = (x: number): boolean => Number.isFinite(x) && x !== 0;

describe.each(paths)("wasm f64, fused: %s", (fma) => {
  it.each(functions)("%s is within its promise", (fn) => {
    fc.assert(
      fc.property(lists, (drawn) => {
        const args = fn === "pow" ? drawn : drawn.slice(0, 1);
        const actual = run(fn, args, fma);
        actual.forEach((value, i) => {
          const xs = args.map((list) => list[i]);
          const oracle = scalarOf(fn)(...xs);
          const what = `${fn}(${xs}) is ${oracle}, not ${value}`;
          if ([oracle, ...xs].every(isNumber)) {
            expect(ulps64(value, exactValue(fn, xs)), what).toBeLessThanOrEqual(functionUlps.f64[fn]);
          } else expect(Object.is(value, oracle), what).toBe(true);
        });
      }),
      { numRuns: 60 },
    );
  });

  it.each([...functions, "remainder"] as const)("%s gives an element the same bits in any place", (fn) => {
    fc.assert(
      fc.property(lists, fc.nat(), (drawn, at) => {
        const args = fn === "pow" || fn === "remainder" ? drawn : drawn.slice(0, 1);
        const { length } = args[0];
        const from = at % length;
        const all = run(fn, args, fma);
        const part = run(
          fn,
          args.map((list) => list.slice(from)),
          fma,
        );
        const alone = run(
          fn,
          args.map((list) => list.slice(from, from + 1)),
          fma,
        );
        expect(Object.is(alone[0], all[from])).toBe(true);
        part.forEach((value, i) => {
          expect(Object.is(value, all[from + i])).toBe(true);
        });
      }),
      { numRuns: 15 },
    );
  });

  it("remainders are exact", () => {
    fc.assert(
      fc.property(lists, fc.integer({ min: -40, max: 80 }), ([x, y], by) => {
        // Quotients of all sizes.
        const near = x.map((value, i) => (i % 2 === 0 ? value * 2 ** -by * (1 + y[i] / 64) : y[i]));
        run("remainder", [x, near], fma).forEach((value, i) => {
          const expected = scalarOf("remainder")(x[i], near[i]);
          expect(Object.is(value, expected), `${x[i]} mod ${near[i]} is ${expected}, not ${value}`).toBe(true);
        });
      }),
      { numRuns: 150 },
    );
  });
});
