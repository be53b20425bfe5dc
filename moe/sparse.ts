// Conditional computation: the gate decides first, then each expert runs on the samples that give it weight, only.

import { type HostArray, type Tensor, tensor } from "../engine/index.ts";
import type { Experts } from "./experts.ts";

/** A sparse evaluation: the mixture's output and what it cost. */
export interface SparseOutput {
  /** [B, out], equal to the dense sum. */
  readonly output: Tensor;
  /** How many samples each expert ran on: [n]. */
  readonly runs: readonly number[];
  /** Expert evaluations per sample, on average: n when dense. */
  readonly perSample: number;
}

/** Rows of an expert are padded to a multiple of this, so that few sizes of program are ever compiled. */
const rowBlock = 64;

/**
 * sum_i g_i f_i(x), with f_i run on the rows where g_i > 0. Rows are gathered and scattered on the host.
 * @param weights g [B, n]
 * @param x [B, ...]
 */
export async function sparseMixture(experts: Experts, weights: Tensor, x: Tensor): Promise<SparseOutput> {
  const [batch, n] = weights.shape;
  const [gates, values] = await Promise.all([weights.data(), x.data()]);
  const rowsOf = Array.from({ length: n }, (_, i) => rowsWithWeight(gates, i, batch, n));
  const outputs = await Promise.all(
    rowsOf.map((rows, i) => (rows.length === 0 ? undefined : experts.one(i, gatherRows(values, rows, x)).data())),
  );
  const width = (outputs.find((y) => y !== undefined)?.length ?? 0) / padded(firstUsed(rowsOf));
  const sums = new Float64Array(batch * width);
  for (const [i, rows] of rowsOf.entries()) {
    const y = outputs[i];
    if (y === undefined) continue;
    for (const [at, row] of rows.entries()) {
      const g = gates[row * n + i];
      for (let j = 0; j < width; j++) sums[row * width + j] += g * y[at * width + j];
    }
  }
  const runs = rowsOf.map((rows) => rows.length);
  const total = runs.reduce((sum, count) => sum + count, 0);
  return { output: tensor(sums, { shape: [batch, width], dtype: x.dtype }), runs, perSample: total / batch };
}

/** How many experts a sample uses on average when those without weight are skipped. */
export async function evaluationsPerSample(weights: Tensor): Promise<number> {
  const used = await weights.greater(0).sum().data();
  return used[0] / weights.shape[0];
}

function rowsWithWeight(gates: HostArray, expert: number, batch: number, n: number): number[] {
  const rows: number[] = [];
  for (let row = 0; row < batch; row++) if (gates[row * n + expert] > 0) rows.push(row);
  return rows;
}

const padded = (count: number): number => Math.ceil(count / rowBlock) * rowBlock;
const firstUsed = (rowsOf: readonly (readonly number[])[]): number =>
  rowsOf.find((rows) => rows.length > 0)?.length ?? rowBlock;

function gatherRows(values: HostArray, rows: readonly number[], x: Tensor): Tensor {
  const size = x.size / x.shape[0];
  const block = new Float64Array(padded(rows.length) * size);
  for (const [at, row] of rows.entries()) block.set(values.subarray(row * size, (row + 1) * size), at * size);
  return tensor(block, { shape: [padded(rows.length), ...x.shape.slice(1)], dtype: x.dtype });
}
