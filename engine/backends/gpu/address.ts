// Accesses as exact position arithmetic: where an index finds its element, and which index an element belongs to.

import type { Access, View } from "../../compile/view.ts";
import { contiguousStrides, sizeOf } from "../../shape.ts";
import type { Steps } from "./steps.ts";
import { assign, literal, type Range, union, type Value, variable } from "./value.ts";
import { affine, type Writer } from "./writer.ts";

export interface Located {
  /** The position, in range wherever the conditions hold. */
  readonly position: string;
  /** All must hold, or the access is masked. */
  readonly conditions: readonly string[];
  /** No index passes the masks. */
  readonly never: boolean;
}

/** Follows an access from an index. */
export function locate(w: Writer, access: Access, index: readonly string[]): Located {
  let at = index;
  let position = "0";
  const conditions: string[] = [];
  let never = false;
  access.forEach((view, v) => {
    if (v > 0) at = w.unravel(w.const(position), view.shape);
    view.mask?.forEach(([lo, hi], axis) => {
      if (hi <= lo) never = true;
      if (lo > 0) conditions.push(`${at[axis]} >= ${lo}`);
      if (hi < view.shape[axis]) conditions.push(`${at[axis]} < ${hi}`);
    });
    position = affine(view.offset, at, view.strides);
  });
  // An axis of one has the index "0": conditions on it are decided here.
  const open = conditions.filter((text) => !text.startsWith("0 "));
  for (const text of conditions) if (text.startsWith("0 ") && !holds(text)) never = true;
  return { position, conditions: open, never };
}

function holds(condition: string): boolean {
  const [, op, limit] = condition.split(" ");
  return op === "<" ? 0 < Number(limit) : 0 >= Number(limit);
}

/** A position that is in range even where a condition fails: an untaken branch may still be evaluated. */
export const clamped = (position: string, length: number): string =>
  `Math.max(0, Math.min(${length - 1}, ${position}))`;

/** Reads what an access gives; `fill` where it is masked. */
export function readAt(
  w: Writer,
  steps: Steps,
  slot: number,
  located: Located,
  fill: number,
  extra: readonly string[] = [],
): Value {
  const { position, never } = located;
  const conditions = [...located.conditions, ...extra];
  const held = steps.ranges[slot];
  const length = steps.count(slot);
  if (never || length === 0) return literal(w, fill, held && [fill, fill]);
  if (conditions.length === 0) return steps.read(w, slot, position);
  const range = held && union(held, [fill, fill]);
  const value = variable(w, literal(w, fill, range), range);
  const at = w.const(clamped(position, length));
  w.if(conditions.join(" && "), () => assign(w, value, steps.read(w, slot, at)));
  return value;
}

/** Where the last view of an access leads at all. */
export function positionRange(access: Access): Range {
  const { shape, strides, offset } = access[access.length - 1];
  const reach = shape.map((side, axis) => strides[axis] * Math.max(0, side - 1));
  const sum = (signed: (x: number) => number): number => reach.reduce((total, x) => total + signed(x), offset);
  return [sum((x) => Math.min(0, x)), sum((x) => Math.max(0, x))];
}

/** The index whose element a store puts at a position, and the conditions under which there is one. */
export interface Inverse {
  readonly index: readonly string[];
  readonly conditions: readonly string[];
}

/** Whether a store's view reaches every one of `length` positions. */
export const covers = (view: View, length: number): boolean => sizeOf(view.shape) === length;

/** Inverts a store's view at a position in [0, length). Views of stores never reach a position twice. */
export function invert(w: Writer, view: View, position: string, length: number): Inverse {
  const index: string[] = view.shape.map(() => "0");
  const conditions: string[] = [];
  const axes = [...view.shape.keys()].filter((axis) => view.shape[axis] > 1);
  axes.sort((a, b) => Math.abs(view.strides[b]) - Math.abs(view.strides[a]));
  const lowest = axes.reduce((sum, a) => sum + Math.min(0, view.strides[a] * (view.shape[a] - 1)), view.offset);
  const whole = covers(view, length);
  let rest = position;
  if (lowest !== 0) {
    rest = w.const(`${position} - ${lowest}`);
    conditions.push(`${rest} >= 0`);
    rest = w.const(`Math.max(0, ${rest})`);
  }
  axes.forEach((axis, i) => {
    const stride = Math.abs(view.strides[axis]);
    const side = view.shape[axis];
    const bound = i === 0 ? length : Math.abs(view.strides[axes[i - 1]]);
    const [quotient, remainder] = w.divide(rest, stride, bound);
    rest = remainder;
    if (!whole) {
      const limited = w.const(`Math.min(${quotient}, ${side - 1})`);
      if (quotient !== "0") conditions.push(`${quotient} < ${side}`);
      index[axis] = view.strides[axis] < 0 ? w.const(`${side - 1} - ${limited}`) : limited;
    } else index[axis] = view.strides[axis] < 0 ? w.const(`${side - 1} - ${quotient}`) : quotient;
  });
  if (!whole && rest !== "0") conditions.push(`${rest} < 0.5`);
  return { index, conditions };
}

/** Row-major strides over some sides. */
export const flatOver = (index: readonly string[], sides: readonly number[]): string =>
  affine(0, index, contiguousStrides(sides));
