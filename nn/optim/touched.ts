// The rows of a table that a gradient touches, each once: an embedding's update costs what its batch does, not its table.

import {
  argsort,
  concat,
  cumsum,
  indexSelect,
  notEqual,
  ones,
  type ScatteredRows,
  scatterAdd,
  sizeOf,
  type Tensor,
  where,
  zeros,
} from "../../engine/index.ts";

/** Rows of a table [v, ...]; `n` places, as many as there were lookups, of which the first are taken. */
export interface TouchedRows {
  /** i32 [n]: the touched rows in ascending order; 0 where a place is free. */
  readonly index: Tensor;
  /** bool [n, 1, ...]: whether a place is taken. */
  readonly taken: Tensor;
  /** [n, ...]: the gradient of each, its lookups added up in order, as the gradient of the whole table has it. */
  readonly gradient: Tensor;
}

/** Adds up the lookups of each row. */
export function touchedRows({ index, rows }: ScatteredRows): TouchedRows {
  const [n] = index.shape;
  const beside = [n, ...rows.shape.slice(1).map(() => 1)];
  const order = argsort(index);
  const sorted = indexSelect(index, 0, order);
  const differs = notEqual(sorted.slice([[1, n]]), sorted.slice([[0, Math.max(0, n - 1)]]));
  const first = concat([ones([Math.min(n, 1)], { dtype: "bool" }), differs]);
  const place = cumsum(first.cast("i32")).sub(1);
  const gradient = addRows(zeros(rows.shape, { dtype: rows.dtype }), place, indexSelect(rows, 0, order));
  const none = zeros([n], { dtype: "i32" });
  return {
    index: scatterAdd(none, 0, place, where(first, sorted, 0)),
    taken: scatterAdd(none, 0, place, first.cast("i32")).greater(0).reshape(beside),
    gradient,
  };
}

/** table [v, ...] with rows [n, ...] added at index [n]. */
export function addRows(table: Tensor, index: Tensor, rows: Tensor): Tensor {
  const [n, ...row] = rows.shape;
  return scatterAdd(table, 0, index.reshape([n, ...row.map(() => 1)]).expand([n, ...row]), rows);
}

/** table [v, ...] with rows [n, ...] taken off at the touched rows: bit for bit as if off all, 0 where not touched. */
export const subtractRows = (table: Tensor, { index, taken }: TouchedRows, rows: Tensor): Tensor =>
  addRows(table, index, where(taken, rows, 0).neg());

/** Whether so few rows are touched that sorting their lookups is less work than reading the table. */
export const worthTouching = (table: Tensor, { index }: ScatteredRows): boolean =>
  sizeOf(index.shape) * 8 <= table.shape[0];
