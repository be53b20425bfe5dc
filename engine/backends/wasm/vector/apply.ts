// Scalar functions as vector code: which sequence computes which primitive in which dtype.

import type { Instr, ScalarFn } from "../../../compile/ir.ts";
import type { DType } from "../../../dtype.ts";
import type { Opcode } from "../assembler/asm.ts";
import { cast } from "./cast.ts";
import { integer } from "./integer.ts";
import { narrowMask, type Width, widenMask } from "./lanes.ts";
import { type Elementary, functions } from "./math.ts";
import { uniform } from "./uniform.ts";
import type { Local, Vector } from "./vector.ts";

export interface Operand {
  readonly local: Local;
  readonly dtype: DType;
  /** The value, where it is known now. */
  readonly constant: number | undefined;
  /** Whether the value is known to be at most 0, or NaN. */
  readonly atMostZero: boolean;
}

const heavy: Partial<Record<ScalarFn, number>> = {
  exp: 24,
  exp2: 24,
  expm1: 30,
  log: 30,
  log2: 32,
  log1p: 36,
  sin: 50,
  cos: 50,
  tanh: 45,
  sigmoid: 30,
  erf: 45,
  pow: 100,
  uniform: 120,
  div: 3,
  sqrt: 3,
  rsqrt: 4,
  remainder: 30,
  maximum: 6,
  minimum: 6,
};

/** Roughly how many machine instructions an IR instruction takes per vector. */
export const weightOf = (instr: Instr): number =>
  instr.op === "apply" ? (heavy[instr.fn] ?? 1) : instr.op === "load" ? 1 : instr.op === "gather" ? 8 : 0;

type Lanes = "f32x4" | "f64x2";

const compares: Partial<Record<ScalarFn, Record<DType, Opcode>>> = {
  less: { f32: "f32x4.lt", f64: "f64x2.lt", i32: "i32x4.lt_s", bool: "i32x4.gt_s" },
  lessEqual: { f32: "f32x4.le", f64: "f64x2.le", i32: "i32x4.le_s", bool: "i32x4.ge_s" },
  equal: { f32: "f32x4.eq", f64: "f64x2.eq", i32: "i32x4.eq", bool: "i32x4.eq" },
  notEqual: { f32: "f32x4.ne", f64: "f64x2.ne", i32: "i32x4.ne", bool: "i32x4.ne" },
};

/** The value of an `apply` instruction. */
export function applyFn(
  v: Vector,
  width: Width,
  instr: Extract<Instr, { op: "apply" }>,
  args: readonly Operand[],
): Local {
  const { fn, dtype } = instr;
  const [x, y, z] = args.map((arg) => arg.local);
  const compare = compares[fn];
  if (compare !== undefined) {
    const mask = v.op(compare[args[0].dtype], x, y);
    return args[0].dtype === "f64" ? narrowMask(v, mask) : mask;
  }
  switch (fn) {
    case "where": {
      const mask = dtype === "f64" ? widenMask(v, x) : x;
      // All bits of 0 are 0: keeping lanes is one instruction, choosing takes three.
      if (Object.is(args[2].constant, 0)) return v.op("v128.and", y, mask);
      if (Object.is(args[1].constant, 0)) return v.op("v128.andnot", z, mask);
      return v.select(mask, y, z);
    }
    case "after":
      return x;
    case "cast":
      return cast(v, args[0].dtype, dtype, x);
    case "logicalNot":
      return v.op("v128.not", x);
    case "logicalAnd":
      return v.op("v128.and", x, y);
    case "logicalOr":
      return v.op("v128.or", x, y);
    case "uniform":
      return uniform(
        v,
        width,
        dtype,
        args.map((arg) => arg.local),
        args[4]?.constant,
      );
    default:
  }
  if (dtype === "i32" || dtype === "bool") return integer(v, width, fn, x, y);
  return float(v, width, dtype, fn, args);
}

function float(v: Vector, width: Width, dtype: "f32" | "f64", fn: ScalarFn, args: readonly Operand[]): Local {
  const lanes: Lanes = dtype === "f32" ? "f32x4" : "f64x2";
  const [x, y] = args.map((arg) => arg.local);
  const constant = (value: number) => (dtype === "f32" ? v.f32(value) : v.f64(value));
  switch (fn) {
    case "neg":
    case "abs":
    case "floor":
    case "ceil":
    case "trunc":
    case "sqrt":
      return v.op(`${lanes}.${fn}`, x);
    case "round":
      return v.op(`${lanes}.nearest`, x);
    case "rsqrt":
      return v.op(`${lanes}.div`, constant(1), v.op(`${lanes}.sqrt`, x));
    case "add":
    case "sub":
    case "mul":
    case "div":
      return v.op(`${lanes}.${fn}`, x, y);
    case "sign": {
      const one = v.op("v128.or", v.op("v128.and", x, constant(-0)), constant(1));
      return v.select(v.op(`${lanes}.gt`, v.op(`${lanes}.abs`, x), constant(0)), one, x);
    }
    case "maximum":
    case "minimum":
      return extreme(v, lanes, fn, args);
    default:
  }
  const { unary, binary, expOfNegative } = functions[dtype];
  if (fn === "exp" && args[0].atMostZero) return expOfNegative(v, x);
  if (Object.hasOwn(unary, fn)) return unary[fn as Elementary](v, x);
  if (fn === "pow") return smallPower(v, lanes, x, args[1].constant) ?? binary.pow(v, x, y, width);
  if (fn === "remainder") return binary.remainder(v, x, y, width);
  throw new Error(`wasm: no ${dtype} code for ${fn}`);
}

/** The larger or smaller, NaN if either is. Against a constant that is no NaN one instruction does. */
function extreme(v: Vector, lanes: Lanes, fn: "maximum" | "minimum", args: readonly Operand[]): Local {
  const known = args.find((arg) => arg.constant !== undefined);
  const value = known?.constant;
  const other = args.find((arg) => arg !== known)?.local;
  const max = fn === "maximum";
  if (known === undefined || other === undefined || value === undefined || Number.isNaN(value)) {
    return v.op(`${lanes}.${max ? "max" : "min"}`, args[0].local, args[1].local);
  }
  // pmax(x, c) is x < c ? c : x, so a NaN x stays.
  const result = v.op(`${lanes}.${max ? "pmax" : "pmin"}`, other, known.local);
  // Zeros of both signs are equal to it: max(-0, 0) must be 0, which adding 0 does; min needs the full instruction.
  if (value !== 0 || (!max && Object.is(value, 0))) return result;
  if (max && Object.is(value, 0)) return v.op(`${lanes}.add`, result, known.local);
  return max ? result : v.op(`${lanes}.min`, other, known.local);
}

/** Small whole powers are products. */
function smallPower(v: Vector, lanes: Lanes, x: Local, exponent: number | undefined): Local | undefined {
  const square = () => v.op(`${lanes}.mul`, x, x);
  switch (exponent) {
    case 1:
      return x;
    case 2:
      return square();
    case 3:
      return v.op(`${lanes}.mul`, square(), x);
    case -1:
      return v.op(`${lanes}.div`, lanes === "f32x4" ? v.f32(1) : v.f64(1), x);
    default:
      return undefined;
  }
}
