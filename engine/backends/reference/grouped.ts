// Grouped products by their definition, row by row.

import { checkOffsets } from "../../primitives/grouped.ts";
import type { Shape } from "../../shape.ts";

type Values = Float64Array;

/** [R, K] x [G, K, N] -> [R, N]: row r times the matrix of its group; 0 where it has none. */
export function groupedContract(
  source: string,
  x: Values,
  w: Values,
  offsets: Values,
  shape: Shape,
  k: number,
): Values {
  const [rows, n] = shape;
  checkOffsets(source, offsets, rows);
  const out = new Float64Array(rows * n);
  for (let g = 0; g + 1 < offsets.length; g++) {
    for (let r = offsets[g]; r < offsets[g + 1]; r++) {
      for (let j = 0; j < n; j++) {
        let sum = 0;
        for (let p = 0; p < k; p++) sum += x[r * k + p] * w[(g * k + p) * n + j];
        out[r * n + j] = sum;
      }
    }
  }
  return out;
}

/** [R, K] x [R, N] -> [G, K, N]: the sum of the outer products of each group's rows. */
export function groupedOuter(
  source: string,
  x: Values,
  y: Values,
  offsets: Values,
  shape: Shape,
  rows: number,
): Values {
  const [groups, k, n] = shape;
  checkOffsets(source, offsets, rows);
  const out = new Float64Array(groups * k * n);
  for (let g = 0; g < groups; g++) {
    for (let r = offsets[g]; r < offsets[g + 1]; r++) {
      for (let p = 0; p < k; p++) {
        for (let j = 0; j < n; j++) out[(g * k + p) * n + j] += x[r * k + p] * y[r * n + j];
      }
    }
  }
  return out;
}
