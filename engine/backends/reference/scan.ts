// Scans by definition: along each line of an axis, one element after the other.

import type { DType } from "../../dtype.ts";
import { bodyNodes } from "../../graph/body.ts";
import type { Body, Node } from "../../graph/node.ts";
import { valueInputs } from "../../graph/traverse.ts";
import { type Shape, sizeOf } from "../../shape.ts";

type Values = Float64Array;

/** Fills a result line by line: `next(at, before)` gives the element at `at` from the result so far. */
function alongAxis(
  shape: Shape,
  axis: number,
  reverse: boolean,
  next: (result: Values, at: number, before: number | undefined) => number,
): Values {
  const result = new Float64Array(sizeOf(shape));
  const length = shape[axis];
  const inner = sizeOf(shape.slice(axis + 1));
  for (let start = 0; start < result.length; start += length * inner) {
    for (let i = 0; i < inner; i++) {
      let before: number | undefined;
      for (let step = 0; step < length; step++) {
        const at = start + (reverse ? length - 1 - step : step) * inner + i;
        result[at] = next(result, at, before);
        before = at;
      }
    }
  }
  return result;
}

interface Along {
  readonly axis: number;
  readonly reverse: boolean;
}

export function cumsum(shape: Shape, dtype: DType, x: Values, { axis, reverse }: Along): Values {
  const wrap = (value: number): number => (dtype === "i32" ? value | 0 : value);
  return alongAxis(shape, axis, reverse, (sums, at, before) => wrap((before === undefined ? 0 : sums[before]) + x[at]));
}

export const cummax = (shape: Shape, x: Values, { axis, reverse }: Along): Values =>
  alongAxis(shape, axis, reverse, (best, at, before) => (before === undefined ? x[at] : Math.max(best[before], x[at])));

export function recurrence(
  shape: Shape,
  dtype: DType,
  a: Values,
  b: Values,
  { axis, reverse, lag }: Along & { readonly lag: boolean },
): Values {
  return alongAxis(shape, axis, reverse, (h, at, before) => {
    if (before === undefined) return b[at];
    const coefficient = a[lag ? before : at];
    return dtype === "i32" ? (Math.imul(coefficient, h[before]) + b[at]) | 0 : coefficient * h[before] + b[at];
  });
}

/** Runs a body step by step. The result is the last value of each carry, then each sequence, one after the other. */
export function runScan(
  body: Body,
  inputs: readonly Values[],
  evaluate: (node: Node, inputs: readonly Values[]) => Values,
): Values {
  const { leaves, carries, sequences, results, length, reverse } = body;
  const nodes = bodyNodes(body);
  const sizes = results.map((node) => sizeOf(node.shape));
  const stacked = results.map((_, i) => new Float64Array(i < carries ? 0 : sizes[i] * length));
  const carried = inputs.slice(0, carries);
  for (let step = 0; step < length; step++) {
    const at = reverse ? length - 1 - step : step;
    const values = new Map<Node, Values>();
    leaves.forEach((leaf, i) => {
      const size = sizeOf(leaf.shape);
      const element = i < carries ? carried[i] : inputs[i].subarray(at * size, (at + 1) * size);
      values.set(leaf, i < carries + sequences ? element : inputs[i]);
    });
    const valueOf = (node: Node): Values => values.get(node) as Values;
    for (const node of nodes) if (!values.has(node)) values.set(node, evaluate(node, valueInputs(node).map(valueOf)));
    results.forEach((node, i) => {
      if (i < carries) carried[i] = valueOf(node);
      else stacked[i].set(valueOf(node), at * sizes[i]);
    });
  }
  const all = [...carried, ...stacked.slice(carries)];
  const result = new Float64Array(all.reduce((sum, values) => sum + values.length, 0));
  let start = 0;
  for (const values of all) {
    result.set(values, start);
    start += values.length;
  }
  return result;
}
