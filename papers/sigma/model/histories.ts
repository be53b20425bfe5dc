// From lists of items to the padded batches that models take, with every bad input refused by name.

import { ArgumentError, type Tensor, tensor } from "../../../engine/index.ts";
import { paddingId } from "./item-table.ts";

/** A padded batch: ids i32 [B, L], zeros after each history's end, and lengths i32 [B]. */
export interface HistoryBatch {
  readonly ids: Tensor;
  readonly lengths: Tensor;
}

/**
 * Histories as a batch: each cut to its most recent `steps` items and padded on the right.
 * @param items V: an item is a whole number in [1, V)
 * @throws ArgumentError that names the history and the item
 */
export function padHistories(histories: readonly (readonly number[])[], items: number, steps: number): HistoryBatch {
  if (!Number.isInteger(steps) || steps < 1)
    throw new ArgumentError("padHistories", `the length must be at least 1, got ${steps}`);
  if (histories.length === 0) throw new ArgumentError("padHistories", "needs at least one history");
  const ids = new Int32Array(histories.length * steps).fill(paddingId);
  const lengths = histories.map((history, row) => {
    checkHistory("padHistories", history, items, histories.length > 1 ? `history ${row}` : "the history");
    const recent = history.slice(-steps);
    ids.set(recent, row * steps);
    return recent.length;
  });
  return {
    ids: tensor(ids, { dtype: "i32", shape: [histories.length, steps] }),
    lengths: tensor(lengths, { dtype: "i32" }),
  };
}

/** Throws an ArgumentError unless a history has an item and all of them are whole numbers in [1, items). */
export function checkHistory(op: string, history: readonly number[], items: number, name = "the history"): void {
  if (history.length === 0) throw new ArgumentError(op, `${name} is empty: there is nothing to go by`);
  const bad = history.findIndex((item) => !Number.isInteger(item) || item <= paddingId || item >= items);
  if (bad >= 0) {
    const range = `a whole number in [1, ${items - 1}]`;
    throw new ArgumentError(op, `item ${bad} of ${name} must be ${range}, got ${history[bad]}`);
  }
}
