// f32 functions over all exponents stay within 2 ulp (tanh 2.5), with fused multiply-add and without.

import v8 from "node:v8";
import { describe, expect, it } from "vitest";
import { hasRelaxedMadd } from "../../../engine/backends/wasm/features.ts";
import { unaryFloatOps } from "../../../engine/graph/vocabulary.ts";
import { elementwise } from "../../../engine/primitives/elementwise.ts";
import { allExponents, mapKernel, ulps } from "./accuracy.ts";
import { runKernel } from "./kernel-harness.ts";

// Off by default in Node 20; asked for before the first module is compiled.
v8.setFlagsFromString("--experimental-wasm-relaxed-simd");

function dense(count: number): Float32Array {
  // Where functions bend: both signs of [2^-6, 2^8), evenly over binades.
  return Float32Array.from({ length: count }, (_, i) => {
    const x = 2 ** ((i % 14) - 6) * (1 + ((i * 0.6180339887) % 1));
    return i & 1 ? -x : x;
  });
}

const xs = Float32Array.from([...allExponents(150), ...dense(60_000)]);

describe.each(hasRelaxedMadd() ? [false, true] : [false])("wasm f32 accuracy, fused: %s", (fma) => {
  it.each(unaryFloatOps)("%s", (fn) => {
    const [, y] = runKernel(mapKernel(fn, ["f32"], "f32", xs.length), [xs, new Float32Array(xs.length)], { fma });
    const scalar = elementwise[fn].scalar as (x: number) => number;
    let worst = 0;
    let at = 0;
    for (let i = 0; i < xs.length; i++) {
      const error = ulps(y[i], scalar(xs[i]));
      if (error > worst) [worst, at] = [error, xs[i]];
    }
    // It gives up some of the last ulp for a third of its time.
    expect(worst, `at ${at}`).toBeLessThanOrEqual(fn === "tanh" ? 2.5 : 2);
  });

  it("pow", () => {
    const length = 60_000;
    const base = Float32Array.from({ length }, (_, i) =>
      Math.exp((((i * 0.7548776662) % 1) - 0.5) * (i % 3 ? 170 : 4)),
    );
    const exponent = Float32Array.from(base, (x, i) => {
      const reach = Math.min(50, 85 / Math.abs(Math.log(x)));
      return (((i * 0.569840291) % 1) - 0.5) * 2 * reach;
    });
    const kernel = mapKernel("pow", ["f32", "f32"], "f32", length);
    const [, , z] = runKernel(kernel, [base, exponent, new Float32Array(length)], { fma });
    let worst = 0;
    for (let i = 0; i < length; i++) worst = Math.max(worst, ulps(z[i], base[i] ** exponent[i]));
    expect(worst).toBeLessThanOrEqual(0.55);
  });
});
