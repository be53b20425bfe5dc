// The gate fused into the query projection, as in published weights: which row of the fused matrix is which.

import {
  ArgumentError,
  concat,
  formatShape,
  indexSelect,
  ShapeError,
  type Tensor,
  tensor,
} from "../../engine/index.ts";
import type { GatedAttention } from "./attention.ts";

/**
 * How queries and gates lie in one matrix. "grouped" (the paper's released code): for each group of queries that share
 * keys, its queries, then its gates. "per-head" (Qwen3-Next): each head's query, then its gate.
 */
export type FusedLayout = "grouped" | "per-head";

export interface FusedSizes {
  readonly nHeads: number;
  readonly nKvHeads: number;
  readonly headDim: number;
  /** Gate rows per head: headDim where elementwise, 1 where headwise. */
  readonly width: number;
}

/** Heads per block of queries followed by the block's gates. */
const blockSize: Readonly<Record<FusedLayout, (sizes: FusedSizes) => number>> = {
  grouped: ({ nHeads, nKvHeads }) => nHeads / nKvHeads,
  "per-head": () => 1,
};

/**
 * For each row of the fused matrix, the row of [queries; gates] it comes from: queries are rows 0 to nHeads * headDim,
 * gates follow.
 */
export function fusedRows(layout: FusedLayout, sizes: FusedSizes): number[] {
  const { nHeads, headDim, width } = sizes;
  const block = blockSize[layout](sizes);
  const range = (start: number, count: number): number[] => Array.from({ length: count }, (_, i) => start + i);
  return range(0, nHeads / block).flatMap((b) => [
    ...range(b * block * headDim, block * headDim),
    ...range(nHeads * headDim + b * block * width, block * width),
  ]);
}

/** W_Q and W_theta, [rows, dModel] each, as one matrix. */
export function fuse(query: Tensor, gate: Tensor, layout: FusedLayout, sizes: FusedSizes): Tensor {
  const rows = tensor(Int32Array.from(fusedRows(layout, sizes)));
  return indexSelect(concat([query, gate], 0), 0, rows);
}

/** A fused matrix as W_Q and W_theta. @throws ShapeError where it has not as many rows as both */
export function unfuse(fused: Tensor, layout: FusedLayout, sizes: FusedSizes): { query: Tensor; gate: Tensor } {
  const rows = fusedRows(layout, sizes);
  if (fused.rank !== 2 || fused.shape[0] !== rows.length)
    throw new ShapeError("unfuse", `a fused matrix has ${rows.length} rows here, got ${formatShape(fused.shape)}`);
  const from = new Int32Array(rows.length);
  rows.forEach((row, i) => {
    from[row] = i;
  });
  const apart = indexSelect(fused, 0, tensor(from));
  const queries = sizes.nHeads * sizes.headDim;
  return { query: apart.narrow(0, 0, queries), gate: apart.narrow(0, queries, rows.length - queries) };
}

/**
 * What there is to fuse in a layer. @throws ArgumentError unless it has a gate of its own per head at G1, from
 * all inputs and without bias: nothing else has as many rows as a file holds
 */
export function fusible({ gate, sizes }: GatedAttention): { readonly weight: Tensor; readonly sizes: FusedSizes } {
  const { nHeads, nKvHeads, headDim, dModel } = sizes;
  const weight = gate?.proj?.weight;
  const fits = gate !== undefined && gate.heads === nHeads && gate.spec.position === "G1" && gate.inputDims === dModel;
  if (weight === undefined || !fits || gate.proj?.bias !== undefined)
    throw new ArgumentError("fusible", "needs a gate at G1 that reads all of the input, without bias");
  return { weight, sizes: { nHeads, nKvHeads, headDim, width: gate.width } };
}

/** The layer's queries and gates as one matrix [nHeads * (headDim + width), dModel], as published files hold it. */
export function exportFused(attention: GatedAttention, layout: FusedLayout): Tensor {
  const { weight, sizes } = fusible(attention);
  return fuse(attention.qProj.weight, weight, layout, sizes);
}

/** Sets the layer's queries and gates from one matrix. @throws ShapeError where it does not fit */
export async function importFused(attention: GatedAttention, fused: Tensor, layout: FusedLayout): Promise<void> {
  const { weight, sizes } = fusible(attention);
  if (fused.shape[1] !== attention.sizes.dModel)
    throw new ShapeError(
      "importFused",
      `rows must have ${attention.sizes.dModel} columns, got ${formatShape(fused.shape)}`,
    );
  const { query, gate } = unfuse(fused, layout, sizes);
  const [queries, gates] = await Promise.all([query.data(), gate.data()]);
  attention.qProj.weight.copyFrom(queries);
  weight.copyFrom(gates);
}
