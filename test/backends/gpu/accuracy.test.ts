// Elementary functions keep the contract's accuracy in every mode, over all exponents; NaN and infinities too.

import { describe, expect, it } from "vitest";
import { gpuBackend } from "../../../engine/backends/gpu/index.ts";
import { primitives } from "../../../engine/primitives/index.ts";
import { allExponents, mapKernel, ulps } from "../wasm/accuracy.ts";
import { runKernel } from "./harness.ts";
import { modes } from "./modes.ts";

const smallestNormal = 2 ** -126;
const tiny = (x: number): boolean => Math.abs(x) < smallestNormal;

const functions = [
  ...(["exp", "exp2", "expm1", "log", "log2", "log1p", "tanh", "sigmoid", "erf", "sin", "cos"] as const),
  ...(["sqrt", "rsqrt", "floor", "ceil", "round", "trunc", "sign", "abs", "neg"] as const),
];
/** Beyond this the reduction of sin and cos by multiples of pi/2 loses bits. */
const largestAngle = 1000;

describe.each(modes)("mode %s", (mode) => {
  it("keeps 2 ulp", async () => {
    const backend = await gpuBackend(mode);
    const x = allExponents(24);
    for (const fn of functions) {
      const scalar = primitives[fn].scalar as (x: number) => number;
      const results = await runKernel(backend, mapKernel(fn, ["f32"], "f32", x.length), [x], x.length);
      x.forEach((value, i) => {
        const exact = scalar(value);
        // GPUs may take subnormal numbers for 0, as arguments and as results.
        if (tiny(value) || (tiny(exact) && Math.abs(results[i]) < smallestNormal)) return;
        if ((fn === "sin" || fn === "cos") && Math.abs(value) > largestAngle) return;
        if (!(ulps(results[i], exact) <= 2) && exact !== results[i]) {
          expect.fail(`${fn}(${value}) is ${exact}, not ${results[i]}`);
        }
      });
    }
    await backend.leave?.();
  });

  it("has the powers of whole exponents, and others within 64 ulp", async () => {
    const backend = await gpuBackend(mode);
    const [bases, exponents] = [
      [-3, -1, -0.5, 0, 0.5, 1, 2, 10],
      [-3, -2, -1, 0, 1, 2, 3, 0.5, 1.7, -0.3],
    ];
    const x = Float32Array.from(bases.flatMap((base) => exponents.map(() => base)));
    const y = Float32Array.from(bases.flatMap(() => exponents));
    const kernel = mapKernel("pow", ["f32", "f32"], "f32", x.length);
    const results = await runKernel(backend, kernel, [x, y], x.length);
    x.forEach((base, i) => {
      const exact = base ** y[i];
      if (exact === results[i]) return;
      expect(ulps(results[i], exact), `${base} ** ${y[i]} = ${exact}, not ${results[i]}`).toBeLessThanOrEqual(64);
    });
    await backend.leave?.();
  });
});
