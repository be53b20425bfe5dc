// The accuracy of functions of f32 and f64, measured, and the tables in docs/accuracy.md that say so.

import { hasRelaxedMadd } from "../../../engine/backends/wasm/assembler/features.ts";
import { unaryFloatOps } from "../../../engine/graph/vocabulary.ts";
import { elementwise } from "../../../engine/primitives/elementwise.ts";
import { functionUlps } from "../../../testing/index.ts";
import { allExponents, allExponents64, mapKernel, ulps } from "./accuracy.ts";
import { type Big, exactValue, ulps64 } from "./exact.ts";
import { runKernel } from "./kernel-harness.ts";

export type Float = keyof typeof functionUlps;
export type Measured = keyof typeof functionUlps.f32;
export const measuredFunctions: readonly Measured[] = [...unaryFloatOps, "pow"];

/** The largest error found, and where. */
export interface Worst {
  readonly ulps: number;
  readonly at: readonly number[];
}

type Floats = Float32Array | Float64Array;

/** Where functions bend: both signs of [2^-6, 2^8), evenly over binades. */
const dense = (count: number): number[] =>
  Array.from({ length: count }, (_, i) => {
    const x = 2 ** ((i % 14) - 6) * (1 + ((i * 0.6180339887) % 1));
    return i & 1 ? -x : x;
  });

/** Next to multiples of pi/2 of all sizes, where reductions cancel. */
const turns = Array.from(
  { length: 600 },
  (_, i) => (Math.PI / 2) * Math.floor(2 ** (i / 12) * (1 + ((i * 0.618) % 1))),
);

/**
 * Bases over most exponents, and exponents whose powers are neither 0 nor infinite: `range` is the largest logarithm of a
 * base, `reach` that of a power.
 */
function powArguments(length: number, range: number, reach: number): [number[], number[]] {
  const base = Array.from({ length }, (_, i) => Math.exp((((i * 0.7548776662) % 1) - 0.5) * (i % 3 ? 2 * range : 4)));
  const exponent = base.map((x, i) => {
    const most = Math.min(50, reach / Math.abs(Math.log(x)));
    return (((i * 0.569840291) % 1) - 0.5) * 2 * most;
  });
  return [base, exponent];
}

interface Sample {
  readonly unary: Floats;
  readonly pow: readonly Floats[];
  /** Errors of results, in units of the last place. */
  readonly judge: (fn: Measured, args: readonly Floats[]) => (i: number, actual: number) => number;
}

const scalarOf = (fn: Measured) => elementwise[fn].scalar as (...xs: number[]) => number;
const at = (args: readonly Floats[], i: number): number[] => args.map((list) => list[i]);

const samples: Readonly<Record<Float, Sample>> = {
  f32: {
    unary: Float32Array.from([...allExponents(150), ...dense(60_000)]),
    pow: powArguments(60_000, 85, 85).map((list) => Float32Array.from(list)),
    judge: (fn, args) => (i, actual) => ulps(actual, scalarOf(fn)(...at(args, i))),
  },
  f64: {
    unary: Float64Array.from([...allExponents64(2), ...dense(12_000), ...turns]),
    pow: powArguments(6_000, 700, 700).map((list) => Float64Array.from(list)),
    judge: (fn, args) => {
      const exact = exactValues(fn, args);
      return (i, actual) => {
        const value = exact[i];
        if (typeof value !== "number") return ulps64(actual, value);
        return Object.is(actual, value) ? 0 : Number.POSITIVE_INFINITY;
      };
    },
  },
};

const known = new Map<Measured, readonly (Big | number)[]>();

/** Where JavaScript's function is NaN, infinite or 0 it is right, if it is not next to a number that is none of these. */
function exactValues(fn: Measured, args: readonly Floats[]): readonly (Big | number)[] {
  const values =
    known.get(fn) ??
    Array.from(args[0], (_, i) => {
      const xs = at(args, i);
      const value = scalarOf(fn)(...xs);
      return Number.isFinite(value) && value !== 0 && xs.every((x) => x !== 0 && Number.isFinite(x))
        ? exactValue(fn, xs)
        : value;
    });
  known.set(fn, values);
  return values;
}

const argumentsOf = (dtype: Float, fn: Measured): readonly Floats[] =>
  fn === "pow" ? samples[dtype].pow : [samples[dtype].unary];

/** The largest error of a function over the sample, in units of the last place of the exact result. */
export function measure(dtype: Float, fn: Measured, fma: boolean): Worst {
  const args = argumentsOf(dtype, fn);
  const { length } = args[0];
  const kernel = mapKernel(
    fn,
    args.map(() => dtype),
    dtype,
    length,
  );
  const room = dtype === "f32" ? new Float32Array(length) : new Float64Array(length);
  const values = runKernel(kernel, [...args, room], { fma })[args.length];
  const error = samples[dtype].judge(fn, args);
  let worst: Worst = { ulps: 0, at: [] };
  for (let i = 0; i < length; i++) {
    const found = error(i, values[i]);
    if (found > worst.ulps) worst = { ulps: found, at: at(args, i) };
  }
  return worst;
}

/** Rounded up: the table never promises more than was found. */
const shown = (error: number): string => (Math.ceil(error * 100) / 100).toFixed(2);

function table(dtype: Float): string {
  const rows = measuredFunctions.map((fn) => {
    const [plain, fused] = [false, true].map((fma) => shown(measure(dtype, fn, fma).ulps));
    const count = argumentsOf(dtype, fn)[0].length.toLocaleString("en");
    return `| ${fn} | ${functionUlps[dtype][fn]} | ${plain} | ${fused} | ${count} |`;
  });
  return `## ${dtype}

| function | promised | mul + add | fused | arguments |
| --- | --- | --- | --- | --- |
${rows.join("\n")}
`;
}

/** docs/accuracy.md, measured now. Needs relaxed SIMD for the second column. */
export function accuracyPage(): string {
  if (!hasRelaxedMadd()) throw new Error("accuracy: needs relaxed SIMD to measure both paths");
  return `# Accuracy

Written by \`npm run accuracy\`. The largest error of each function on \`wasm\`, in units of the last place of the exact
result, over all exponents of both signs, subnormals and the ends of each binade included, and densely where functions
bend; \`pow\` over bases of most exponents with exponents that neither overflow nor vanish. "promised" is what tests hold
backends to (\`functionUlps\` in \`sluice/testing\`); the other two columns are measured, rounded up: with products and sums
rounded each (the default in Node 20), and with fused multiply-add (relaxed SIMD). The exact result is the f64 function's
for f32, and computed to more than 150 bits for f64; where a NaN, an infinity or a zero is due, anything else counts as an
infinite error. 0.00 is correct rounding throughout.

${table("f32")}
${table("f64")}
Sums and products of n terms are within n u (|a| . |b|), u = 2^-24 (f64: 2^-53), in any order of summation. Powers of i32
are those of f64, truncated; remainders are exact in every dtype.
`;
}
