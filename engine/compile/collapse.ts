// Makes a loop kernel's axes as few and as long as its accesses allow, and chooses the axis SIMD lanes run along.

import type { Instr, LoopKernel, Stage, Store } from "./ir.ts";
import { inLine, keepsOrder, type Order } from "./rounding.ts";
import { type Access, oneStep, type View } from "./view.ts";

const accessesOf = (stage: Stage): Access[] => [
  ...stage.instrs.flatMap((instr) => ("access" in instr ? [instr.access] : [])),
  ...stage.stores.map((store) => store.access),
];

const mapAccesses = (stage: Stage, map: (access: Access) => Access): Stage => ({
  ...stage,
  instrs: stage.instrs.map((instr): Instr => ("access" in instr ? { ...instr, access: map(instr.access) } : instr)),
  stores: stage.stores.map((store): Store => ({ ...store, access: map(store.access) })),
});

/** `orders` are those of the kernel's folds: axes merge only as far as terms stay in order. */
export function collapse(kernel: LoopKernel, orders: readonly Order[] = []): LoopKernel {
  // Without folds every axis is alike: all may merge, and the last one that is left is the row.
  const folds = summedOf(kernel) > 0 || kernel.stages.some((stage) => stage.folds.length > 0 || stage.over === "point");
  const merged = mergeAxes(dropOnes(folds ? kernel : { ...kernel, outer: 0 }), orders);
  const outer = folds ? merged.outer : Math.max(0, merged.axes.length - 1);
  return { ...merged, outer, lanes: chooseLanes({ ...merged, outer }) };
}

/** The terms of a line: the last row axis of more than one index. */
export const lineOf = ({ axes, outer }: LoopKernel): number => axes.slice(outer).findLast((side) => side !== 1) ?? 1;

const summedOf = (kernel: LoopKernel): number => kernel.summed ?? 0;

/** Rebuilds the kernel over the axes for which `keep` holds (an axis that goes has one index or is merged away). */
function withoutAxis(kernel: LoopKernel, gone: number, side?: number): LoopKernel {
  const drop = <T>(list: readonly T[]): T[] => list.filter((_, i) => i !== gone);
  const shrink = (list: readonly number[]): number[] => {
    const sides = drop(list);
    if (side !== undefined && list.length > gone) sides[gone] = side;
    return sides;
  };
  const view = (v: View): View => ({
    shape: shrink(v.shape),
    strides: drop(v.strides),
    offset: v.offset,
    mask: v.mask && reshapeMask(v.mask, gone, side),
  });
  const map = ([front, ...rest]: Access): Access => [view(front), ...rest];
  return {
    ...kernel,
    axes: shrink(kernel.axes),
    outer: gone < kernel.outer ? kernel.outer - 1 : kernel.outer,
    summed: gone < kernel.outer && gone >= kernel.outer - summedOf(kernel) ? summedOf(kernel) - 1 : summedOf(kernel),
    stages: kernel.stages.map((stage) => mapAccesses(stage, map)),
  };
}

function reshapeMask(mask: NonNullable<View["mask"]>, gone: number, side: number | undefined): View["mask"] {
  const rest = mask.filter((_, i) => i !== gone);
  return side === undefined || mask.length <= gone ? rest : rest.with(gone, [0, side]);
}

function dropOnes(kernel: LoopKernel): LoopKernel {
  // A row of one element stays: every kernel has a row.
  const rows = kernel.axes.length - kernel.outer;
  const at = kernel.axes.findIndex(
    (side, axis) => side === 1 && (axis < kernel.outer || rows > 1) && !masksOut(kernel, axis),
  );
  return at < 0 ? kernel : dropOnes(withoutAxis(kernel, at));
}

/** An axis of one index that some access masks away must stay. */
const masksOut = (kernel: LoopKernel, axis: number): boolean =>
  kernel.stages.flatMap(accessesOf).some(([front]) => {
    const limits = front.mask?.[axis];
    return limits !== undefined && (limits[0] > 0 || limits[1] < 1);
  });

/** Merges axis a into a + 1 where every access steps over both as over one. */
function mergeAxes(kernel: LoopKernel, orders: readonly Order[]): LoopKernel {
  for (let a = kernel.axes.length - 2; a >= 0; a--) {
    if (a === kernel.outer - 1) continue;
    const side = kernel.axes[a] * kernel.axes[a + 1];
    if (a >= kernel.outer && !orders.every((order) => mayJoin(kernel, a + 1, side, order))) continue;
    const joint = kernel.stages.every((stage) =>
      accessesOf(stage).every(([front]) => a + 1 >= front.shape.length || oneStep(front, a)),
    );
    if (joint) return mergeAxes(withoutAxis(kernel, a, side), orders);
  }
  return kernel;
}

/** Whether a row axis may be part of one of `side` indices: where it is a line's, only to complete the line. */
function mayJoin(kernel: LoopKernel, axis: number, side: number, order: Order): boolean {
  const inner = kernel.axes.slice(axis + 1).some((other) => other !== 1);
  return inner || keepsOrder(order, side) || (inLine(order, side) && !keepsOrder(order, kernel.axes[axis]));
}

const addsUp = (kernel: LoopKernel): boolean => kernel.stages.some((stage) => stage.stores.some((store) => store.add));

/** Lanes run as folds say, or along the axis on which more accesses are contiguous: the last of the row, or the last outer one. */
function chooseLanes(kernel: LoopKernel): LoopKernel["lanes"] {
  const { axes, outer } = kernel;
  const ordered = kernel.stages.flatMap(({ folds }) => folds).find(({ parts }) => parts !== undefined);
  if (ordered !== undefined) return ordered.parts === 1 ? "outer" : "row";
  if (outer === 0 || outer === axes.length || addsUp(kernel)) return "row";
  const contiguous = (axis: number): number =>
    kernel.stages
      .filter((stage) => stage.over === "row")
      .flatMap(accessesOf)
      .filter((access) => access.length === 1 && access[0].strides[axis] === 1).length;
  // A row shorter than two vectors leaves lanes empty, and its folds end in horizontal steps.
  const short = axes[axes.length - 1] < 8 && axes[outer - 1] >= 2 * axes[axes.length - 1];
  return short || contiguous(outer - 1) > contiguous(axes.length - 1) ? "outer" : "row";
}
