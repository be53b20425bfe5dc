// Scalar functions as statements. Comparisons are written so that NaN comes out right where compilers may assume that
// there is none: only `x === x`, `<`, `<=` are trusted, and never their negation.

import type { ScalarFn } from "../../compile/ir.ts";
import type { DType } from "../../dtype.ts";
import type { ReduceOp } from "../../graph/vocabulary.ts";
import type { HelperName } from "./functions.ts";
import type { Writer } from "./writer.ts";

const one: Partial<Record<ScalarFn, readonly [HelperName, ...("inf" | "nan" | "one")[]]>> = {
  exp: ["slExp", "inf"],
  exp2: ["slExp2", "inf"],
  expm1: ["slExpm1", "inf"],
  log: ["slLog", "inf", "nan"],
  log2: ["slLog2", "inf", "nan"],
  log1p: ["slLog1p", "inf", "nan", "one"],
  tanh: ["slTanh", "inf"],
  sigmoid: ["slSigmoid", "inf"],
  erf: ["slErf", "inf"],
  sin: ["slSin"],
  cos: ["slCos"],
};

const plain: Partial<Record<ScalarFn, (x: string, y: string) => string>> = {
  neg: (x) => `-${x}`,
  abs: (x) => `Math.abs(${x})`,
  floor: (x) => `Math.floor(${x})`,
  ceil: (x) => `Math.ceil(${x})`,
  add: (x, y) => `${x} + ${y}`,
  sub: (x, y) => `${x} - ${y}`,
  mul: (x, y) => `${x} * ${y}`,
  logicalAnd: (x, y) => `${x} * ${y}`,
  logicalOr: (x, y) => `Math.max(${x}, ${y})`,
  logicalNot: (x) => `1 - ${x}`,
};

const compares: Partial<Record<ScalarFn, string>> = { less: "<", lessEqual: "<=", equal: "===" };

/** Sets a variable to one of two values by a condition. */
function choose(w: Writer, condition: string, yes: string, no: string): string {
  const value = w.let(no);
  w.if(condition, () => w.line(`${value} = ${yes};`));
  return value;
}

/** The value of a scalar function of named values; `from` is the dtype of the arguments, `to` of the result. */
export function applyFn(w: Writer, fn: ScalarFn, from: DType, to: DType, args: readonly string[]): string {
  const [x, y, z] = args;
  const helper = one[fn];
  if (helper !== undefined) {
    const [name, ...extra] = helper;
    return w.const(`${w.helper(name)}(${[x, ...extra.map((s) => w.scalar(s))].join(", ")})`);
  }
  const simple = plain[fn];
  if (simple !== undefined) return w.const(simple(x, y));
  const compare = compares[fn];
  if (compare !== undefined) return choose(w, `${x} ${compare} ${y}`, "1", "0");
  const integer = to === "i32";
  switch (fn) {
    case "notEqual":
      return choose(w, `${x} === ${y}`, "0", "1");
    case "where":
      return choose(w, `${x} > 0.5`, y, z);
    case "after":
      return x;
    case "cast":
      return cast(w, from, to, x);
    case "sign": {
      const value = w.let(x);
      w.if(`${x} > 0`, () => w.line(`${value} = 1;`));
      w.if(`${x} < 0`, () => w.line(`${value} = -1;`));
      return value;
    }
    case "trunc":
      return truncate(w, x);
    case "round":
      return round(w, x);
    case "sqrt": {
      const value = w.let(`Math.sqrt(Math.abs(${x}))`);
      w.if(`${x} < 0`, () => w.line(`${value} = ${w.scalar("nan")};`));
      return value;
    }
    case "rsqrt":
      return w.const(`1 / ${applyFn(w, "sqrt", from, to, args)}`);
    case "div":
      return integer ? integerQuotient(w, x, y) : w.const(`${x} / ${y}`);
    case "remainder":
      return remainder(w, x, y, integer);
    case "maximum":
      return extreme(w, x, y, "<=");
    case "minimum":
      return extreme(w, x, y, ">=");
    case "pow": {
      const power = w.const(`${w.helper("slPow")}(${x}, ${y}, ${w.scalar("inf")}, ${w.scalar("nan")})`);
      return integer ? truncate(w, power) : power;
    }
    default:
      throw new Error(`gpu: no code for ${fn}`);
  }
}

/** x unless y is beyond it; NaN if either is. */
function extreme(w: Writer, x: string, y: string, keeps: "<=" | ">="): string {
  const value = w.let(x);
  w.if(`${x} === ${x}`, () => {
    w.line(`${value} = ${y};`);
    w.if(`${y} ${keeps} ${x}`, () => w.line(`${value} = ${x};`));
  });
  return value;
}

function truncate(w: Writer, x: string): string {
  const value = w.let(`Math.floor(${x})`);
  w.if(`${x} < 0`, () => w.line(`${value} = Math.ceil(${x});`));
  return value;
}

/** Half to even. */
function round(w: Writer, x: string): string {
  const floor = w.const(`Math.floor(${x})`);
  const fraction = w.const(`${x} - ${floor}`);
  const half = w.const(`Math.floor(${floor} * 0.5) * 2`);
  const value = w.let(floor);
  w.if(`${fraction} > 0.5`, () => w.line(`${value} = ${floor} + 1;`));
  w.if(`${fraction} === 0.5 && ${half} < ${floor}`, () => w.line(`${value} = ${floor} + 1;`));
  return value;
}

function cast(w: Writer, from: DType, to: DType, x: string): string {
  if (to === "bool" && from !== "bool") return choose(w, `${x} === 0`, "0", "1");
  if (to !== "i32" || from !== "f32") return x;
  const whole = truncate(w, x);
  const value = w.let("0");
  w.if(`${x} === ${x}`, () => w.line(`${value} = Math.max(-2147483648, Math.min(2147483647, ${whole}));`));
  return value;
}

/** |x| divided by |y| > 0, rounded down, exact for whole numbers. */
function wholeQuotient(w: Writer, x: string, y: string): { quotient: string; a: string; b: string } {
  const a = w.const(`Math.abs(${x})`);
  const b = w.const(`Math.max(1, Math.abs(${y}))`);
  const quotient = w.let(`Math.floor(${a} / ${b})`);
  const rest = w.const(`${a} - ${quotient} * ${b}`);
  w.if(`${rest} < 0`, () => w.line(`${quotient} = ${quotient} - 1;`));
  w.if(`${rest} >= ${b}`, () => w.line(`${quotient} = ${quotient} + 1;`));
  return { quotient, a, b };
}

function integerQuotient(w: Writer, x: string, y: string): string {
  const { quotient } = wholeQuotient(w, x, y);
  const value = w.let(quotient);
  w.if(`${x} * ${y} < 0`, () => w.line(`${value} = -${quotient};`));
  w.if(`${y} === 0`, () => w.line(`${value} = 0;`));
  return value;
}

/** x - floor(x / y) * y, with the sign of y. */
function remainder(w: Writer, x: string, y: string, integer: boolean): string {
  if (integer) {
    const { quotient, a, b } = wholeQuotient(w, x, y);
    const rest = w.const(`${a} - ${quotient} * ${b}`);
    const value = w.let(rest);
    // The remainder of the absolute values, with x's sign, then moved to y's side.
    w.if(`${x} < 0`, () => w.line(`${value} = -${rest};`));
    w.if(`${value} * ${y} < 0`, () => w.line(`${value} = ${value} + ${y};`));
    w.if(`${y} === 0`, () => w.line(`${value} = 0;`));
    return value;
  }
  const quotient = w.const(`Math.floor(${x} / ${y})`);
  const value = w.let(`${x} - ${quotient} * ${y}`);
  w.if(`${quotient} === 0`, () => w.line(`${value} = ${x};`));
  // The division may have been rounded across a whole number.
  w.if(`${y} > 0 && ${value} < 0`, () => w.line(`${value} = ${value} + ${y};`));
  w.if(`${y} < 0 && ${value} > 0`, () => w.line(`${value} = ${value} + ${y};`));
  w.if(`Math.abs(${value}) >= Math.abs(${y})`, () => w.line(`${value} = ${value} - ${y};`));
  return value;
}

/** Combines one more value into an accumulator, in place. */
export function accumulate(w: Writer, op: ReduceOp, into: string, value: string): void {
  if (op === "sum" || op === "prod") {
    w.line(`${into} = ${into} ${op === "sum" ? "+" : "*"} ${value};`);
    return;
  }
  const combined = extreme(w, into, value, op === "max" ? "<=" : ">=");
  w.line(`${into} = ${combined};`);
}
