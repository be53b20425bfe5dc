// Contractions with the loops that follow them: where it pays, a product is computed where the loop uses it, in one kernel.

import type { ContractKernel, EpilogueLoop } from "../../compile/ir.ts";
import { isIdentityAccess } from "../../compile/view.ts";
import { sizeOf } from "../../shape.ts";
import { contraction, materialize, type TileStyle } from "./contract.ts";
import { emitLoop, type KeyOf } from "./loop.ts";
import type { Product } from "./stage.ts";
import type { Steps } from "./steps.ts";

interface Options {
  readonly maxArrays: number;
  readonly tiles: TileStyle;
}

/** Position of the product among the arguments. */
const result = 2;

/**
 * Emits a contraction and its epilogue. `slots` are those of its arguments, of these lengths; what it writes replaces
 * them. `keyIn` numbers the random keys of a loop whose arguments are these of the contraction's.
 */
export function emitContraction(
  steps: Steps,
  kernel: ContractKernel,
  slots: (number | undefined)[],
  lengths: readonly number[],
  { maxArrays, tiles }: Options,
  keyIn: (args: readonly number[]) => KeyOf,
): void {
  const product = contraction(steps, kernel, slots.slice(0, result) as number[], tiles);
  const inline = typeof product !== "number" && mayInline(kernel, lengths, product, maxArrays) ? product : undefined;
  slots[result] = inline === undefined ? materialize(steps, kernel, product) : undefined;
  for (const { loop, args } of kernel.epilogue?.loops ?? []) {
    const own = args.map((arg) => slots[arg]);
    const stands = args.flatMap((arg, i): [number, Product][] =>
      arg === result && loop.args[i].mode === "read" && inline !== undefined ? [[i, inline]] : [],
    );
    emitLoop(
      steps,
      loop,
      own,
      args.map((arg) => lengths[arg]),
      keyIn(args),
      new Map(stands),
    );
    args.forEach((arg, i) => {
      if (loop.args[i].mode !== "read") slots[arg] = own[i];
    });
  }
}

/**
 * Whether the loops may compute the product: nobody else wants it, they are one kernel if it is costly, each result has
 * the product's order, and there is room for the operands beside the other arguments.
 */
function mayInline(
  { epilogue, batch, m, n }: ContractKernel,
  lengths: readonly number[],
  { costly }: Product,
  maxArrays: number,
): boolean {
  if (epilogue === undefined || epilogue.kept) return false;
  const kernels = epilogue.loops.reduce((sum, { loop }) => sum + loop.stages[0].stores.length, 0);
  const inOrder = ({ loop, args }: EpilogueLoop): boolean =>
    loop.stages[0].stores.every(
      ({ arg, access }) => isIdentityAccess(access) && lengths[args[arg]] === sizeOf(batch) * m * n,
    );
  const others = ({ loop }: EpilogueLoop): number => loop.args.filter(({ mode }) => mode !== "write").length - 1;
  return !(costly && kernels > 1) && epilogue.loops.every((each) => inOrder(each) && others(each) + 2 <= maxArrays);
}
