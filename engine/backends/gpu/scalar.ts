// Scalar functions of floats and truths as statements (of whole numbers: integer.ts). Comparisons are written so that NaN
// comes out right where compilers may assume that there is none: only `x === x`, `<`, `<=` are trusted, never negated.

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
export function choose(w: Writer, condition: string, yes: string, no: string): string {
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
  switch (fn) {
    case "notEqual":
      return choose(w, `${x} === ${y}`, "0", "1");
    case "where":
      return choose(w, `${x} > 0.5`, y, z);
    case "after":
      return x;
    case "cast":
      return to === "bool" && from !== "bool" ? choose(w, `${x} === 0`, "0", "1") : x;
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
      return w.const(`${x} / ${y}`);
    case "remainder":
      return remainder(w, x, y);
    case "maximum":
      return extreme(w, x, y, "<=");
    case "minimum":
      return extreme(w, x, y, ">=");
    case "pow":
      return w.const(`${w.helper("slPow")}(${x}, ${y}, ${w.scalar("inf")}, ${w.scalar("nan")})`);
    default:
      throw new Error(`gpu: no code for ${fn}`);
  }
}

/** x unless y is beyond it; NaN if either is. */
export function extreme(w: Writer, x: string, y: string, keeps: "<=" | ">="): string {
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

/** x - floor(x / y) * y, with the sign of y. */
function remainder(w: Writer, x: string, y: string): string {
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
