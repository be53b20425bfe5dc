// The assignment problem, exactly, on the host: which column each row takes so that the total cost is least.

import { ArgumentError } from "../engine/index.ts";

/**
 * The permutation of least total cost: `result[row]` is the column of `row` (Kuhn-Munkres with potentials, O(n^3)).
 * To maximise the sum of a matrix P, as hardening a permutation does, pass its negative.
 * @param cost n x n finite numbers
 * @throws ArgumentError when the matrix is not square or has a number that is not finite
 */
export function hungarian(cost: readonly ArrayLike<number>[]): number[] {
  const n = cost.length;
  for (const [i, row] of cost.entries()) {
    if (row.length !== n)
      throw new ArgumentError("hungarian", `the matrix has ${n} rows, but row ${i} has ${row.length}`);
    for (let j = 0; j < n; j++) {
      if (!Number.isFinite(row[j])) throw new ArgumentError("hungarian", `cost [${i}, ${j}] is ${row[j]}`);
    }
  }
  // Column 0 is a stand-in that holds the row being placed, so rows and columns count from 1.
  const rowPotential = new Float64Array(n + 1);
  const columnPotential = new Float64Array(n + 1);
  const rowOf = new Int32Array(n + 1);
  for (let row = 1; row <= n; row++) {
    rowOf[0] = row;
    const end = shortestPath(cost, rowPotential, columnPotential, rowOf);
    // Shift every row along the path by one column; the last column was free.
    for (let column = end.column; column !== 0; ) {
      const before = end.previous[column];
      rowOf[column] = rowOf[before];
      column = before;
    }
  }
  const columnOf = new Array<number>(n);
  for (let column = 1; column <= n; column++) columnOf[rowOf[column] - 1] = column - 1;
  return columnOf;
}

/** Dijkstra over reduced costs from the unplaced row to the nearest free column; the potentials are updated in place. */
function shortestPath(
  cost: readonly ArrayLike<number>[],
  rowPotential: Float64Array,
  columnPotential: Float64Array,
  rowOf: Int32Array,
): { column: number; previous: Int32Array } {
  const n = cost.length;
  const distance = new Float64Array(n + 1).fill(Number.POSITIVE_INFINITY);
  const previous = new Int32Array(n + 1);
  const settled = new Uint8Array(n + 1);
  let column = 0;
  do {
    settled[column] = 1;
    const row = rowOf[column];
    let nearest = Number.POSITIVE_INFINITY;
    let next = 0;
    for (let j = 1; j <= n; j++) {
      if (settled[j]) continue;
      const reduced = cost[row - 1][j - 1] - rowPotential[row] - columnPotential[j];
      if (reduced < distance[j]) {
        distance[j] = reduced;
        previous[j] = column;
      }
      if (distance[j] < nearest) {
        nearest = distance[j];
        next = j;
      }
    }
    for (let j = 0; j <= n; j++) {
      if (settled[j]) {
        rowPotential[rowOf[j]] += nearest;
        columnPotential[j] -= nearest;
      } else distance[j] -= nearest;
    }
    column = next;
  } while (rowOf[column] !== 0);
  return { column, previous };
}
