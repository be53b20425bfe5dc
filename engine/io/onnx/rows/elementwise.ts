// Arithmetic, comparison, logic and functions of one number.

import {
  abs,
  add,
  cast,
  ceil,
  cos,
  div,
  equal,
  erf,
  exp,
  expm1,
  floor,
  greater,
  greaterEqual,
  isInf,
  isNaN,
  less,
  lessEqual,
  log,
  log1p,
  logicalAnd,
  logicalNot,
  logicalOr,
  logicalXor,
  maximum,
  minimum,
  mul,
  neg,
  pow,
  reciprocal,
  remainder,
  round,
  sign,
  sin,
  sqrt,
  square,
  sub,
  tanh,
  trunc,
  where,
} from "../../../ops/elementwise.ts";
import type { Operand } from "../../../ops/operand.ts";
import type { Tensor } from "../../../tensor.ts";
import type { Call, Row } from "../call.ts";
import { binary, comparison, test, unary, variadic } from "./kinds.ts";

/**
 * atan by halving the angle twice, atan(x) = 2 atan(x / (1 + sqrt(1 + x^2))), then its series, whose error is below
 * 1e-15 there. Arguments beyond 1 are turned around: atan(x) = pi/2 - atan(1/x).
 */
function atan(x: Tensor): Tensor {
  const size = abs(x);
  const outside = less(1, size);
  const inside = where(outside, div(1, size), size);
  const half = (v: Tensor): Tensor => div(v, add(sqrt(add(square(v), 1)), 1));
  const v = half(half(inside));
  const v2 = square(v);
  const series = Array.from({ length: 10 }, (_, i) => 19 - 2 * i).reduce<Operand>(
    (sum, n) => sub(1 / n, mul(sum, v2)),
    1 / 21,
  );
  const angle = mul(mul(v, series), 4);
  const turned = where(outside, sub(Math.PI / 2, angle), angle);
  return mul(sign(x), turned);
}

const asin = (x: Tensor): Tensor => mul(atan(div(x, add(sqrt(mul(sub(1, x), add(x, 1))), 1))), 2);
const acos = (x: Tensor): Tensor => mul(atan(div(sqrt(sub(1, x)), sqrt(add(x, 1)))), 2);
const sinh = (x: Tensor): Tensor => mul(sub(expm1(x), expm1(neg(x))), 0.5);
const cosh = (x: Tensor): Tensor => mul(add(exp(x), exp(neg(x))), 0.5);

function asinh(x: Tensor): Tensor {
  const size = abs(x);
  const beyond = div(square(size), add(sqrt(add(square(size), 1)), 1));
  return mul(sign(x), log1p(add(size, beyond)));
}

function acosh(x: Tensor): Tensor {
  const past = sub(x, 1);
  return log1p(add(past, sqrt(mul(past, add(past, 2)))));
}

const atanh = (x: Tensor): Tensor => mul(log1p(div(mul(x, 2), sub(1, x))), 0.5);

/** Of integers: towards zero; f64 holds the quotient of two i32 well enough to be truncated. */
const quotient: Row = (call) => {
  const [x, y] = [call.input(0), call.input(1)];
  if (x.type.kind === "float") return call.as(0, div(x.tensor, y.tensor));
  return call.as(0, cast(trunc(div(cast(x.tensor, "f64"), cast(y.tensor, "f64"))), x.exact.dtype));
};

/** Of the sign of the divisor, or (fmod) of the dividend. */
const mod: Row = (call) => {
  const [x, y] = [call.input(0).exact, call.input(1).exact];
  if (!call.flag("fmod")) return call.as(0, remainder(x, y));
  return call.as(0, mul(remainder(abs(x), abs(y)), where(less(x, 0), -1, 1)));
};

/** The type of the base; the exponent may be of another. */
const power: Row = (call) => {
  const [x, y] = [call.input(0), call.input(1)];
  const dtype = x.type.kind === "float" ? x.tensor.dtype : "f64";
  const result = pow(cast(x.tensor, dtype), cast(y.tensor, dtype));
  return call.as(0, x.type.kind === "float" ? result : cast(round(result), x.exact.dtype));
};

const clip: Row = (call) => {
  const x = call.input(0).exact;
  const [low, high]: (Operand | undefined)[] =
    call.opset < 11 ? [call.float("min"), call.float("max")] : [call.optional(1)?.exact, call.optional(2)?.exact];
  // Where the bounds cross, the upper one wins.
  const above = low === undefined ? x : maximum(x, low);
  return call.as(0, high === undefined ? above : minimum(above, high));
};

const select: Row = (call) => call.kept(1, where(call.tensor(0), call.tensor(1), call.tensor(2)));

const infinite = (x: Tensor, call: Call): Tensor => {
  const [positive, negative] = [call.flag("detect_positive", true), call.flag("detect_negative", true)];
  if (positive && negative) return isInf(x);
  const found = positive ? equal(x, Number.POSITIVE_INFINITY) : equal(x, Number.NEGATIVE_INFINITY);
  return positive || negative ? found : logicalAnd(isInf(x), false);
};

export const elementwise: Readonly<Record<string, Row>> = {
  Abs: unary((x) => abs(x)),
  Acos: unary((x) => acos(x)),
  Acosh: unary((x) => acosh(x)),
  Add: binary(add),
  And: comparison(logicalAnd),
  Asin: unary((x) => asin(x)),
  Asinh: unary((x) => asinh(x)),
  Atan: unary((x) => atan(x)),
  Atanh: unary((x) => atanh(x)),
  Ceil: unary((x) => ceil(x)),
  Clip: clip,
  Cos: unary((x) => cos(x)),
  Cosh: unary((x) => cosh(x)),
  Div: quotient,
  Equal: comparison(equal),
  Erf: unary((x) => erf(x)),
  Exp: unary((x) => exp(x)),
  Floor: unary((x) => floor(x)),
  Greater: comparison(greater),
  GreaterOrEqual: comparison(greaterEqual),
  IsInf: test(infinite),
  IsNaN: test((x) => isNaN(x)),
  Less: comparison(less),
  LessOrEqual: comparison(lessEqual),
  Log: unary((x) => log(x)),
  Max: variadic(maximum),
  Mean: variadic(add, (total, count) => div(total, count)),
  Min: variadic(minimum),
  Mod: mod,
  Mul: binary(mul),
  Neg: unary((x) => neg(x)),
  Not: test((x) => logicalNot(x)),
  Or: comparison(logicalOr),
  Pow: power,
  Reciprocal: unary((x) => reciprocal(x)),
  Round: unary((x) => round(x)),
  Sign: unary((x) => sign(x)),
  Sin: unary((x) => sin(x)),
  Sinh: unary((x) => sinh(x)),
  Sqrt: unary((x) => sqrt(x)),
  Sub: binary(sub),
  Sum: variadic(add),
  Tan: unary((x) => div(sin(x), cos(x))),
  Tanh: unary((x) => tanh(x)),
  Where: select,
  Xor: comparison(logicalXor),
};
