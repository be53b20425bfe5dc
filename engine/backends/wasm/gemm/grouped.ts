// Products over rows sorted by group (mixtures of experts): where groups start is data, read when the product runs.

import type { MatrixAccess } from "../../../compile/ir.ts";
import type { FunctionBuilder, ModuleBuilder } from "../assembler/asm.ts";
import { emitRange, type GemmEnv, scratchBytes } from "./drive.ts";
import { fullTile } from "./kernel.ts";
import { lanesOf } from "./lanes.ts";
import { choosePath, cut, type Plan } from "./plan.ts";
import { inSteps, keep, least, local, minus, most, push, sum, type Value } from "./ranges.ts";

/**
 * Group g is the rows [offsets[g], offsets[g + 1]) of a sorted axis.
 * `rows`: C[r, :] = A[r, :] * B[g], for r in group g; the sorted axis is m, B's batch stride leads to the next group.
 * `inner`: C[g] = A[:, r] * B[r, :] summed over r in group g; the sorted axis is k, C has one matrix per group.
 */
export interface GroupedProduct {
  readonly over: "rows" | "inner";
  readonly dtype: "f32" | "f64";
  readonly groups: number;
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly a: MatrixAccess;
  readonly b: MatrixAccess;
}

type Target = Pick<GemmEnv, "fma">;

function planGrouped(product: GroupedProduct, fma: boolean): Plan {
  const { over, groups } = product;
  const whole = { ...product, batch: [], swapped: false };
  // The path is chosen for groups of equal size; any size is computed rightly.
  const share = (side: number): number => Math.ceil(side / Math.max(1, groups));
  const typical = over === "rows" ? { ...whole, m: share(product.m) } : { ...whole, k: share(product.k) };
  const path = choosePath(typical, fma, over === "rows");
  // Groups differ in size: but for the smallest, the full tile is best for most of them.
  const rows = over === "rows" && path.path === "tile" && path.rows > 2 ? fullTile(product.dtype, fma).rows : path.rows;
  return cut({ ...whole, fma, ...path, rows }, over === "rows" ? "rows" : undefined);
}

/** Units of work; as for other products, any split of them gives the same bits. They are even whatever the groups' sizes. */
export const groupedUnits = (product: GroupedProduct, target: Target): number =>
  product.groups === 0 && product.over === "inner" ? 0 : planGrouped(product, target.fma).unitsPerBatch;

export function groupedScratchBytes(product: GroupedProduct, target: Target): number {
  const { a, b } = scratchBytes(planGrouped(product, target.fma));
  return a + b;
}

/**
 * Index of the function (a, b, offsets, c, lo, hi) that computes units [lo, hi). Offsets are groups + 1 ascending i32;
 * others are clamped to the sorted axis, so that wrong ones give wrong results but no stray access. Rows of C (`rows`)
 * before the first group and after the last are zero.
 */
export function emitGrouped(module: ModuleBuilder, product: GroupedProduct, env: GemmEnv): number {
  const plan = planGrouped(product, env.fma);
  const { m, n, k, unit } = plan;
  const bytes = lanesOf[plan.dtype].bytes;
  const anyEdge = Array.from({ length: plan.rows - 1 }, (_, i) => i + 1);
  const range = emitRange(module, plan, env, product.over === "rows" ? anyEdge : undefined);
  return module.func("gemm_grouped", new Array(6).fill("i32"), [], (f) => {
    const [x, y, offsets, c, lo, hi] = Array.from({ length: 6 }, (_, i) => local(i));
    const a = sum(f, x, [1, plan.a.offset * bytes]);
    const b = sum(f, y, [1, plan.b.offset * bytes]);
    const from = sum(f, 0, [lo, unit]);
    const to = least(f, plan.split === "rows" ? m : n, sum(f, 0, [hi, unit]));
    const offset = (group: Value, next: 0 | 1): Value => {
      push(f, sum(f, offsets, [group, 4])).load("i32.load", 4 * next);
      return keep(f);
    };
    const call = (...args: readonly Value[]): void => {
      for (const arg of args) push(f, arg);
      f.call(range);
    };
    if (product.over === "rows") {
      clearRows(f, c, n * bytes, from, least(f, to, offset(0, 0)));
      clearRows(f, c, n * bytes, most(f, from, offset(product.groups, 0)), to);
    }
    inSteps(f, [0, product.groups], 1, [], (group) => {
      const [start, end] = [offset(group, 0), offset(group, 1)];
      if (product.over === "rows") {
        const [first, last] = [most(f, from, start), least(f, to, end)];
        push(push(f, first), last).op("i32.lt_s");
        f.if(() => call(a, sum(f, b, [group, plan.b.batch[0] * bytes]), c, first, last, 0, n, k));
        return;
      }
      const first = most(f, 0, least(f, k, start));
      const length = minus(f, most(f, first, least(f, k, end)), first);
      const atA = sum(f, a, [first, plan.a.col * bytes]);
      const atB = sum(f, b, [first, plan.b.row * bytes]);
      const atC = sum(f, c, [group, m * n * bytes]);
      if (plan.split === "rows") call(atA, atB, atC, from, to, 0, n, length);
      else call(atA, atB, atC, 0, m, from, to, length);
    });
  });
}

/** Emits the record of an offset that is wrong, and the bound it violates. */
type Report = (f: FunctionBuilder, offset: () => void, bound: () => void) => void;

/** As `emitGrouped`; offsets that do not ascend within the sorted axis are reported as an error of the run. */
export function emitGroupedKernel(
  module: ModuleBuilder,
  product: GroupedProduct,
  env: GemmEnv,
  report: Report,
): number {
  const compute = emitGrouped(module, product, env);
  const rows = product.over === "rows" ? product.m : product.k;
  return module.func("gemm_grouped_checked", new Array(6).fill("i32"), [], (f) => {
    const offsets = local(2);
    const [before, offset] = [f.local("i32"), f.local("i32")];
    inSteps(f, [0, product.groups + 1], 1, [], (group) => {
      push(f, sum(f, offsets, [group, 4]))
        .load("i32.load")
        .tee(offset)
        .get(before)
        .op("i32.lt_s");
      f.if(() =>
        report(
          f,
          () => f.get(offset),
          () => f.get(before),
        ),
      );
      f.get(offset).set(before);
    });
    f.get(before).i32(rows).op("i32.gt_s");
    f.if(() =>
      report(
        f,
        () => f.get(before),
        () => f.i32(rows),
      ),
    );
    for (let i = 0; i < 6; i++) f.get(i);
    f.call(compute);
  });
}

/** Zeroes rows [from, to) of C, if there are any. */
function clearRows(f: FunctionBuilder, c: Value, rowBytes: number, from: Value, to: Value): void {
  push(push(f, from), to).op("i32.lt_s");
  f.if(() => {
    push(f, sum(f, c, [from, rowBytes])).i32(0);
    push(f, sum(f, 0, [minus(f, to, from), rowBytes])).memoryFill();
  });
}
