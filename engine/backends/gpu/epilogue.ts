// Which products are computed where they are used: a bias, an activation, a residual in the kernel of the product itself.

import type { Instr, KernelCall, LoopKernel, Program } from "../../compile/ir.ts";
import { isIdentityAccess } from "../../compile/view.ts";
import type { Writer } from "./writer.ts";

/** A value that a kernel may compute instead of reading it. */
export interface Product {
  /** The element at a position. */
  value(w: Writer, position: string): string;
  /** Computing an element again costs as much as it did the first time. */
  readonly costly: boolean;
}

/** How loops use the product of a contraction. */
export interface Epilogue {
  /** Kernels that the loops become: one a result. */
  readonly stores: number;
}

/**
 * By the position of a contraction's call, where it is read by nothing but loops, element by element, each in its own
 * place, that have room for the operands beside their other arguments.
 */
export function findEpilogues(program: Program, maxArrays: number): ReadonlyMap<number, Epilogue> {
  const { calls, kernels, buffers, inputs, outputs, copies } = program;
  const users: KernelCall[][] = buffers.map(() => []);
  for (const call of calls) for (const buffer of new Set(call.args)) users[buffer].push(call);
  const pinned = new Set([...inputs, ...outputs, ...copies.flat()]);
  /** How many results a call has that reads a buffer in order, or undefined where it reads it otherwise. */
  const storesOf = ({ kernel, args }: KernelCall, buffer: number): number | undefined => {
    const loop = kernels[kernel];
    const arg = args.indexOf(buffer);
    if (loop.kind !== "loop" || loop.args[arg].mode !== "read" || !isElementwise(loop, arg)) return undefined;
    const { stores } = loop.stages[0];
    const others = loop.args.filter(({ mode }) => mode !== "write").length - 1;
    const whole = stores.every((store) => buffers[args[store.arg]].length === buffers[buffer].length);
    return whole && others + 2 <= maxArrays ? stores.length : undefined;
  };
  const found = new Map<number, Epilogue>();
  calls.forEach((call, at) => {
    const result = call.args[call.args.length - 1];
    if (kernels[call.kernel].kind !== "contract" || pinned.has(result)) return;
    const stores = users[result].slice(1).map((user) => storesOf(user, result));
    if (stores.length === 0 || stores.includes(undefined)) return;
    found.set(at, { stores: stores.reduce<number>((sum, count) => sum + (count as number), 0) });
  });
  return found;
}

/** One stage without folds whose stores, and whose only load of the argument, are in order. */
function isElementwise({ stages }: LoopKernel, arg: number): boolean {
  const [{ instrs, folds, keeps, stores }] = stages;
  const uses = instrs.filter((instr) => (instr.op === "load" || instr.op === "gather") && instr.arg === arg);
  if (stages.length > 1 || folds.length + keeps.length > 0 || uses.length !== 1) return false;
  const inOrder = (instr: Instr): boolean => instr.op === "load" && isIdentityAccess(instr.access);
  return uses.every(inOrder) && stores.every(({ access, add }) => add === undefined && isIdentityAccess(access));
}
