// The loops of one product around the tile: blocks, packing and strips, for a range of C that is known at run time.

import type { FunctionBuilder, ModuleBuilder } from "../assembler/asm.ts";
import { dotKernel } from "./dot.ts";
import { tileKernel } from "./kernel.ts";
import { lanesOf } from "./lanes.ts";
import { packer, packForm } from "./pack.ts";
import type { Plan } from "./plan.ts";
import { inBlocks, inSteps, keep, local, minus, push, type Range, sum, type Value } from "./ranges.ts";
import { emitDirectRange } from "./stencil.ts";
import { compositeOf, emitStrip, tableBytes } from "./strips.ts";

export interface GemmEnv {
  /** Whether the machine's relaxed FMA may be used. */
  readonly fma: boolean;
  /** Pushes the address (16-byte aligned) of this thread's scratch memory of at least `gemmScratchBytes`. */
  readonly scratch: (f: FunctionBuilder) => void;
  /** Emits code for a finished block of C, while it is still in the cache: where a bias or an activation is fused. */
  readonly finish?: Finish;
}

export interface Finish {
  /** How many arguments the product takes in all: A, B, C and what only this code needs. */
  readonly args: number;
  readonly emit: (f: FunctionBuilder, block: FinishedBlock) => void;
}

/** A block of one batch element of C, which starts at address `c`, numbered as the plan numbers rows and columns. */
export interface FinishedBlock {
  readonly c: Value;
  readonly rows: Range;
  readonly cols: Range;
  /** Rows of C before this element's. */
  readonly before: Value;
  /** The product's arguments. */
  readonly args: readonly Value[];
}

/** Bytes of scratch memory for a block of packed B, at its start, for a block of packed A, and for tables, behind it. */
export function scratchBytes(plan: Plan): { readonly b: number; readonly a: number; readonly tables: number } {
  const { packA, packB, blockM, blockN, blockK } = plan;
  const bytes = (side: number) => Math.ceil((side * blockK * lanesOf[plan.dtype].bytes) / 64) * 64;
  return { b: packB ? bytes(blockN) : 0, a: packA ? bytes(blockM) : 0, tables: tableBytes(plan) };
}

/**
 * Index of the function (a, b, c, rowFrom, rowTo, colFrom, colTo, k) that computes this range of C from the addresses
 * of one batch element. The plan's k is the largest that `k` may be; the dot path takes the plan's. Where blocks are
 * finished, the rows before the element and the product's arguments follow.
 * `edgeRows` are the numbers of rows that may be left after whole tiles: by default, what the plan's m leaves.
 */
export function emitRange(
  module: ModuleBuilder,
  plan: Plan,
  env: GemmEnv,
  edgeRows: readonly number[] = leftOver(plan.m, plan.rows),
): number {
  const emit = plan.direct !== undefined ? emitDirect : plan.path === "dot" ? emitDots : emitTiles;
  const params = env.finish === undefined ? 8 : 9 + env.finish.args;
  return module.func("gemm_range", new Array(params).fill("i32"), [], (f) => {
    const [a, b, c, rowFrom, rowTo, colFrom, colTo, k, before, ...args] = Array.from({ length: params }, (_, i) =>
      local(i),
    );
    const finish = (rows: Range, cols: Range): void => env.finish?.emit(f, { c, rows, cols, before, args });
    const task: Task = { plan, env, a, b, c, k, rows: [rowFrom, rowTo], cols: [colFrom, colTo], edgeRows, finish };
    emit(module, f, task);
  });
}

interface Task {
  readonly plan: Plan;
  readonly env: GemmEnv;
  readonly a: Value;
  readonly b: Value;
  readonly c: Value;
  readonly k: Value;
  readonly rows: Range;
  readonly cols: Range;
  readonly edgeRows: readonly number[];
  readonly finish: (rows: Range, cols: Range) => void;
}

const leftOver = (side: number, step: number): readonly number[] => (side % step === 0 ? [] : [side % step]);

function emitTiles(module: ModuleBuilder, f: FunctionBuilder, task: Task): void {
  const { plan, env, c, k } = task;
  const { m, n, packA, packB, rows, cols, blockM, blockN, blockK } = plan;
  const { bytes } = lanesOf[plan.dtype];
  const [rowA, stepA, stepB, colB] = [plan.a.row, plan.a.col, plan.b.row, plan.b.col].map((stride) => stride * bytes);
  const edgeCols = leftOver(n, cols);
  env.scratch(f);
  const scratchB = keep(f);
  const scratchA = sum(f, scratchB, [1, scratchBytes(plan).b]);
  const tables = sum(f, scratchA, [1, scratchBytes(plan).a]);
  const composite = compositeOf(plan);

  inBlocks(f, task.cols, blockN, n, ([colFrom, colTo]) =>
    inBlocks(f, [0, k], blockK, plan.k, ([kFrom, kTo]) => {
      const length = minus(f, kTo, kFrom);
      const stripBytes = sum(f, 0, [length, bytes]);
      const a = sum(f, task.a, [kFrom, stepA]);
      const b = sum(f, task.b, [kFrom, stepB]);
      // Where the strip that starts at this row or column of the block was packed.
      const packedA = (row: Value, first: Value) => sum(f, scratchA, [minus(f, row, first), stripBytes]);
      const packedB = (col: Value) => sum(f, scratchB, [minus(f, col, colFrom), stripBytes]);

      if (composite.b !== undefined) {
        const strips = composite.b;
        inSteps(f, [colFrom, colTo], cols, edgeCols, (col, width) => {
          const strip = { base: task.b, tables, lane: col, step: kFrom, target: packedB(col), count: length, width };
          emitStrip(module, f, plan.dtype, strips, { ...strip, tile: cols });
        });
      } else if (packB)
        inSteps(f, [colFrom, colTo], cols, edgeCols, (col, width) => {
          pushAll(f, sum(f, b, [col, colB]), colB, stepB, packedB(col), length);
          f.call(packer(module, plan.dtype, width, packForm(plan.b.col, plan.b.row)));
        });
      inBlocks(f, task.rows, blockM, m, ([rowFrom, rowTo]) => {
        if (composite.a !== undefined) {
          const strips = composite.a;
          inSteps(f, [rowFrom, rowTo], rows, task.edgeRows, (row, width) => {
            const target = packedA(row, rowFrom);
            const strip = { base: task.a, tables, lane: row, step: kFrom, target, count: length, width };
            emitStrip(module, f, plan.dtype, strips, { ...strip, tile: rows });
          });
        } else if (packA)
          inSteps(f, [rowFrom, rowTo], rows, task.edgeRows, (row, height) => {
            pushAll(f, sum(f, a, [row, rowA]), rowA, stepA, packedA(row, rowFrom), length);
            f.call(packer(module, plan.dtype, height, packForm(plan.a.row, plan.a.col)));
          });
        inSteps(f, [colFrom, colTo], cols, edgeCols, (col, width) => {
          const stripB = packB ? packedB(col) : sum(f, b, [col, colB]);
          inSteps(f, [rowFrom, rowTo], rows, task.edgeRows, (row, height) => {
            push(f, packA ? packedA(row, rowFrom) : sum(f, a, [row, rowA]));
            pushAll(f, rowA, packA ? height * bytes : stepA);
            pushAll(f, stripB, packB ? width * bytes : stepB);
            pushAll(f, sum(f, c, [row, n * bytes], [col, bytes]), n * bytes);
            pushAll(f, length, kFrom);
            f.call(tileKernel(module, { dtype: plan.dtype, fma: plan.fma, rows: height, cols: width, a: plan.tileA }));
          });
        });
        if (env.finish !== undefined) {
          push(push(f, kTo), k).op("i32.eq");
          f.if(() => task.finish([rowFrom, rowTo], [colFrom, colTo]));
        }
      });
    }),
  );
}

/** Lanes straight from memory, see gemm-stencil.ts. */
function emitDirect(module: ModuleBuilder, f: FunctionBuilder, task: Task): void {
  task.env.scratch(f);
  emitDirectRange(module, f, task.plan, { ...task, tables: keep(f) });
  task.finish(task.rows, task.cols);
}

function emitDots(module: ModuleBuilder, f: FunctionBuilder, task: Task): void {
  const { plan, a, b, c } = task;
  const { n, k, rows, cols } = plan;
  const { bytes, width } = lanesOf[plan.dtype];
  const [rowA, colB] = [plan.a.row * bytes, plan.b.col * bytes];
  inSteps(f, task.cols, cols, leftOver(n, cols), (col, across) => {
    inSteps(f, task.rows, rows, task.edgeRows, (row, height) => {
      pushAll(f, sum(f, a, [row, rowA]), rowA, sum(f, b, [col, colB]), colB);
      pushAll(f, sum(f, c, [row, n * bytes], [col, bytes]), n * bytes, Math.floor(k / width));
      f.call(dotKernel(module, { dtype: plan.dtype, fma: plan.fma, rows: height, cols: across, tail: k % width }));
    });
  });
  task.finish(task.rows, task.cols);
}

function pushAll(f: FunctionBuilder, ...values: readonly Value[]): void {
  for (const value of values) push(f, value);
}
