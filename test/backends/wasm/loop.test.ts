// Loop kernels of any shape, stride, mask and dtype compute what the IR says, and write nothing else.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { nestOf } from "../../../engine/backends/wasm/loops/nest.ts";
import { interpretKernel } from "../../support/interpret.ts";
import { runKernel } from "./kernel-harness.ts";
import { type Form, loopCase } from "./loop-arbitrary.ts";

function agree(form: Form, numRuns: number): void {
  fc.assert(
    fc.property(fc.integer(), fc.integer({ min: 1, max: 3000 }), (seed, size) => {
      const { kernel, data, cuts } = loopCase(seed, size, form);
      const expected = data.map((values) => Float64Array.from(values));
      interpretKernel(kernel, expected);
      const actual = runKernel(kernel, data, { cuts });
      kernel.args.forEach(({ mode }, i) => {
        if (mode === "read") return;
        // The sign of zero is not promised by a fold.
        expect(Array.from(actual[i], (x) => x + 0)).toEqual(Array.from(expected[i], (x) => x + 0));
      });
    }),
    { numRuns },
  );
}

/** Share of the form's kernels for which a property of the nest holds. */
function share(form: Form, holds: (nest: ReturnType<typeof nestOf>) => boolean): number {
  const kernels = Array.from({ length: 200 }, (_, seed) => loopCase(seed * 7919, 100, form).kernel);
  return kernels.filter((kernel) => holds(nestOf(kernel))).length / kernels.length;
}

describe("wasm loop kernels agree with the interpreter to the bit when arithmetic is exact, however units are cut", () => {
  it("any shape", () => agree("any", 1500));
  it("rows cut into pieces", () => agree("long", 60));
  it("many lanes, with registers in memory", () => agree("wide", 150));
  it("operands read across their memory, in tiles", () => agree("tile", 300));
});

it("the forms reach the code they are meant for", () => {
  expect(share("long", ({ pieces }) => pieces > 1)).toBeGreaterThan(0.2);
  expect(share("wide", ({ mode }) => mode === "wide")).toBeGreaterThan(0.4);
  expect(share("tile", ({ across }) => across.size > 0)).toBeGreaterThan(0.3);
});
