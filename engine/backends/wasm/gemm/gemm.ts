// Matrix products of any layout: code for C = A * B in units of work that give the same bits however they are shared.

import type { ContractKernel } from "../../../compile/ir.ts";
import type { FunctionBuilder, ModuleBuilder } from "../assembler/asm.ts";
import { emitRange, type GemmEnv, scratchBytes } from "./drive.ts";
import { lanesOf } from "./lanes.ts";
import { type Plan, planGemm } from "./plan.ts";
import { keep, least, local, minus, push, sum, type Value } from "./ranges.ts";
import { fillPlanTables } from "./strips.ts";

export type { Finish, FinishedBlock, GemmEnv } from "./drive.ts";

type Target = Pick<GemmEnv, "fma">;

/** Units of work of the whole product. */
export const gemmUnits = (kernel: ContractKernel, target: Target): number => planUnits(planGemm(kernel, target.fma));

/** Bytes of scratch memory that each thread needs while it computes. */
export function gemmScratchBytes(kernel: ContractKernel, target: Target): number {
  const { a, b, tables } = scratchBytes(planGemm(kernel, target.fma));
  return a + b + tables;
}

/**
 * Index of the function (a, b, c, lo, hi) that computes units [lo, hi) of the product: addresses in bytes, C written
 * and nothing else. Any split of the units among calls and threads gives the same bits. Where blocks are finished, all
 * arguments that this takes stand before lo.
 */
export const emitGemm = (module: ModuleBuilder, kernel: ContractKernel, env: GemmEnv): number =>
  emitPlan(module, planGemm(kernel, env.fma), env);

export const planUnits = (plan: Plan): number => plan.batch.reduce((units, side) => units * side, plan.unitsPerBatch);

/** As `emitGemm`, for a plan that is given. */
export function emitPlan(module: ModuleBuilder, plan: Plan, env: GemmEnv): number {
  const range = emitRange(module, plan, env);
  const { m, n, k, split, unit, unitsPerBatch } = plan;
  const side = split === "rows" ? m : n;
  const count = env.finish?.args ?? 3;
  return module.func("gemm", new Array(count + 2).fill("i32"), [], (f) => {
    const args = Array.from({ length: count }, (_, i) => local(i));
    const [x, y, c] = args;
    const [lo, hi] = [local(count), local(count + 1)];
    const operands = plan.swapped ? [y, x, c] : [x, y, c];
    const { a, b, tables } = scratchBytes(plan);
    if (tables > 0) {
      env.scratch(f);
      fillPlanTables(f, plan, sum(f, keep(f), [1, a + b]));
    }
    f.block(() =>
      f.loop(() => {
        push(push(f, lo), hi).op("i32.ge_s").brIf(1);
        push(f, lo).i32(unitsPerBatch).op("i32.div_u");
        const element = keep(f);
        // The units of this call that lie in one batch element are one range: what is packed is packed once for all.
        const first = sum(f, 0, [element, unitsPerBatch]);
        const last = least(f, hi, sum(f, first, [1, unitsPerBatch]));
        const from = sum(f, 0, [minus(f, lo, first), unit]);
        const to = least(f, side, sum(f, 0, [minus(f, last, first), unit]));
        for (const address of elementAddresses(f, plan, element, operands)) push(f, address);
        for (const end of split === "rows" ? [from, to, 0, n] : [0, m, from, to]) push(f, end);
        f.i32(k);
        if (env.finish !== undefined) for (const value of [sum(f, 0, [element, m]), ...args]) push(f, value);
        f.call(range);
        push(f, last).set(count).br(0);
      }),
    );
  });
}

/** Where A, B and C of a batch element start, from where the operands start. */
function elementAddresses(
  f: FunctionBuilder,
  plan: Plan,
  element: Value,
  operands: readonly Value[],
): readonly Value[] {
  const { bytes } = lanesOf[plan.dtype];
  const { batch, a, b } = plan;
  const [startA, startB, startC] = operands;
  let atA = sum(f, startA, [1, a.offset * bytes]);
  let atB = sum(f, startB, [1, b.offset * bytes]);
  let rest = element;
  for (let axis = batch.length - 1; axis >= 0; axis--) {
    let index = rest;
    if (axis > 0) {
      push(f, rest).i32(batch[axis]).op("i32.rem_u");
      index = keep(f);
      push(f, rest).i32(batch[axis]).op("i32.div_u");
      rest = keep(f);
    }
    atA = sum(f, atA, [index, a.batch[axis] * bytes]);
    atB = sum(f, atB, [index, b.batch[axis] * bytes]);
  }
  return [atA, atB, sum(f, startC, [element, plan.m * plan.n * bytes])];
}
