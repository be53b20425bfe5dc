// The register tile: a few rows by a few columns of C, held in registers along k, from A and B wherever they lie.

import type { FunctionBuilder, ModuleBuilder } from "../assembler/asm.ts";
import {
  advance,
  countDown,
  helper,
  type Lanes,
  lanesOf,
  loadPart,
  multiplyAdd,
  storePart,
  vectorsOf,
} from "./lanes.ts";

/**
 * `panel`: the tile's rows are neighbours in memory (packed, or a transposed operand read in place).
 * `rows`: the tile's rows are any one distance apart.
 */
export type TileA = "panel" | "rows";

export interface TileShape {
  readonly dtype: "f32" | "f64";
  readonly fma: boolean;
  readonly rows: number;
  readonly cols: number;
  readonly a: TileA;
}

/** The largest tile whose accumulators, one row of B, one element of A (and a product, without FMA) fit 15 registers. */
export const fullTile = (dtype: "f32" | "f64", fma: boolean): { readonly rows: number; readonly cols: number } => ({
  rows: fma ? 6 : 5,
  cols: 2 * lanesOf[dtype].width,
});

/**
 * Index of the function (a, strideA, stepA, b, stepB, c, strideC, k, add): C[tile] = A[tile] * B, or += where `add` is
 * not 0. Strides and steps are in bytes: stepA and stepB lead to the next k, strideA to the next row of A (ignored for
 * `panel`), strideC to the next row of C.
 * An element's value depends on nothing but its row of A, its column of B and the k range: not on the tile's shape.
 */
export function tileKernel(module: ModuleBuilder, shape: TileShape): number {
  const { dtype, fma, rows, cols, a } = shape;
  const name = `gemm_${dtype}${fma ? "_fma" : ""}_${rows}x${cols}_${a}`;
  return helper(module, name, () =>
    module.func(name, new Array(9).fill("i32"), [], (f) => emitTile(f, lanesOf[dtype], shape)),
  );
}

function emitTile(f: FunctionBuilder, lanes: Lanes, { fma, rows, cols, a }: TileShape): void {
  const [pa, strideA, stepA, pb, stepB, c, strideC, k, add] = Array.from({ length: 9 }, (_, i) => i);
  const parts = vectorsOf(lanes, cols);
  const acc = Array.from({ length: rows }, () => parts.map(() => f.local("v128")));
  const [rowB, elements] = [parts.map(() => f.local("v128")), acc.map(() => f.local("v128"))];
  // Distances of rows 1.. from row 0, where they are not neighbours.
  const offsets = a === "rows" ? Array.from({ length: rows }, (_, i) => (i < 2 ? strideA : f.local("i32"))) : [];
  for (let i = 2; i < offsets.length; i++)
    f.get(offsets[i - 1])
      .get(strideA)
      .op("i32.add")
      .set(offsets[i]);

  const loadB = (j: number): void => {
    loadPart(f, lanes, parts[j], pb, 16 * j);
    f.set(rowB[j]);
  };
  const loadA = (i: number): void => {
    f.get(pa);
    if (a === "rows" && i > 0) f.get(offsets[i]).op("i32.add");
    f.load(lanes.splat, a === "panel" ? i * lanes.bytes : 0).set(elements[i]);
  };
  // V8 starts loads in the order they stand here, and arithmetic as late as its uses allow: rows ascending here, with
  // the tile written ascending below, keeps one element of A live at a time; any other order spills (wasm-notes.md,
  // section 1; which of the two orders is right depends on the code after the loop, so test/bench when changing it).
  // It must stay a function with this one loop: V8 unrolls loops inside loops, and an unrolled body spills.
  // Where B is the wider side, the columns take the place of the rows.
  const tall = rows > 2;
  countDown(f, k, () => {
    for (let j = 0; tall && j < parts.length; j++) loadB(j);
    for (let i = 0; !tall && i < rows; i++) loadA(i);
    for (let outer = 0; outer < (tall ? rows : parts.length); outer++) {
      if (tall) loadA(outer);
      else loadB(outer);
      for (let inner = 0; inner < (tall ? parts.length : rows); inner++) {
        const [i, j] = tall ? [outer, inner] : [inner, outer];
        multiplyAdd(f, lanes, fma, acc[i][j], elements[i], rowB[j]);
      }
    }
    advance(f, pa, stepA);
    advance(f, pb, stepB);
  });
  const writeTile = (value: (i: number, j: number) => void): void => {
    for (let i = 0; i < rows; i++) {
      parts.forEach((count, j) => {
        value(i, j);
        storePart(f, lanes, count, c, 16 * j, acc[i][j]);
      });
      if (i < rows - 1) advance(f, c, strideC);
    }
  };
  f.get(add).if(
    () =>
      writeTile((i, j) => {
        loadPart(f, lanes, parts[j], c, 16 * j);
        f.get(acc[i][j]).op(lanes.add).set(acc[i][j]);
      }),
    () => writeTile(() => {}),
  );
}
