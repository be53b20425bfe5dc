// Scan kernels against the interpreter: every dtype, direction and row length, special values, in place, cut anywhere.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { ScanKernel } from "../../../engine/compile/ir.ts";
import { type HostArray, hostArray } from "../../../engine/dtype.ts";
import { anyFloat } from "../../../testing/index.ts";
import { interpretKernel } from "../../support/interpret.ts";
import { runKernel } from "./kernel-harness.ts";

/** One element a row, a few vectors, many, and more than are done together. */
const inners = fc.oneof(
  { weight: 3, arbitrary: fc.constant(1) },
  { weight: 3, arbitrary: fc.integer({ min: 0, max: 40 }) },
  { weight: 2, arbitrary: fc.integer({ min: 41, max: 300 }) },
  { weight: 1, arbitrary: fc.constantFrom(2048, 2500, 4100) },
);

const kernels: fc.Arbitrary<ScanKernel> = fc
  .record({
    fn: fc.constantFrom("sum", "max", "linear"),
    dtype: fc.constantFrom("f32", "f64", "i32"),
    outer: fc.integer({ min: 0, max: 4 }),
    length: fc.oneof(fc.integer({ min: 0, max: 12 }), fc.integer({ min: 13, max: 90 })),
    inner: inners,
    reverse: fc.boolean(),
    lag: fc.boolean(),
  })
  .map(({ outer, length, ...drawn }) => {
    const wide = drawn.inner > 40;
    const read = { dtype: drawn.dtype, mode: "read" } as const;
    const args = [...(drawn.fn === "linear" ? [read, read] : [read]), { dtype: drawn.dtype, mode: "write" } as const];
    const sides = wide ? { outer: Math.min(outer, 2), length: length % 6 } : { outer, length };
    return { kind: "scan", ...drawn, ...sides, lag: drawn.lag && drawn.fn === "linear", args } as const;
  });

function inputsOf(kernel: ScanKernel, draw: () => number): HostArray[] {
  const size = kernel.outer * kernel.length * kernel.inner;
  return kernel.args.slice(0, -1).map(() => hostArray(kernel.dtype, size).map(draw) as HostArray);
}

function expected(kernel: ScanKernel, inputs: readonly HostArray[]): Float64Array {
  const memory = [...inputs.map((input) => Float64Array.from(input)), new Float64Array(inputs[0].length)];
  interpretKernel(kernel, memory);
  return memory[memory.length - 1];
}

function expectClose(kernel: ScanKernel, actual: HostArray, wanted: Float64Array, tolerance: number): void {
  for (const [i, value] of wanted.entries()) {
    const stored = kernel.dtype === "f32" ? Math.fround(value) : value;
    const bound = tolerance * Math.max(1, Math.abs(value));
    const same = Object.is(stored, actual[i]) || stored === actual[i] || Math.abs(actual[i] - value) <= bound;
    if (!same) expect.fail(`element ${i} of ${wanted.length}: ${actual[i]} instead of ${value}`);
  }
}

const sameBits = (x: HostArray, y: HostArray): boolean =>
  Buffer.compare(new Uint8Array(x.buffer), new Uint8Array(y.buffer)) === 0;

/** Small numbers, coefficients below 1 in size, so that errors stay small. */
const ordinary = (seed: number): (() => number) => {
  let state = seed | 1;
  return () => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
    return ((state >>> 8) % 2001) / 1000 - 1;
  };
};

describe("wasm scan", () => {
  it("is a loop along each line, wherever it is cut", () => {
    fc.assert(
      fc.property(
        kernels,
        fc.nat(),
        fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 3 }),
        (kernel, seed, cuts) => {
          const draw = ordinary(seed);
          const inputs = inputsOf(kernel, kernel.dtype === "i32" ? () => Math.round(draw() * 2e9) : draw);
          const out = hostArray(kernel.dtype, inputs[0].length);
          const whole = runKernel(kernel, [...inputs, out]);
          const pieces = runKernel(kernel, [...inputs, out], { cuts });
          expect(sameBits(pieces.at(-1) as HostArray, whole.at(-1) as HostArray)).toBe(true);
          expectClose(kernel, whole[whole.length - 1], expected(kernel, inputs), kernel.dtype === "f64" ? 1e-12 : 1e-4);
        },
      ),
      { numRuns: 400 },
    );
  });

  it("gives what a loop gives for numbers of any kind", () => {
    const values = fc.oneof({ weight: 3, arbitrary: fc.integer({ min: -3, max: 3 }) }, anyFloat);
    fc.assert(
      fc.property(kernels, fc.infiniteStream(values), (kernel, stream) => {
        if (kernel.dtype === "i32" || kernel.inner > 300) return;
        const inputs = inputsOf(kernel, () => stream.next().value as number);
        const result = runKernel(kernel, [...inputs, hostArray(kernel.dtype, inputs[0].length)]).at(-1) as HostArray;
        expectSameKind(kernel, inputs, result);
      }),
      { numRuns: 400 },
    );
  });

  it("may write over what it reads", () => {
    fc.assert(
      fc.property(kernels, fc.nat(), fc.boolean(), (kernel, seed, first) => {
        const inputs = inputsOf(kernel, ordinary(seed));
        const replaced = kernel.lag || !first ? inputs.length - 1 : 0;
        const apart = runKernel(kernel, [...inputs, hostArray(kernel.dtype, inputs[0].length)]).at(-1) as HostArray;
        const inPlace = runKernel(kernel, [...inputs, inputs[replaced]], { shared: [replaced, inputs.length] }).at(-1);
        expect(sameBits(inPlace as HostArray, apart)).toBe(true);
      }),
      { numRuns: 200 },
    );
  });
});

/** Each element against one step in the dtype's own arithmetic from the computed element before it. */
function expectSameKind(kernel: ScanKernel, inputs: readonly HostArray[], result: HostArray): void {
  const { fn, outer, length, inner, reverse, lag, dtype } = kernel;
  const round = dtype === "f32" ? Math.fround : (value: number) => value;
  const limit = dtype === "f32" ? 3.4e38 : Number.MAX_VALUE;
  const x = inputs[inputs.length - 1];
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < inner; i++) {
      let before: number | undefined;
      let scale = 0;
      for (let step = 0; step < length; step++) {
        const place = (t: number): number => (o * length + (reverse ? length - 1 - t : t)) * inner + i;
        const at = place(step);
        const a = fn === "linear" && step > 0 ? inputs[0][lag ? place(step - 1) : at] : 1;
        const b = x[at];
        const product = before === undefined ? 0 : a * before;
        const value =
          before === undefined ? b : fn === "max" ? Math.max(before, b) : fn === "sum" ? before + b : product + b;
        // Another order of operations is as good, but errs differently: relative to what was added up so far.
        scale = fn === "max" ? 0 : Math.abs(a) * scale + Math.abs(b);
        const actual = result[at];
        const nearLimit = scale > limit * 0.25;
        const close = Math.abs(actual - value) <= scale * length * (dtype === "f32" ? 2e-6 : 1e-14) + 1e-44;
        const same = Number.isNaN(value) ? Number.isNaN(actual) : actual === round(value) || close;
        if (!same && !nearLimit) {
          expect.fail(`${fn}: ${actual} instead of ${value} from ${before} with ${a} and ${b} at step ${step}`);
        }
        if (nearLimit && Number.isFinite(actual) !== Number.isFinite(value)) return;
        before = actual;
      }
    }
  }
}
