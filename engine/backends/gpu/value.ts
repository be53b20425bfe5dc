// Values in a kernel. A float is one number; so is a whole number that f32 counts exactly. Others are two limbs of 16
// bits, which f32 adds, multiplies by bytes and shifts without error in every mode. The range decides, so that positions,
// classes and counts, which are known to be small, cost what floats cost.

import { maxElements, type Writer } from "./writer.ts";

/** What a whole number is known to lie in, ends included. */
export type Range = readonly [lo: number, hi: number];

/** All of i32. */
export const anyWhole: Range = [-(2 ** 31), 2 ** 31 - 1];

/** Whether every whole number of a range is an f32. */
export const fits = ([lo, hi]: Range): boolean => lo >= -maxElements && hi <= maxElements;

/** Floats that hold a number: two, high limb (signed) before low limb, for whole numbers beyond what one holds. */
export const planesOf = (range: Range | undefined): 1 | 2 => (range === undefined || fits(range) ? 1 : 2);

export const union = (a: Range, b: Range): Range => [Math.min(a[0], b[0]), Math.max(a[1], b[1])];

/** A range of results: what leaves i32 wraps around, and may then be anything. */
export const wrapped = (lo: number, hi: number): Range =>
  lo < anyWhole[0] || hi > anyWhole[1] ? anyWhole : [lo + 0, hi + 0];

/** A named value: `range` where it is a whole number. */
export interface Value {
  readonly parts: readonly string[];
  readonly range?: Range;
}

export type Limbs = readonly [hi: string, lo: string];

export const float = (text: string): Value => ({ parts: [text] });

/** A value of a range, as that range is held. */
export const whole = (range: Range, ...parts: string[]): Value => ({ parts, range });

/** A literal; a whole number where a range is given, held as the range is. */
export function literal(w: Writer, value: number, range?: Range): Value {
  if (range === undefined) return float(w.literal(value));
  if (fits(range)) return whole(range, w.literal(value));
  const high = Math.floor(value / 65536);
  return whole(range, high < 0 ? `(-${-high})` : String(high), String(value - high * 65536));
}

/** The nearest f32, where the value is a whole number of two limbs; its own text otherwise. */
export const toFloat = (w: Writer, { parts }: Value): string =>
  parts.length === 1 ? parts[0] : w.const(`${parts[0]} * 65536 + ${parts[1]}`);

export function toLimbs(w: Writer, { parts }: Value): Limbs {
  if (parts.length === 2) return [parts[0], parts[1]];
  const high = w.const(`Math.floor(${parts[0]} * ${2 ** -16})`);
  return [high, w.const(`${parts[0]} - ${high} * 65536`)];
}

/** The same value, known to lie in a range, as that is held. */
export function as(w: Writer, value: Value, range: Range | undefined): Value {
  if (range === undefined) return value;
  return fits(range) ? whole(range, toFloat(w, value)) : whole(range, ...toLimbs(w, value));
}

/** A variable of a range, set to a value in it. */
export function variable(w: Writer, value: Value, range = value.range): Value {
  const parts = as(w, value, range).parts.map((part) => w.let(part));
  return range === undefined ? { parts } : { parts, range };
}

export function assign(w: Writer, variable: Value, value: Value): void {
  as(w, value, variable.range).parts.forEach((part, i) => {
    w.line(`${variable.parts[i]} = ${part};`);
  });
}

/** One of two values, by a condition. */
export function select(w: Writer, condition: string, yes: Value, no: Value): Value {
  const range = yes.range && no.range && union(yes.range, no.range);
  const result = variable(w, no, range);
  const chosen = as(w, yes, range);
  w.if(condition, () => assign(w, result, chosen));
  return result;
}
