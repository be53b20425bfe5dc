// Axes by name (after einops, Rogozhnikov 2022): a pattern says how they are split, ordered, joined and reduced.

import { ArgumentError, ShapeError } from "../errors.ts";
import { operation } from "../operation.ts";
import { formatShape, sizeOf } from "../shape.ts";
import type { Tensor } from "../tensor.ts";
import { permute, reshape } from "./movement.ts";
import { checkTensor } from "./operand.ts";
import type { CheckedPattern } from "./rearrange-types.ts";
import { max, mean, min, prod, sum } from "./reduce.ts";

/** Sizes of named axes. */
export type AxisSizes = Readonly<Record<string, number>>;

const reducers = { sum, mean, max, min, prod } as const;
export type Reducer = keyof typeof reducers;

/**
 * x with its axes split, reordered and joined: `rearrange("b t (h d) -> b h t d", x, { h: 8 })`. Each side lists the
 * axes; parentheses join several into one; `1` is an axis of side 1; `...` is any number of axes. Of the axes in a
 * parenthesis on the left, all sizes but one must be given. The pattern is checked at compile time where it is a
 * literal. Throws an ArgumentError for patterns that make no sense, a ShapeError where x does not fit.
 */
export const rearrange = operation(
  "rearrange",
  <const P extends string, const S extends AxisSizes = Record<never, number>>(
    pattern: CheckedPattern<P, keyof S>,
    x: Tensor,
    sizes?: S,
  ): Tensor => {
    return transform("rearrange", pattern, x, undefined, sizes ?? {});
  },
);

/**
 * Like `rearrange`, and axes that are on the left only are reduced:
 * `reduce("b c (h p) (w q) -> b c h w", x, "mean", { p: 2, q: 2 })` is average pooling.
 */
export const reduce = operation(
  "reduce",
  <const P extends string, const S extends AxisSizes = Record<never, number>>(
    pattern: CheckedPattern<P, keyof S, true>,
    x: Tensor,
    reducer: Reducer,
    sizes?: S,
  ): Tensor => {
    if (!Object.hasOwn(reducers, reducer)) {
      throw new ArgumentError("reduce", `unknown reducer "${reducer}"; there are ${Object.keys(reducers).join(", ")}`);
    }
    return transform("reduce", pattern, x, reducer, sizes ?? {});
  },
);

function transform(op: string, pattern: string, x: Tensor, reducer: Reducer | undefined, sizes: AxisSizes): Tensor {
  checkTensor(op, x);
  const { left, right } = parse(op, pattern, x.rank);
  const sides = solve(op, pattern, x, left, sizes);
  const before = left.flat();
  const after = right.flat().filter((name) => name !== "1");
  const unknown = after.find((name) => !before.includes(name));
  if (unknown !== undefined) throw new ArgumentError(op, `"${pattern}": axis ${unknown} is on the right only`);
  const lost = before.filter((name) => name !== "1" && !after.includes(name));
  if (lost.length > 0 && reducer === undefined) {
    throw new ArgumentError(op, `"${pattern}": axis ${lost[0]} is on the left only; reduce() sums axes away`);
  }
  const split = reshape(
    x,
    before.map((name) => sides.get(name) as number),
  );
  const vanishing = before.flatMap((name, i) => (after.includes(name) ? [] : [i]));
  const kept = before.filter((name) => after.includes(name));
  const reduced = reducer === undefined || lost.length === 0 ? split : reducers[reducer](split, vanishing);
  const flat = reshape(
    reduced,
    kept.map((name) => sides.get(name) as number),
  );
  const ordered = permute(
    flat,
    after.map((name) => kept.indexOf(name)),
  );
  return reshape(
    ordered,
    right.map((group) => sizeOf(group.map((name) => sides.get(name) ?? 1))),
  );
}

/** Groups of names on both sides; "..." becomes as many names as x has axes for it. */
function parse(op: string, pattern: string, rank: number) {
  const halves = pattern.split("->");
  if (halves.length !== 2) throw new ArgumentError(op, `"${pattern}" is not of the form "left -> right"`);
  const [left, right] = halves.map((half) => groupsOf(op, pattern, half));
  const dots = rank - left.filter((group) => group[0] !== "...").length;
  const expanded = Array.from({ length: Math.max(0, dots) }, (_, i) => `...${i}`);
  const fill = (groups: string[][], inGroup: boolean): string[][] =>
    groups.flatMap((group) => {
      if (group.length === 1 && group[0] === "..." && !inGroup) return expanded.map((name) => [name]);
      return [group.flatMap((name) => (name === "..." ? expanded : [name]))];
    });
  return { left: fill(left, false), right: fill(right, false) };
}

function groupsOf(op: string, pattern: string, half: string): string[][] {
  const groups: string[][] = [];
  let open: string[] | undefined;
  const rest = half.replace(/\(|\)|\.\.\.|\w+/g, (token) => {
    if (token === "(" || token === ")") {
      if ((token === "(") === (open !== undefined)) {
        throw new ArgumentError(op, `"${pattern}": parentheses do not match`);
      }
      if (token === "(") groups.push((open = []));
      else open = undefined;
    } else if (open === undefined) groups.push([token]);
    else open.push(token);
    return "";
  });
  if (open !== undefined) throw new ArgumentError(op, `"${pattern}": parentheses do not match`);
  if (rest.trim() !== "") throw new ArgumentError(op, `"${pattern}": cannot read "${rest.trim()}"`);
  const names = groups.flat().filter((name) => name !== "1");
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) throw new ArgumentError(op, `"${pattern}": axis ${twice} is twice on one side`);
  return groups;
}

/** The side of each name, from x's shape and the sizes that are given. */
function solve(op: string, pattern: string, x: Tensor, left: readonly string[][], sizes: AxisSizes) {
  const fail = (why: string) => new ShapeError(op, `"${pattern}" does not fit ${formatShape(x.shape)}: ${why}`);
  if (left.length !== x.rank) throw fail(`it names ${left.length} axes`);
  const stray = Object.keys(sizes).find((name) => !left.flat().includes(name));
  if (stray !== undefined) throw new ArgumentError(op, `"${pattern}" has no axis ${stray}, whose size is given`);
  const sides = new Map<string, number>(Object.entries(sizes));
  left.forEach((group, axis) => {
    const unknown = group.filter((name) => name !== "1" && !sides.has(name));
    if (unknown.length > 1) {
      throw new ArgumentError(op, `"${pattern}": give the sizes of all but one of the axes ${group.join(", ")}`);
    }
    const known = sizeOf(group.filter((name) => name !== "1" && sides.has(name)).map((name) => sides.get(name) ?? 1));
    const side = x.shape[axis];
    if (unknown.length === 1) {
      if (known === 0 || side % known !== 0) throw fail(`${side} is not divisible by ${known}`);
      sides.set(unknown[0], side / known);
    } else if (known !== side) throw fail(`(${group.join(" ")}) is ${known}, axis ${axis} is ${side}`);
  });
  return sides.set("1", 1);
}
