// Elementwise rows: all inputs have one shape; forward scalar expression and gradient side by side.

import { type DType, isFloat, toInt32 } from "../dtype.ts";
import { DTypeError, ShapeError } from "../errors.ts";
import type { Node } from "../graph/node.ts";
import type { BinaryOp, ElementwiseOp, UnaryOp } from "../graph/vocabulary.ts";
import { formatShape, sameShape } from "../shape.ts";
import type { Build, Row } from "./row.ts";
import { erf, remainder, roundHalfEven, sigmoid } from "./special.ts";

type Domain = "float" | "number" | "bool" | "any";

const admits: Record<Domain, (dtype: DType) => boolean> = {
  float: isFloat,
  number: (dtype) => dtype !== "bool",
  bool: (dtype) => dtype === "bool",
  any: () => true,
};

function checkDType(op: string, domain: Domain, inputs: readonly Node[]): DType {
  const list = inputs.map((input) => input.dtype).join(", ");
  const first = inputs[0].dtype;
  if (inputs.some((input) => input.dtype !== first)) {
    throw new DTypeError(op, `inputs must have one dtype, got ${list}; cast one of them`);
  }
  if (!admits[domain](first)) throw new DTypeError(op, `needs ${domain} input, got ${list}; use cast`);
  return first;
}

function commonShape(op: string, inputs: readonly Node[]): readonly number[] {
  const [first, ...rest] = inputs;
  if (rest.some((input) => !sameShape(input.shape, first.shape))) {
    throw new ShapeError(op, `shapes differ: ${inputs.map((input) => formatShape(input.shape)).join(", ")}`);
  }
  return first.shape;
}

type UnaryVjp = (b: Build, g: Node, x: Node, y: Node) => Node;

function unary<P extends UnaryOp>(op: P, on: Domain, scalar: (x: number) => number, vjp: UnaryVjp | string): Row<P> {
  return {
    shape: ([x]) => x.shape,
    dtype: (inputs) => checkDType(op, on, inputs),
    scalar,
    vjp: typeof vjp === "string" ? vjp : (b, g, y, [x]) => [isFloat(x.dtype) ? vjp(b, g, x, y) : undefined],
  };
}

type BinaryVjp = (b: Build, g: Node, x: Node, y: Node, out: Node) => readonly [Node, Node];

function binary<P extends BinaryOp>(
  op: P,
  on: Domain,
  to: "same" | "bool",
  scalar: (x: number, y: number) => number,
  vjp: BinaryVjp | string,
): Row<P> {
  return {
    shape: (inputs) => commonShape(op, inputs),
    dtype: (inputs) => {
      const dtype = checkDType(op, on, inputs);
      return to === "bool" ? "bool" : dtype;
    },
    scalar,
    vjp: typeof vjp === "string" ? vjp : (b, g, out, [x, y]) => (isFloat(x.dtype) ? vjp(b, g, x, y, out) : []),
  };
}

/** d = 2/sqrt(pi) exp(-x^2) */
const erfSlope = (b: Build, x: Node): Node => b.mul(b.fill(x, 2 / Math.sqrt(Math.PI)), b.exp(b.neg(b.mul(x, x))));

/** Gradient share of the side that wins; ties are split evenly, as PyTorch and JAX do. */
const share = (b: Build, wins: Node, ties: Node, g: Node): Node =>
  b.where(wins, g, b.where(ties, b.mul(g, b.fill(g, 0.5)), b.fill(g, 0)));

const flat = "piecewise constant: its gradient is zero wherever it exists";
const bit = (value: boolean): number => (value ? 1 : 0);
const nan = (x: number, y: number): boolean => Number.isNaN(x) || Number.isNaN(y);

function powVjp(b: Build, g: Node, x: Node, y: Node, out: Node): readonly [Node, Node] {
  const zero = b.fill(x, 0);
  const one = b.fill(x, 1);
  // x^(y-1) is not asked for at y = 0, where the slope is 0 even at x = 0.
  const still = b.equal(y, zero);
  const slope = b.mul(y, b.pow(x, b.where(still, one, b.sub(y, one))));
  const dx = b.mul(g, b.where(still, zero, slope));
  // log x is not asked for at x = 0, where x^y is constant in y for y > 0.
  const atZero = b.logicalAnd(b.equal(x, zero), b.lessEqual(zero, y));
  const dy = b.mul(g, b.where(atZero, zero, b.mul(out, b.log(b.where(atZero, one, x)))));
  return [dx, dy];
}

export const elementwise: { readonly [P in ElementwiseOp]: Row<P> } = {
  neg: unary(
    "neg",
    "number",
    (x) => -x,
    (b, g) => b.neg(g),
  ),
  abs: unary("abs", "number", Math.abs, (b, g, x) => b.mul(g, b.sign(x))),
  sign: unary("sign", "number", Math.sign, flat),
  floor: unary("floor", "number", Math.floor, flat),
  ceil: unary("ceil", "number", Math.ceil, flat),
  round: unary("round", "number", roundHalfEven, flat),
  trunc: unary("trunc", "number", Math.trunc, flat),
  sqrt: unary("sqrt", "float", Math.sqrt, (b, g, _x, y) => b.div(b.mul(g, b.fill(y, 0.5)), y)),
  rsqrt: unary(
    "rsqrt",
    "float",
    (x) => 1 / Math.sqrt(x),
    (b, g, x, y) => b.mul(b.mul(g, b.fill(y, -0.5)), b.div(y, x)),
  ),
  exp: unary("exp", "float", Math.exp, (b, g, _x, y) => b.mul(g, y)),
  exp2: unary(
    "exp2",
    "float",
    (x) => 2 ** x,
    (b, g, _x, y) => b.mul(g, b.mul(y, b.fill(y, Math.LN2))),
  ),
  expm1: unary("expm1", "float", Math.expm1, (b, g, x) => b.mul(g, b.exp(x))),
  log: unary("log", "float", Math.log, (b, g, x) => b.div(g, x)),
  log2: unary("log2", "float", Math.log2, (b, g, x) => b.div(g, b.mul(x, b.fill(x, Math.LN2)))),
  log1p: unary("log1p", "float", Math.log1p, (b, g, x) => b.div(g, b.add(x, b.fill(x, 1)))),
  sin: unary("sin", "float", Math.sin, (b, g, x) => b.mul(g, b.cos(x))),
  cos: unary("cos", "float", Math.cos, (b, g, x) => b.neg(b.mul(g, b.sin(x)))),
  tanh: unary("tanh", "float", Math.tanh, (b, g, _x, y) => b.mul(g, b.sub(b.fill(y, 1), b.mul(y, y)))),
  sigmoid: unary("sigmoid", "float", sigmoid, (b, g, _x, y) => b.mul(g, b.mul(y, b.sub(b.fill(y, 1), y)))),
  erf: unary("erf", "float", erf, (b, g, x) => b.mul(g, erfSlope(b, x))),
  logicalNot: unary("logicalNot", "bool", (x) => 1 - x, "bool result"),

  add: binary(
    "add",
    "number",
    "same",
    (x, y) => x + y,
    (_b, g) => [g, g],
  ),
  sub: binary(
    "sub",
    "number",
    "same",
    (x, y) => x - y,
    (b, g) => [g, b.neg(g)],
  ),
  mul: binary(
    "mul",
    "number",
    "same",
    (x, y) => x * y,
    (b, g, x, y) => [b.mul(g, y), b.mul(g, x)],
  ),
  div: binary(
    "div",
    "number",
    "same",
    (x, y) => x / y,
    (b, g, _x, y, out) => {
      const dx = b.div(g, y);
      return [dx, b.neg(b.mul(dx, out))];
    },
  ),
  pow: binary("pow", "number", "same", (x, y) => x ** y, powVjp),
  maximum: binary("maximum", "number", "same", Math.max, (b, g, x, y) => {
    const ties = b.equal(x, y);
    return [share(b, b.less(y, x), ties, g), share(b, b.less(x, y), ties, g)];
  }),
  minimum: binary("minimum", "number", "same", Math.min, (b, g, x, y) => {
    const ties = b.equal(x, y);
    return [share(b, b.less(x, y), ties, g), share(b, b.less(y, x), ties, g)];
  }),
  remainder: binary("remainder", "number", "same", remainder, (b, g, x, y) => [
    g,
    b.neg(b.mul(g, b.floor(b.div(x, y)))),
  ]),
  less: binary("less", "number", "bool", (x, y) => bit(x < y), "bool result"),
  lessEqual: binary("lessEqual", "number", "bool", (x, y) => bit(x <= y), "bool result"),
  equal: binary("equal", "any", "bool", (x, y) => bit(x === y), "bool result"),
  notEqual: binary("notEqual", "any", "bool", (x, y) => bit(nan(x, y) || x !== y), "bool result"),
  logicalAnd: binary("logicalAnd", "bool", "same", (x, y) => x & y, "bool result"),
  logicalOr: binary("logicalOr", "bool", "same", (x, y) => x | y, "bool result"),

  where: {
    shape: (inputs) => commonShape("where", inputs),
    dtype: ([condition, x, y]) => {
      if (condition.dtype !== "bool") throw new DTypeError("where", `condition must be bool, got ${condition.dtype}`);
      return checkDType("where", "any", [x, y]);
    },
    scalar: (condition, x, y) => (condition !== 0 ? x : y),
    vjp: (b, g, _out, [condition]) => {
      const zero = b.fill(g, 0);
      return [undefined, b.where(condition, g, zero), b.where(condition, zero, g)];
    },
  },
  after: {
    shape: (inputs) => commonShape("after", inputs),
    dtype: ([x]) => x.dtype,
    scalar: (x) => x,
    vjp: (_b, g) => [g, undefined],
  },
  cast: {
    shape: ([x]) => x.shape,
    dtype: (_inputs, attrs) => attrs.dtype,
    // Rounding to the target is the evaluator's work; a cast to i32 truncates, to bool tests for zero.
    scalar: (x) => x,
    vjp: (b, g, _out, [x]) => [isFloat(x.dtype) && isFloat(g.dtype) ? b.cast(g, x.dtype) : undefined],
  },
};

/** Integer arithmetic as the machine does it: wraps; division truncates and division by zero gives 0. */
export function integerScalar(op: ElementwiseOp, ...args: number[]): number {
  const [x, y] = args;
  switch (op) {
    case "mul":
      return Math.imul(x, y);
    case "div":
      return y === 0 ? 0 : (x / y) | 0;
    case "remainder":
      return y === 0 ? 0 : remainder(x, y) | 0;
    case "pow":
      return toInt32(x ** y);
    default: {
      const scalar = elementwise[op].scalar as (...values: number[]) => number;
      return scalar(...args) | 0;
    }
  }
}
