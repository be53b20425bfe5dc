// Products over sliding windows, as the compiler makes them of convolutions and their gradients, against their definition.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { emitGemm, gemmScratchBytes, gemmUnits } from "../../../engine/backends/wasm/gemm/gemm.ts";
import { planGemm } from "../../../engine/backends/wasm/gemm/plan.ts";
import { hasComposite } from "../../../engine/backends/wasm/gemm/slide.ts";
import { compileGraph } from "../../../engine/compile/index.ts";
import type { ContractKernel } from "../../../engine/compile/ir.ts";
import * as S from "../../../engine/index.ts";
import { cutGraph } from "../../../engine/runtime/realize.ts";
import { positionsOf, type Spec, shapesOf, specs } from "../../ops/samples/convolutions.ts";
import { interpretKernel } from "../../support/interpret.ts";
import { fill } from "./gemm-cases.ts";
import { execute, type Floats, hasFma, type Task } from "./gemm-harness.ts";

interface Problem {
  readonly kernel: ContractKernel;
  readonly a: Floats;
  readonly b: Floats;
  readonly length: number;
}

/** The products over windows in a convolution and its gradients. */
function problemsOf(spec: Spec, dtype: "f32" | "f64"): Problem[] {
  const { strides: stride, dilations: dilation, padding, groups } = spec;
  const shapes = shapesOf(spec);
  const zeros = (shape: readonly number[]) => S.zeros(shape, { dtype });
  const [y, pull] = S.vjp(
    (x, w) => (spec.taps.length === 1 ? S.conv1d : S.conv2d)(x, w, { stride, dilation, padding, groups }),
    zeros(shapes.x),
    zeros(shapes.w),
  );
  const program = compileGraph(cutGraph([y, ...pull(zeros(y.shape))].map((tensor) => tensor.node)));
  return program.calls.flatMap(({ kernel: at, args }): Problem[] => {
    const kernel = program.kernels[at];
    if (kernel.kind !== "contract" || !hasComposite(kernel)) return [];
    const [a, b, c] = args.map((buffer) => program.buffers[buffer].length);
    return [{ kernel, a: fill(a, dtype, 3), b: fill(b, dtype, 5), length: c }];
  });
}

function compute({ kernel, a, b, length }: Problem, fma: boolean, options: Pick<Task, "pieces" | "last"> = {}) {
  return execute({
    ...options,
    dtype: kernel.dtype,
    inputs: [a, b],
    length,
    scratch: gemmScratchBytes(kernel, { fma }),
    units: gemmUnits(kernel, { fma }),
    emit: (module, scratch) => emitGemm(module, kernel, { fma, scratch }),
  });
}

function expectProduct({ kernel, a, b, length }: Problem, c: Floats): void {
  const define = (map: (value: number) => number): Float64Array => {
    const out = new Float64Array(length);
    interpretKernel(kernel, [Float64Array.from(a, map), Float64Array.from(b, map), out]);
    return out;
  };
  const [expected, magnitude] = [define((value) => value), define(Math.abs)];
  const bound = (kernel.k + 1) * (kernel.dtype === "f32" ? 2 ** -24 : 2 ** -52) * 1.01;
  for (let i = 0; i < length; i++) {
    if (!(Math.abs(c[i] - expected[i]) <= bound * magnitude[i])) {
      expect.fail(`element ${i}: ${c[i]}, expected ${expected[i]} in ${JSON.stringify(kernel)}`);
    }
  }
}

/** Wider than tiles and vectors, in one or two axes; a third of them depthwise. */
const wide: fc.Arbitrary<Spec> = fc
  .tuple(
    specs(1, 40),
    specs(2, 17),
    fc.boolean(),
    fc.nat(2),
    fc.integer({ min: 1, max: 13 }),
    fc.integer({ min: 1, max: 9 }),
  )
  .map(([one, two, flat, kind, outputs, taps]) => {
    const spec = flat ? one : two;
    const depthwise = kind === 0 ? { inputs: 1, outputs: 1 } : kind === 1 ? { outputs } : {};
    const longer = { ...spec, ...depthwise, taps: spec.taps.with(0, taps) };
    const reach = (longer.taps[0] - 1) * longer.dilations[0] + 1;
    return { ...longer, batch: Math.max(1, spec.batch), sides: longer.sides.with(0, Math.max(longer.sides[0], reach)) };
  })
  .filter((spec) => positionsOf(spec).every((side) => side > 0));
const dtypes = fc.constantFrom("f32" as const, "f64" as const);

for (const fma of [false, true])
  describe.skipIf(fma && !hasFma)(fma ? "with relaxed FMA (skipped where V8 lacks it)" : "with mul and add", () => {
    test("forward and both gradients agree with their definition, and nothing else is read or written", () => {
      fc.assert(
        fc.property(wide, dtypes, fc.integer({ min: 0, max: 2 }), (spec, dtype, last) => {
          for (const problem of problemsOf(spec, dtype)) {
            const { c, strayWrites } = compute(problem, fma, { last });
            expect(strayWrites).toBe(false);
            expectProduct(problem, c);
          }
        }),
        { numRuns: 150 },
      );
    });

    test("any split of the units gives the same bits", () => {
      fc.assert(
        fc.property(wide, fc.array(fc.nat(1000), { maxLength: 4 }), (spec, cuts) => {
          for (const problem of problemsOf(spec, "f32")) {
            const whole = compute(problem, fma).c;
            const pieces = (units: number) => {
              const ends = [0, ...cuts.map((at) => at % (units + 1)), units].sort((x, y) => x - y);
              return ends.slice(1).map((end, i) => [ends[i], end] as const);
            };
            const split = compute(problem, fma, { pieces }).c;
            expect(Buffer.from(split.buffer).equals(Buffer.from(whole.buffer))).toBe(true);
          }
        }),
        { numRuns: 50 },
      );
    });

    test("sizes that need several blocks, long lines, and every way", () => {
      const base = { batch: 1, groups: 1, strides: [1, 1], dilations: [1, 1] };
      const pad = (n: number): [number, number] => [n, n];
      const specsOfNote: Spec[] = [
        { ...base, inputs: 30, outputs: 125, sides: [6, 90], taps: [3, 3], padding: [pad(1), pad(1)] },
        { ...base, groups: 3, inputs: 1, outputs: 1, sides: [6, 75], taps: [7, 7], padding: [pad(3), pad(3)] },
        { ...base, groups: 3, inputs: 1, outputs: 2, sides: [9, 7], taps: [3, 11], padding: [pad(1), pad(5)] },
        {
          ...base,
          groups: 2,
          inputs: 1,
          outputs: 1,
          sides: [9, 33],
          taps: [3, 3],
          strides: [2, 2],
          padding: [pad(1), pad(1)],
        },
        {
          ...base,
          groups: 4,
          inputs: 1,
          outputs: 1,
          sides: [300],
          taps: [4],
          strides: [1],
          dilations: [2],
          padding: [[6, 0]],
        },
      ];
      const ways = new Set<string>();
      for (const spec of specsOfNote) {
        for (const problem of problemsOf(spec, "f32")) {
          ways.add(planGemm(problem.kernel, fma).direct?.kind ?? "tile");
          expectProduct(problem, compute(problem, fma).c);
        }
      }
      expect([...ways].sort()).toEqual(["stencil", "taps", "tile"]);
    });
  });
