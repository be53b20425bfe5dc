// Bounds of elementwise primitives: how errors of the operands arrive in the result, and what the function adds.

import { roundTo } from "../../engine/dtype.ts";
import type { ElementwiseOp, UnaryFloatOp } from "../../engine/graph/vocabulary.ts";
import type { DType } from "../../engine/index.ts";
import { primitives } from "../../engine/primitives/index.ts";
import { rounding } from "./arithmetic.ts";

/**
 * The accuracy contract: the largest error of each function of f32 and of f64, in units of the last place. In f32 tanh
 * gives up some of the last ulp for a third of its time, and pow is computed in f64.
 */
export const functionUlps: Readonly<Record<"f32" | "f64", Readonly<Record<UnaryFloatOp | "pow", number>>>> = {
  f32: {
    sqrt: 0.5,
    rsqrt: 2,
    exp: 2,
    exp2: 2,
    expm1: 2,
    log: 2,
    log2: 2,
    log1p: 2,
    sin: 2,
    cos: 2,
    tanh: 2.5,
    sigmoid: 2,
    erf: 2,
    pow: 0.55,
  },
  f64: {
    sqrt: 0.5,
    rsqrt: 2,
    exp: 1.5,
    exp2: 1.5,
    expm1: 1.5,
    log: 1,
    log2: 1.5,
    log1p: 1.5,
    sin: 1,
    cos: 1,
    tanh: 1.5,
    sigmoid: 2,
    erf: 1.5,
    pow: 1.5,
  },
};

/** An operand: its value and its bound. */
type Operand = readonly [value: number, bound: number];
type Rule = (result: number, args: readonly Operand[], dtype: DType) => number;

/** The oracle's own error where the other side computes in f64 too: its functions are JavaScript's. */
const oracleUlps = 2;

/** The error of a function, one unit of the last place being at most two roundings. */
function functionError(fn: UnaryFloatOp | "pow", dtype: DType, result: number): number {
  const ulps = dtype === "f64" ? functionUlps.f64[fn] + oracleUlps : functionUlps.f32[fn];
  return 2 * ulps * rounding(dtype, result);
}

/** The largest change of `f` over the corners of the box the operands lie in: right for what is monotone in each. */
function corners(f: (...args: number[]) => number, result: number, args: readonly Operand[]): number {
  let boxes: number[][] = [[]];
  for (const [value, bound] of args) {
    const ends = bound === 0 ? [value] : [value - bound, value + bound];
    boxes = boxes.flatMap((box) => ends.map((end) => [...box, end]));
  }
  // A NaN at a corner stays one: the bound is then not known.
  return boxes.reduce((most, box) => {
    const at = f(...box);
    return Math.max(most, Object.is(at, result) ? 0 : Math.abs(at - result));
  }, 0);
}

const scalarOf = (op: ElementwiseOp): ((...args: number[]) => number) => primitives[op].scalar as () => number;

const monotone =
  (op: UnaryFloatOp | "pow"): Rule =>
  (result, args, dtype) =>
    corners(scalarOf(op), result, args) + functionError(op, dtype, result);

/** Exact but for the errors of the operands. */
const exact =
  (op: ElementwiseOp): Rule =>
  (result, args) =>
    corners(scalarOf(op), result, args);

/** Slopes of at most 1. */
const slopeOne =
  (fn?: "sin" | "cos"): Rule =>
  (result, [[, bound]], dtype) =>
    bound + (fn === undefined ? 0 : functionError(fn, dtype, result));

const sumRule: Rule = (result, [[, ex], [, ey]], dtype) => ex + ey + rounding(dtype, result);

/** 1 where the operands are too close to tell. */
const compared: Rule = (_result, [[x, ex], [y, ey]]) => (ex + ey > 0 && !(Math.abs(x - y) > ex + ey) ? 1 : 0);

const larger: Rule = (_result, [[, ex], [, ey]]) => Math.max(ex, ey);

export const elementwiseRules: Readonly<Record<ElementwiseOp, Rule>> = {
  neg: slopeOne(),
  abs: slopeOne(),
  sign: exact("sign"),
  floor: exact("floor"),
  ceil: exact("ceil"),
  round: exact("round"),
  trunc: exact("trunc"),
  sqrt: monotone("sqrt"),
  rsqrt: monotone("rsqrt"),
  exp: monotone("exp"),
  exp2: monotone("exp2"),
  expm1: monotone("expm1"),
  log: monotone("log"),
  log2: monotone("log2"),
  log1p: monotone("log1p"),
  sin: slopeOne("sin"),
  cos: slopeOne("cos"),
  tanh: monotone("tanh"),
  sigmoid: monotone("sigmoid"),
  erf: monotone("erf"),
  logicalNot: slopeOne(),
  add: sumRule,
  sub: sumRule,
  mul: (result, [[x, ex], [y, ey]], dtype) => {
    // 0 * infinity: an operand without error adds nothing.
    const part = (size: number, bound: number): number => (bound === 0 ? 0 : size * bound);
    return part(Math.abs(x) + ex, ey) + part(Math.abs(y), ex) + rounding(dtype, result);
  },
  div: (result, [[, ex], [y, ey]], dtype) => {
    if (ex === 0 && ey === 0) return rounding(dtype, result);
    const least = Math.abs(y) - ey;
    return least > 0 ? (ex + Math.abs(result) * ey) / least + rounding(dtype, result) : Number.POSITIVE_INFINITY;
  },
  pow: monotone("pow"),
  maximum: larger,
  minimum: larger,
  remainder: (result, [[x, ex], [y, ey]], dtype) => {
    const turns = Math.abs(Math.floor(x / y));
    // x - floor(x / y) y rounds twice; next to a multiple y may be taken once too often.
    const error = ex + turns * ey + 2 * rounding(dtype, Math.abs(x) + Math.abs(y));
    const edge = Math.min(Math.abs(result), Math.abs(y) - Math.abs(result));
    return error > 0 && error >= edge ? error + Math.abs(y) : error;
  },
  less: compared,
  lessEqual: compared,
  equal: compared,
  notEqual: compared,
  logicalAnd: larger,
  logicalOr: larger,
  where: (_result, [[condition, doubt], [x, ex], [y, ey]]) =>
    doubt > 0 ? Math.max(ex, ey) + Math.abs(x - y) : condition !== 0 ? ex : ey,
  after: slopeOne(),
  cast: (result, [[x, bound]], dtype) =>
    corners((value) => roundTo(dtype, value), result, [[x, bound]]) + (bound > 0 ? rounding(dtype, result) : 0),
};
