// f32 functions over all exponents are as accurate as promised, with fused multiply-add and without, and as the page in
// docs/ says.

import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { hasRelaxedMadd } from "../../../engine/backends/wasm/assembler/features.ts";
import { enableRelaxedSimd } from "../../../engine/index.ts";
import { functionUlps } from "../../../testing/index.ts";
import { measure, measuredFunctions } from "./accuracy-table.ts";

// Off by default in Node 20; asked for before the first module is compiled.
enableRelaxedSimd();

const page = readFileSync(new URL("../../../docs/accuracy.md", import.meta.url), "utf8");

/** A function's row: promised, without and with fused multiply-add. */
function documented(fn: string): number[] {
  const row = page.split("\n").find((line) => line.startsWith(`| ${fn} |`));
  return (row ?? "").split("|").slice(2, 5).map(Number);
}

describe.each(hasRelaxedMadd() ? [false, true] : [false])("wasm f32 accuracy, fused: %s", (fma) => {
  it.each(measuredFunctions)("%s", (fn) => {
    const { ulps, at } = measure(fn, fma);
    const [promised, plain, fused] = documented(fn);
    expect(ulps, `at ${at}`).toBeLessThanOrEqual(functionUlps[fn]);
    expect(promised, "docs/accuracy.md: run npm run accuracy").toBe(functionUlps[fn]);
    // Two engines may differ in the last bit of the f64 function.
    expect(ulps, "docs/accuracy.md promises more: run npm run accuracy").toBeLessThanOrEqual(
      (fma ? fused : plain) + 1e-6,
    );
  });
});
