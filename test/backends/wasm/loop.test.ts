// Loop kernels of any shape, stride, mask and dtype compute what the IR says, and write nothing else.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { interpretKernel } from "../../support/interpret.ts";
import { runKernel } from "./kernel-harness.ts";
import { loopCase } from "./loop-arbitrary.ts";

describe("wasm loop kernels", () => {
  it("agree with the interpreter to the bit when arithmetic is exact, however units are cut", () => {
    fc.assert(
      fc.property(fc.integer(), fc.integer({ min: 1, max: 3000 }), (seed, size) => {
        const { kernel, data, cuts } = loopCase(seed, size);
        const expected = data.map((values) => Float64Array.from(values));
        interpretKernel(kernel, expected);
        const actual = runKernel(kernel, data, { cuts });
        kernel.args.forEach(({ mode }, i) => {
          if (mode === "read") return;
          // The sign of zero is not promised by a fold.
          expect(Array.from(actual[i], (x) => x + 0)).toEqual(Array.from(expected[i], (x) => x + 0));
        });
      }),
      { numRuns: 1500 },
    );
  });
});
