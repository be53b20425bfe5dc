// Functions of f32 and f64 over all exponents are as accurate as promised, with fused multiply-add and without, and as the page in
// docs/ says.

import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { hasRelaxedMadd } from "../../../engine/backends/wasm/assembler/features.ts";
import { enableRelaxedSimd } from "../../../engine/index.ts";
import { functionUlps } from "../../../testing/index.ts";
import { type Float, measure, measuredFunctions } from "./accuracy-table.ts";

// Off by default in Node 20; asked for before the first module is compiled.
enableRelaxedSimd();

const page = readFileSync(new URL("../../../docs/accuracy.md", import.meta.url), "utf8");

/** A function's row: promised, without and with fused multiply-add. */
function documented(dtype: Float, fn: string): number[] {
  const section = page.slice(page.indexOf(`## ${dtype}`));
  const row = section.split("\n").find((line) => line.startsWith(`| ${fn} |`));
  return (row ?? "").split("|").slice(2, 5).map(Number);
}

const paths = (hasRelaxedMadd() ? [false, true] : [false]).flatMap((fma) =>
  (["f32", "f64"] as const).map((dtype) => [dtype, fma] as const),
);

describe.each(paths)("wasm %s accuracy, fused: %s", (dtype, fma) => {
  it.each(measuredFunctions)("%s", (fn) => {
    const { ulps, at } = measure(dtype, fn, fma);
    const [promised, plain, fused] = documented(dtype, fn);
    expect(ulps, `at ${at}`).toBeLessThanOrEqual(functionUlps[dtype][fn]);
    expect(promised, "docs/accuracy.md: run npm run accuracy").toBe(functionUlps[dtype][fn]);
    // Two engines may differ in the last bit of the f64 function.
    expect(ulps, "docs/accuracy.md promises more: run npm run accuracy").toBeLessThanOrEqual(
      (fma ? fused : plain) + 1e-6,
    );
  });
});
