// Folds of rows: in stages where rows are long, so that no thread adds up many values.

import type { DType } from "../../dtype.ts";
import type { ReduceOp } from "../../graph/vocabulary.ts";
import { reduceIdentity } from "../../primitives/index.ts";
import { accumulateValue, foldedRange, foldStart } from "./integer.ts";
import type { Steps } from "./steps.ts";
import { type Range, variable } from "./value.ts";

/** Elements one thread folds; longer rows are folded in stages. */
export const foldLength = 128;

/** What a fold of `count` values comes to; of none, what it starts from. */
export function foldRange(op: ReduceOp, dtype: DType, range: Range | undefined, count: number): Range | undefined {
  if (dtype !== "i32") return undefined;
  const empty = reduceIdentity(op, dtype);
  return range === undefined ? [empty, empty] : foldedRange(op, range, count);
}

/** Folds `chunks` neighbours of each row into one, in stages. */
export function foldRows(
  steps: Steps,
  op: ReduceOp,
  dtype: DType,
  slot: number,
  outer: number,
  chunks: number,
): number {
  if (chunks === 1) return slot;
  const groups = Math.ceil(chunks / foldLength);
  const each = Math.ceil(chunks / groups);
  const range = foldRange(op, dtype, steps.ranges[slot], each);
  const folded = steps.values("a reduction", outer * groups, dtype, (w, t) => {
    const [o, group] = w.divide(t, groups, outer * groups);
    const sum = variable(w, foldStart(w, op, dtype, range));
    w.loop(each, (k) => {
      const at = w.const(`${group} * ${each} + ${k}`);
      const position = w.const(`${o} * ${chunks} + Math.min(${chunks - 1}, ${at})`);
      const body = () => accumulateValue(w, op, sum, steps.read(w, slot, position));
      if (each * groups === chunks) body();
      else w.if(`${at} < ${chunks}`, body);
    });
    return sum;
  });
  return foldRows(steps, op, dtype, folded, outer, groups);
}
