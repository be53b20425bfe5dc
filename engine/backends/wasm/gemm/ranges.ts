// Emitters of integer code for the loops around the tile: values known now or at run time, and ranges cut into pieces.

import type { FunctionBuilder } from "../assembler/asm.ts";

/** An i32 known when the code is written, or held in a local. */
export type Value = number | { readonly local: number };
export type Range = readonly [from: Value, to: Value];

export const local = (index: number): Value => ({ local: index });

export const push = (f: FunctionBuilder, value: Value): FunctionBuilder =>
  typeof value === "number" ? f.i32(value) : f.get(value.local);

/** Keeps what is on top of the stack in a new local. */
export function keep(f: FunctionBuilder): Value {
  const index = f.local("i32");
  f.set(index);
  return { local: index };
}

/** base + sum of products, wrapping at 32 bits as addresses do. */
export function sum(f: FunctionBuilder, base: Value, ...products: readonly (readonly [Value, Value])[]): Value {
  const terms = products.filter(([x, y]) => x !== 0 && y !== 0);
  if (terms.length === 0) return base;
  push(f, base);
  for (const [x, y] of terms) {
    push(f, x);
    push(f, y).op("i32.mul").op("i32.add");
  }
  return keep(f);
}

export function minus(f: FunctionBuilder, x: Value, y: Value): Value {
  if (y === 0) return x;
  push(f, x);
  push(f, y).op("i32.sub");
  return keep(f);
}

const choose =
  (comparison: "i32.lt_s" | "i32.gt_s") =>
  (f: FunctionBuilder, x: Value, y: Value): Value => {
    for (const value of [x, y, x, y]) push(f, value);
    f.op(comparison).op("select");
    return keep(f);
  };
/** The smaller, and the larger, of two values. */
export const least = choose("i32.lt_s");
export const most = choose("i32.gt_s");

/**
 * Runs `body(position, length)` for whole steps of a range, then for what is left, if its length is one of `edges`:
 * what can be left is known when the code is written, so that each length gets its own code.
 */
export function inSteps(
  f: FunctionBuilder,
  [from, to]: Range,
  step: number,
  edges: readonly number[],
  body: (position: Value, length: number) => void,
): void {
  const position = f.local("i32");
  const left = (): FunctionBuilder => push(f, to).get(position).op("i32.sub");
  push(f, from).set(position);
  f.block(() =>
    f.loop(() => {
      left().i32(step).op("i32.lt_s").brIf(1);
      body({ local: position }, step);
      f.get(position).i32(step).op("i32.add").set(position).br(0);
    }),
  );
  for (const edge of edges) {
    left().i32(edge).op("i32.eq");
    f.if(() => body({ local: position }, edge));
  }
}

/** Runs `body` for blocks of at most `side` of a range that is never longer than `longest`; once, if it is empty. */
export function inBlocks(
  f: FunctionBuilder,
  [from, to]: Range,
  side: number,
  longest: number,
  body: (range: Range) => void,
): void {
  if (longest <= side) {
    body([from, to]);
    return;
  }
  const start = f.local("i32");
  push(f, from).set(start);
  f.loop(() => {
    const end = least(f, to, sum(f, { local: start }, [1, side]));
    body([{ local: start }, end]);
    push(push(f, end).tee(start), to).op("i32.lt_s").brIf(0);
  });
}
