// The accuracy of f32 functions, measured, and the table in docs/accuracy.md that says so.

import { hasRelaxedMadd } from "../../../engine/backends/wasm/assembler/features.ts";
import { unaryFloatOps } from "../../../engine/graph/vocabulary.ts";
import { elementwise } from "../../../engine/primitives/elementwise.ts";
import { functionUlps } from "../../../testing/index.ts";
import { allExponents, mapKernel, ulps } from "./accuracy.ts";
import { runKernel } from "./kernel-harness.ts";

export type Measured = keyof typeof functionUlps;
export const measuredFunctions: readonly Measured[] = [...unaryFloatOps, "pow"];

/** The largest error found, and where. */
export interface Worst {
  readonly ulps: number;
  readonly at: readonly number[];
}

/** Where functions bend: both signs of [2^-6, 2^8), evenly over binades. */
const dense = (count: number): Float32Array =>
  Float32Array.from({ length: count }, (_, i) => {
    const x = 2 ** ((i % 14) - 6) * (1 + ((i * 0.6180339887) % 1));
    return i & 1 ? -x : x;
  });

const arguments1 = Float32Array.from([...allExponents(150), ...dense(60_000)]);

/** Bases over most exponents, and exponents whose powers are neither 0 nor infinite. */
function powArguments(): [Float32Array, Float32Array] {
  const length = 60_000;
  const base = Float32Array.from({ length }, (_, i) => Math.exp((((i * 0.7548776662) % 1) - 0.5) * (i % 3 ? 170 : 4)));
  const exponent = Float32Array.from(base, (x, i) => {
    const reach = Math.min(50, 85 / Math.abs(Math.log(x)));
    return (((i * 0.569840291) % 1) - 0.5) * 2 * reach;
  });
  return [base, exponent];
}

/** How many arguments `measure` tries. */
export const sampled = (fn: Measured): number => (fn === "pow" ? powArguments()[0] : arguments1).length;

/** The largest error of a function over the sample, in units of the last place of the exact result. */
export function measure(fn: Measured, fma: boolean): Worst {
  const args = fn === "pow" ? powArguments() : [arguments1];
  const { length } = args[0];
  const kernel = mapKernel(
    fn,
    args.map(() => "f32" as const),
    "f32",
    length,
  );
  const values = runKernel(kernel, [...args, new Float32Array(length)], { fma })[args.length];
  const scalar = elementwise[fn].scalar as (...xs: number[]) => number;
  let worst: Worst = { ulps: 0, at: [] };
  for (let i = 0; i < length; i++) {
    const at = args.map((list) => list[i]);
    const error = ulps(values[i], scalar(...at));
    if (error > worst.ulps) worst = { ulps: error, at };
  }
  return worst;
}

/** Rounded up: the table never promises more than was found. */
const shown = (error: number): string => (Math.ceil(error * 100) / 100).toFixed(2);

/** docs/accuracy.md, measured now. Needs relaxed SIMD for the second column. */
export function accuracyPage(): string {
  if (!hasRelaxedMadd()) throw new Error("accuracy: needs relaxed SIMD to measure both paths");
  const rows = measuredFunctions.map((fn) => {
    const [plain, fused] = [false, true].map((fma) => shown(measure(fn, fma).ulps));
    return `| ${fn} | ${functionUlps[fn]} | ${plain} | ${fused} | ${sampled(fn).toLocaleString("en")} |`;
  });
  return `# Accuracy

Written by \`npm run accuracy\`. The largest error of each f32 function on \`wasm\`, in units of the last place of the exact
result, over all exponents of both signs, subnormals and the ends of each binade included, and densely where functions
bend; \`pow\` over bases of most exponents with exponents that neither overflow nor vanish. "promised" is what tests hold
backends to (\`functionUlps\` in \`sluice/testing\`); the other two columns are measured, rounded up: with products and sums
rounded each (the default in Node 20), and with fused multiply-add (relaxed SIMD). The exact result is the f64 function's;
where a NaN, an infinity or a zero is due, anything else counts as an infinite error. 0.00 is correct rounding throughout.

| function | promised | mul + add | fused | arguments |
| --- | --- | --- | --- | --- |
${rows.join("\n")}

Sums and products of n terms are within n u (|a| . |b|), u = 2^-24, in any order of summation. In f64 these functions are
JavaScript's.
`;
}
