// Functions of whole numbers: as floats where these count exactly, on limbs where they don't. What the result can be
// follows from what the arguments can be.

import type { ScalarFn } from "../../compile/ir.ts";
import type { DType } from "../../dtype.ts";
import type { ReduceOp } from "../../graph/vocabulary.ts";
import { reduceIdentity } from "../../primitives/index.ts";
import {
  addLimbs,
  divLimbs,
  lessLimbs,
  limbsOfFloat,
  magnitude,
  mulLimbs,
  negLimbs,
  powLimbs,
  remainderLimbs,
  subLimbs,
} from "./limbs.ts";
import { accumulate, choose, extreme } from "./scalar.ts";
import {
  anyWhole,
  as,
  assign,
  fits,
  float,
  type Limbs,
  literal,
  type Range,
  select,
  toFloat,
  toLimbs,
  type Value,
  whole,
  wrapped,
} from "./value.ts";
import type { Writer } from "./writer.ts";

const same = (fn: ScalarFn): boolean => ["after", "floor", "ceil", "round", "trunc"].includes(fn);

const largest = ([lo, hi]: Range): number => Math.max(Math.abs(lo), Math.abs(hi));

/** What a function of whole numbers can give. */
function rangeOf(fn: ScalarFn, a: Range, b: Range): Range {
  const around = (size: number): Range => wrapped(-size, size);
  switch (fn) {
    case "neg":
      return wrapped(-a[1], -a[0]);
    case "abs":
      return wrapped(0, largest(a));
    case "sign":
      return [-1, 1];
    case "add":
      return wrapped(a[0] + b[0], a[1] + b[1]);
    case "sub":
      return wrapped(a[0] - b[1], a[1] - b[0]);
    case "mul": {
      const products = a.flatMap((x) => b.map((y) => x * y));
      return wrapped(Math.min(...products), Math.max(...products));
    }
    case "div":
      return around(largest(a));
    case "remainder":
      return [Math.min(0, b[0] + 1), Math.max(0, b[1] - 1)];
    case "pow":
      return b[0] < 0 ? anyWhole : around(Math.max(1, largest(a) ** b[1]));
    case "maximum":
      return [Math.max(a[0], b[0]), Math.max(a[1], b[1])];
    case "minimum":
      return [Math.min(a[0], b[0]), Math.min(a[1], b[1])];
    default:
      throw new Error(`gpu: no range for ${fn} of whole numbers`);
  }
}

const compares: Partial<Record<ScalarFn, string>> = { less: "<", lessEqual: "<=", equal: "===" };

/** The value of a function whose arguments or result are i32. */
export function applyWhole(w: Writer, fn: ScalarFn, from: DType, to: DType, args: readonly Value[]): Value {
  const [x, y, z] = args;
  if (fn === "where") return select(w, `${x.parts[0]} > 0.5`, y, z);
  if (fn === "cast") return cast(w, from, to, x);
  if (same(fn)) return x;
  if (to === "bool") return float(compare(w, fn, x, y));
  const ranges = args.map(({ range }) => range ?? anyWhole);
  const range = rangeOf(fn, ranges[0], ranges[1] ?? [0, 0]);
  if (fn !== "pow" && [range, ...ranges].every(fits)) {
    return whole(range, small(w, fn, x.parts[0], y?.parts[0]));
  }
  return as(w, large(w, fn, toLimbs(w, x), y === undefined ? ["0", "0"] : toLimbs(w, y)), range);
}

function compare(w: Writer, fn: ScalarFn, x: Value, y: Value): string {
  if (x.parts.length === 1 && y.parts.length === 1) {
    const [a, b] = [x.parts[0], y.parts[0]];
    return fn === "notEqual" ? choose(w, `${a} === ${b}`, "0", "1") : choose(w, `${a} ${compares[fn]} ${b}`, "1", "0");
  }
  const [a, b] = [toLimbs(w, x), toLimbs(w, y)];
  if (fn === "less" || fn === "lessEqual") return lessLimbs(w, a, b, fn === "lessEqual");
  const alike = `${a[0]} === ${b[0]} && ${a[1]} === ${b[1]}`;
  return fn === "equal" ? choose(w, alike, "1", "0") : choose(w, alike, "0", "1");
}

function cast(w: Writer, from: DType, to: DType, x: Value): Value {
  if (to === "i32") {
    if (from === "bool") return whole([0, 1], x.parts[0]);
    return from === "i32" ? x : whole(anyWhole, ...limbsOfFloat(w, x.parts[0]));
  }
  if (to === "bool") {
    const zero = x.parts.map((part) => `${part} === 0`).join(" && ");
    return float(choose(w, zero, "0", "1"));
  }
  // JavaScript itself would go on in f64.
  if (x.parts.length === 2) return float(w.const(`Math.fround(${toFloat(w, x)})`));
  const [value] = x.parts;
  // A whole number has no -0, the float that stands for it may.
  const positive = x.range !== undefined && 1 / x.range[0] > 0;
  return float(positive ? value : choose(w, `${value} === 0`, "0", value));
}

function small(w: Writer, fn: ScalarFn, x: string, y: string): string {
  switch (fn) {
    case "neg":
      return w.const(`-${x}`);
    case "abs":
      return w.const(`Math.abs(${x})`);
    case "sign": {
      const value = w.let(x);
      w.if(`${x} > 0`, () => w.line(`${value} = 1;`));
      w.if(`${x} < 0`, () => w.line(`${value} = -1;`));
      return value;
    }
    case "add":
      return w.const(`${x} + ${y}`);
    case "sub":
      return w.const(`${x} - ${y}`);
    case "mul":
      return w.const(`${x} * ${y}`);
    case "div":
      return quotient(w, x, y);
    case "remainder":
      return remainder(w, x, y);
    case "maximum":
      return extreme(w, x, y, "<=");
    case "minimum":
      return extreme(w, x, y, ">=");
    default:
      throw new Error(`gpu: no code for ${fn} of whole numbers`);
  }
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

function quotient(w: Writer, x: string, y: string): string {
  const { quotient } = wholeQuotient(w, x, y);
  const value = w.let(quotient);
  w.if(`${x} * ${y} < 0`, () => w.line(`${value} = -${quotient};`));
  w.if(`${y} === 0`, () => w.line(`${value} = 0;`));
  return value;
}

function remainder(w: Writer, x: string, y: string): string {
  const { quotient, a, b } = wholeQuotient(w, x, y);
  const rest = w.const(`${a} - ${quotient} * ${b}`);
  const value = w.let(rest);
  // The remainder of the absolute values, with x's sign, then moved to y's side.
  w.if(`${x} < 0`, () => w.line(`${value} = -${rest};`));
  w.if(`${value} * ${y} < 0`, () => w.line(`${value} = ${value} + ${y};`));
  w.if(`${y} === 0`, () => w.line(`${value} = 0;`));
  return value;
}

function large(w: Writer, fn: ScalarFn, x: Limbs, y: Limbs): Value {
  const full = (limbs: Limbs): Value => whole(anyWhole, ...limbs);
  switch (fn) {
    case "neg":
      return full(negLimbs(w, x));
    case "abs": {
      const [high, low] = magnitude(w, x);
      // 2^31 wraps around.
      return full([choose(w, `${high} === 32768`, "-32768", high), low]);
    }
    case "sign": {
      const value = w.let("0");
      w.if(`${x[0]} > 0 || ${x[1]} > 0`, () => w.line(`${value} = 1;`));
      w.if(`${x[0]} < 0`, () => w.line(`${value} = -1;`));
      return whole([-1, 1], value);
    }
    case "add":
      return full(addLimbs(w, x, y));
    case "sub":
      return full(subLimbs(w, x, y));
    case "mul":
      return full(mulLimbs(w, x, y));
    case "div":
      return full(divLimbs(w, x, y));
    case "remainder":
      return full(remainderLimbs(w, x, y));
    case "pow":
      return full(powLimbs(w, x, y));
    case "maximum":
      return select(w, `${lessLimbs(w, x, y)} > 0.5`, full(y), full(x));
    case "minimum":
      return select(w, `${lessLimbs(w, y, x)} > 0.5`, full(y), full(x));
    default:
      throw new Error(`gpu: no code for ${fn} of whole numbers`);
  }
}

/** What `count` values of a range can come to. */
export function foldedRange(op: ReduceOp, range: Range, count: number): Range {
  if (op === "sum") return wrapped(Math.min(0, range[0] * count), Math.max(0, range[1] * count));
  if (op === "prod") return largest(range) <= 1 ? [-1, 1] : anyWhole;
  return range;
}

/** What a fold starts from: nothing that is in its range is beyond it. */
export function foldStart(w: Writer, op: ReduceOp, dtype: DType, range: Range | undefined): Value {
  const identity = reduceIdentity(op, dtype);
  return literal(w, range === undefined ? identity : Math.max(range[0], Math.min(range[1], identity)), range);
}

/** Combines one more value into a variable. */
export function accumulateValue(w: Writer, op: ReduceOp, into: Value, value: Value): void {
  if (into.range === undefined) {
    accumulate(w, op, into.parts[0], value.parts[0]);
    return;
  }
  const fn = ({ sum: "add", prod: "mul", max: "maximum", min: "minimum" } as const)[op];
  // The range is that of all that is to be combined: no step leaves it.
  const now = whole(into.range, ...into.parts.map((part) => w.const(part)));
  const held = [now, value].every(({ parts }) => parts.length === 1);
  const next = held ? whole(into.range, small(w, fn, now.parts[0], value.parts[0])) : undefined;
  assign(w, into, next ?? large(w, fn, toLimbs(w, now), toLimbs(w, value)));
}

/** Whether a whole number comes before another in order, or is the same: 1, else 0. */
export const notBeyond = (w: Writer, left: Value, right: Value, descending: boolean): string =>
  descending ? compare(w, "lessEqual", right, left) : compare(w, "lessEqual", left, right);
