// Samples of f32 and f64, and errors of f32 functions in units of the last place, against the table's scalar in f64.

import type { LoopKernel, ScalarFn } from "../../../engine/compile/ir.ts";
import { identityAccess } from "../../../engine/compile/view.ts";
import type { DType } from "../../../engine/dtype.ts";

/** A kernel that maps arrays of `length` elements through one scalar function. */
export function mapKernel(fn: ScalarFn, from: readonly DType[], to: DType, length: number): LoopKernel {
  const access = identityAccess([length]);
  const loads = from.map((dtype, arg) => ({ op: "load" as const, dtype, arg, access, fill: 0 }));
  const apply = { op: "apply" as const, fn, dtype: to, args: from.map((_, i) => i) };
  return {
    kind: "loop",
    axes: [length],
    outer: 0,
    lanes: "row",
    args: [...from.map((dtype) => ({ dtype, mode: "read" as const })), { dtype: to, mode: "write" as const }],
    registers: [],
    stages: [
      {
        over: "row",
        instrs: [...loads, apply],
        stores: [{ arg: from.length, access, value: from.length }],
        folds: [],
        keeps: [],
      },
    ],
  };
}

/** f32 numbers of both signs over all exponents, `each` per exponent, the ends of the range and of each binade included. */
export function allExponents(each: number): Float32Array {
  const bits: number[] = [];
  for (let exponent = 0; exponent < 256; exponent++) {
    for (let i = 0; i < each; i++) {
      const mantissa = i === 0 ? 0 : i === 1 ? 0x7fffff : (Math.imul(i, 0x9e3779b1) >>> 9) ^ exponent;
      for (const sign of [0, 0x80000000]) bits.push(sign + exponent * 0x800000 + mantissa);
    }
  }
  return new Float32Array(Uint32Array.from(bits).buffer);
}

/** The same of f64. */
export function allExponents64(each: number): Float64Array {
  const bits: bigint[] = [];
  for (let exponent = 0n; exponent < 2048n; exponent++) {
    for (let i = 0; i < each + 2; i++) {
      const mixed = BigInt.asUintN(52, (exponent * 5n + BigInt(i)) * 0x9e3779b97f4a7c15n);
      const mantissa = i === 0 ? 0n : i === 1 ? (1n << 52n) - 1n : mixed;
      for (const sign of [0n, 1n << 63n]) bits.push(sign + (exponent << 52n) + mantissa);
    }
  }
  return new Float64Array(BigUint64Array.from(bits).buffer);
}

/** Distance of f32 neighbours at x. */
function spacing(x: number): number {
  const exponent = Math.max(-126, Math.floor(Math.log2(Math.abs(x))));
  return 2 ** (exponent - 23);
}

/** Error in ulp; infinite where only one of the two is a NaN or an infinity, or a zero has the wrong sign. */
export function ulps(actual: number, exact: number): number {
  const rounded = Math.fround(exact);
  if (Object.is(actual, rounded)) return 0;
  if (Number.isNaN(actual) || Number.isNaN(exact)) return Number.POSITIVE_INFINITY;
  if (!Number.isFinite(actual) || !Number.isFinite(rounded)) {
    // Overflow one step early or late is an error of a step.
    const edge = 2 ** 128 * Math.sign(exact);
    const value = (x: number) => (Number.isFinite(x) ? x : edge);
    const gap = Math.abs(value(actual) - value(exact)) / 2 ** 104;
    return gap < 4 ? gap : Number.POSITIVE_INFINITY;
  }
  if (exact === 0) return Number.POSITIVE_INFINITY;
  return Math.abs(actual - exact) / spacing(exact);
}
