// The dot-product tile: a few rows of A times a few columns of B where both lie contiguous along k, nothing packed.

import type { FunctionBuilder, ModuleBuilder } from "../assembler/asm.ts";
import { advance, countDown, helper, type Lanes, lanesOf, loadPart, multiplyAdd, storePart } from "./lanes.ts";

export interface DotShape {
  readonly dtype: "f32" | "f64";
  readonly fma: boolean;
  readonly rows: number;
  readonly cols: number;
  /** Elements left over when k is cut into whole vectors. */
  readonly tail: number;
}

/**
 * Index of the function (a, strideA, b, strideB, c, strideC, vectors): C[tile] = A[tile] * B[tile] over k = vectors *
 * width + tail. Strides in bytes lead to A's next row, B's next column and C's next row.
 * An element is a sum per lane over k in order, then over the lanes: the same in every shape of tile.
 */
export function dotKernel(module: ModuleBuilder, shape: DotShape): number {
  const { dtype, fma, rows, cols, tail } = shape;
  return helper(module, `gemm_dot_${dtype}${fma ? "_fma" : ""}_${rows}x${cols}_${tail}`, (name) =>
    module.func(name, new Array(7).fill("i32"), [], (f) => emitDot(f, lanesOf[dtype], shape)),
  );
}

function emitDot(f: FunctionBuilder, lanes: Lanes, { fma, rows, cols, tail }: DotShape): void {
  const [pa, strideA, pb, strideB, c, strideC, vectors] = Array.from({ length: 7 }, (_, i) => i);
  const acc = Array.from({ length: rows }, () => Array.from({ length: cols }, () => f.local("v128")));
  const elements = acc.map(() => f.local("v128"));
  const columns = acc[0].map(() => f.local("v128"));
  const at = f.local("i32");

  /** Acc += the products of the `count` elements at the pointers. */
  const step = (count: number): void => {
    const load = (targets: readonly number[], base: number, stride: number): void => {
      targets.forEach((target, i) => {
        if (i === 1) f.get(base).get(stride).op("i32.add").set(at);
        if (i > 1) advance(f, at, stride);
        loadPart(f, lanes, count, i === 0 ? base : at, 0);
        f.set(target);
      });
    };
    load(elements, pa, strideA);
    load(columns, pb, strideB);
    for (let j = 0; j < cols; j++)
      for (let i = 0; i < rows; i++) multiplyAdd(f, lanes, fma, acc[i][j], elements[i], columns[j]);
  };
  countDown(f, vectors, () => {
    step(lanes.width);
    for (const pointer of [pa, pb]) f.get(pointer).i32(16).op("i32.add").set(pointer);
  });
  if (tail > 0) step(tail);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < cols; j += lanes.width) {
      const group = acc[i].slice(j, j + lanes.width);
      const sums = lanes.width === 4 ? sum4(f, lanes, group) : sum2(f, lanes, group);
      storePart(f, lanes, group.length, c, j * lanes.bytes, sums);
    }
    if (i < rows - 1) advance(f, c, strideC);
  }
}

/** A vector of the element sums of up to two vectors; f64. */
function sum2(f: FunctionBuilder, lanes: Lanes, group: readonly number[]): number {
  return combine(f, lanes, group[0], group[1] ?? group[0], [0, 2], [1, 3]);
}

/** A vector of the element sums of up to four vectors, each summed as (0 + 2) + (1 + 3); f32. */
function sum4(f: FunctionBuilder, lanes: Lanes, group: readonly number[]): number {
  const pair = (a: number, b: number): number => combine(f, lanes, a, b, [0, 4, 1, 5], [2, 6, 3, 7]);
  const low = pair(group[0], group[1] ?? group[0]);
  const high = group.length > 2 ? pair(group[2], group[3] ?? group[2]) : low;
  return combine(f, lanes, low, high, [0, 2], [1, 3]);
}

/** The sum of two shuffles of the same two vectors. */
function combine(
  f: FunctionBuilder,
  lanes: Lanes,
  a: number,
  b: number,
  first: readonly number[],
  second: readonly number[],
): number {
  for (const picks of [first, second]) {
    const size = 16 / picks.length;
    f.get(a)
      .get(b)
      .shuffle(picks.flatMap((p) => Array.from({ length: size }, (_, i) => p * size + i)));
  }
  const sum = f.local("v128");
  f.op(lanes.add).set(sum);
  return sum;
}
