// What is known of a value whatever the arguments hold: for code that is cheaper where its operand is in bounds.

import type { Instr, LoopKernel, Stage } from "../../../compile/ir.ts";
import type { Access } from "../../../compile/view.ts";

/** Whether a float value of a stage is at most 0, or NaN: x minus the maximum over x, rounded, is. */
export function atMostZero(kernel: LoopKernel, stage: Stage, value: number): boolean {
  const difference = stage.instrs[value];
  if (difference.op !== "apply" || difference.fn !== "sub" || stage.over !== "row") return false;
  const [x, largest] = difference.args;
  const known = stage.instrs[largest];
  if (known.op !== "register") return false;
  return kernel.stages.some((earlier) =>
    earlier.folds.some(
      (fold) =>
        fold.op === "max" &&
        fold.register === known.register &&
        earlier.over === "row" &&
        same(kernel, [earlier, fold.value], [stage, x]),
    ),
  );
}

type Value = readonly [stage: Stage, instr: number];

/** Whether two values of row stages are equal at each index, by how they are made: nothing between could change them. */
function same(kernel: LoopKernel, [first, i]: Value, [second, j]: Value): boolean {
  const [a, b] = [first.instrs[i], second.instrs[j]];
  if (a.dtype !== b.dtype) return false;
  if (a.op === "apply" && b.op === "apply") {
    return a.fn === b.fn && a.args.every((arg, at) => same(kernel, [first, arg], [second, b.args[at]]));
  }
  if (a.op === "load" && b.op === "load") {
    const written = kernel.stages.some(({ stores }) => stores.some(({ arg }) => arg === a.arg));
    return a.arg === b.arg && Object.is(a.fill, b.fill) && sameAccess(a.access, b.access) && !written;
  }
  return sameLeaf(a, b);
}

const sameLeaf = (a: Instr, b: Instr): boolean =>
  (a.op === "register" && b.op === "register" && a.register === b.register) ||
  (a.op === "const" && b.op === "const" && Object.is(a.value, b.value));

const sameAccess = (a: Access, b: Access): boolean => a === b || JSON.stringify(a) === JSON.stringify(b);
