// Elementwise operations: the primitives' broadcasting, promoting face. Each file of this kind is part of the method
// table: every function it exports takes a tensor first.

import { checkDType, type DType, isFloat } from "../dtype.ts";
import { DTypeError } from "../errors.ts";
import type { BinaryNumericOp, CompareOp, UnaryFloatOp, UnaryNumericOp } from "../graph/vocabulary.ts";
import { operation } from "../operation.ts";
import { build } from "../primitives/index.ts";
import { Tensor } from "../tensor.ts";
import { align, asFloat, checkTensor, commonDType, commonShape, constant, type Operand, toNode } from "./operand.ts";

type Unary = (x: Tensor) => Tensor;
type Binary = (x: Operand, y: Operand) => Tensor;

/** Of floats; i32 and bool become f32. */
const float =
  (op: UnaryFloatOp): Unary =>
  (x) => {
    checkTensor(op, x);
    return new Tensor(build[op](asFloat(x).node));
  };

/** Of any number, keeping its dtype. */
const numeric =
  (op: UnaryNumericOp): Unary =>
  (x) => {
    checkTensor(op, x);
    return new Tensor(build[op](x.node));
  };

/** Of two numbers, broadcast and promoted; bools count as i32 0 and 1. */
const arithmetic =
  (op: BinaryNumericOp, atLeast: DType = "i32"): Binary =>
  (x, y) => {
    const [a, b] = align(op, [x, y], atLeast);
    return new Tensor(build[op](a, b));
  };

const comparison =
  (op: CompareOp, name: string = op, atLeast: DType = "i32"): Binary =>
  (x, y) => {
    const [a, b] = align(name, [x, y], atLeast);
    return new Tensor(build[op](a, b));
  };

/** Square root; NaN below 0. */
export const sqrt: Unary = float("sqrt");
/** 1 / sqrt(x). */
export const rsqrt: Unary = float("rsqrt");
/** e^x. */
export const exp: Unary = float("exp");
/** 2^x. */
export const exp2: Unary = float("exp2");
/** e^x - 1, accurate near 0. */
export const expm1: Unary = float("expm1");
/** Natural logarithm. */
export const log: Unary = float("log");
/** Logarithm to base 2. */
export const log2: Unary = float("log2");
/** log(1 + x), accurate near 0. */
export const log1p: Unary = float("log1p");
/** Sine of radians. */
export const sin: Unary = float("sin");
/** Cosine of radians. */
export const cos: Unary = float("cos");
/** Hyperbolic tangent. */
export const tanh: Unary = float("tanh");
/** 1 / (1 + e^-x), without overflow. */
export const sigmoid: Unary = float("sigmoid");
/** Error function. */
export const erf: Unary = float("erf");

/** -x. */
export const neg: Unary = numeric("neg");
/** Absolute value; its gradient at 0 is 0. */
export const abs: Unary = numeric("abs");
/** -1, 0 or 1. No gradient. */
export const sign: Unary = numeric("sign");
/** The largest whole number <= x. No gradient. */
export const floor: Unary = numeric("floor");
/** The smallest whole number >= x. No gradient. */
export const ceil: Unary = numeric("ceil");
/** The nearest whole number, halves to even (as IEEE 754, NumPy and PyTorch). No gradient. */
export const round: Unary = numeric("round");
/** x without its fraction. No gradient. */
export const trunc: Unary = numeric("trunc");

/** x + y. */
export const add: Binary = arithmetic("add");
/** x - y. */
export const sub: Binary = arithmetic("sub");
/** x * y. */
export const mul: Binary = arithmetic("mul");
/** x / y, true division: i32 and bool become f32. */
export const div: Binary = arithmetic("div", "f32");
/** The larger; NaN where either is NaN. Ties share the gradient evenly. */
export const maximum: Binary = arithmetic("maximum");
/** The smaller; NaN where either is NaN. Ties share the gradient evenly. */
export const minimum: Binary = arithmetic("minimum");
/** x - floor(x / y) * y: the remainder with y's sign (Python's %). For i32, y = 0 gives 0. */
export const remainder: Binary = arithmetic("remainder");

/** x^y. A whole power of i32 stays i32 (negative powers truncate to 0); other powers are floats. */
export const pow = operation("pow", (x: Operand, y: Operand): Tensor => {
  // Squares are everywhere; a product is exact, cheaper, and has a simpler gradient.
  if (y === 2 && x instanceof Tensor) return square(x);
  const [a, b] = align("pow", [x, y], "i32");
  return new Tensor(build.pow(a, b));
});

/** floor(x / y); i32 stays i32, and there y = 0 gives 0. */
export const floorDivide = operation("floorDivide", (x: Operand, y: Operand): Tensor => {
  const [a, b] = align("floorDivide", [x, y], "i32");
  if (isFloat(a.dtype)) return new Tensor(build.floor(build.div(a, b)));
  // Without the remainder the division is exact, so truncation is the floor.
  return new Tensor(build.div(build.sub(a, build.remainder(a, b)), b));
});

/** x * x. */
export const square = operation("square", (x: Tensor): Tensor => {
  checkTensor("square", x);
  return mul(x, x);
});

/** 1 / x. */
export const reciprocal = operation("reciprocal", (x: Tensor): Tensor => {
  checkTensor("reciprocal", x);
  const value = asFloat(x);
  return div(constant(value, 1), value);
});

/** start + weight * (end - start), all broadcast. */
export const lerp = operation(
  "lerp",
  (start: Operand, end: Operand, weight: Operand): Tensor => add(start, mul(weight, sub(end, start))),
);

/** x < y, as bool. */
export const less: Binary = comparison("less");
/** x <= y, as bool. */
export const lessEqual: Binary = comparison("lessEqual");
/** x > y, as bool. */
export const greater: Binary = (x, y) => comparison("less", "greater")(y, x);
/** x >= y, as bool. */
export const greaterEqual: Binary = (x, y) => comparison("lessEqual", "greaterEqual")(y, x);
/** x = y, as bool; NaN equals nothing. */
export const equal: Binary = comparison("equal", "equal", "bool");
/** x != y, as bool; NaN differs from everything. */
export const notEqual: Binary = comparison("notEqual", "notEqual", "bool");

/** Whether x is not zero, as bool. */
const truth = (op: string, x: Operand): Operand => {
  if (!(x instanceof Tensor)) return Boolean(x);
  checkTensor(op, x);
  return new Tensor(build.cast(x.node, "bool"));
};

const logical =
  (name: string, op: "logicalAnd" | "logicalOr" | "notEqual"): Binary =>
  (x, y) => {
    const [a, b] = align(name, [truth(name, x), truth(name, y)]);
    return new Tensor(build[op](a, b));
  };

/** Whether both are true (not zero). */
export const logicalAnd: Binary = logical("logicalAnd", "logicalAnd");
/** Whether either is true (not zero). */
export const logicalOr: Binary = logical("logicalOr", "logicalOr");
/** Whether exactly one is true (not zero). */
export const logicalXor: Binary = logical("logicalXor", "notEqual");
/** Whether x is false (zero). */
export const logicalNot = operation("logicalNot", (x: Tensor): Tensor => {
  checkTensor("logicalNot", x);
  return new Tensor(build.logicalNot(build.cast(x.node, "bool")));
});

/** Whether x is NaN. */
export const isNaN = operation("isNaN", (x: Tensor): Tensor => {
  return notEqual(x, x);
});
/** Whether x is +Inf or -Inf. */
export const isInf = operation("isInf", (x: Tensor): Tensor => {
  return equal(abs(asFloat(x)), Number.POSITIVE_INFINITY);
});
/** Whether x is neither infinite nor NaN. */
export const isFinite = operation("isFinite", (x: Tensor): Tensor => {
  return less(abs(asFloat(x)), Number.POSITIVE_INFINITY);
});

/** The values as another dtype: to i32 truncates and saturates (NaN gives 0), to bool tests for zero. */
export const cast = operation("cast", (x: Tensor, dtype: DType): Tensor => {
  checkTensor("cast", x);
  checkDType("cast", dtype);
  return x.dtype === dtype ? x : new Tensor(build.cast(x.node, dtype));
});

/** x where `condition` (bool) holds, y elsewhere; all three broadcast, x and y promote. */
export const where = operation("where", (condition: Tensor, x: Operand, y: Operand): Tensor => {
  checkTensor("where", condition, "the condition");
  if (condition.dtype !== "bool") {
    throw new DTypeError("where", `the condition must be bool, got ${condition.dtype}; compare it to something`);
  }
  const shape = commonShape("where", [condition, x, y]);
  const dtype = commonDType("where", [x, y]);
  const [a, b] = [x, y].map((operand) => toNode(operand, shape, dtype));
  return new Tensor(build.where(toNode(condition, shape, "bool"), a, b));
});

/** x with `value` where `mask` (bool, broadcasts to x) holds. Keeps x's dtype. */
export const maskedFill = operation("maskedFill", (x: Tensor, mask: Tensor, value: number | boolean): Tensor => {
  checkTensor("maskedFill", x);
  return where(mask, new Tensor(toNode(value, [], x.dtype)), x);
});

/** The same values; no gradient flows through. */
export const stopGradient = operation("stopGradient", (x: Tensor): Tensor => {
  checkTensor("stopGradient", x);
  return new Tensor(build.stopGradient(x.node));
});
