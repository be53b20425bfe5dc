// Positions that the host has are looked at before a run: no kernel and no readback is needed for it, and nothing has
// changed yet when one is out of range.

import type { Instr, LoopKernel, Program } from "../../compile/ir.ts";
import type { View } from "../../compile/view.ts";
import type { HostArray } from "../../dtype.ts";
import { checkOffsets } from "../../primitives/grouped.ts";
import { indexError } from "../../primitives/indexing.ts";
import { sizeOf } from "../../shape.ts";
import type { Cell } from "./memory.ts";

export interface Check {
  /** Which of the program's inputs. */
  readonly input: number;
  /** Throws a ShapeError. */
  readonly look: (values: HostArray) => void;
  /** What has been looked at. */
  readonly passed: WeakSet<Cell>;
}

/** What must hold of inputs of which every element is a position. */
export function checksOf(program: Program): Check[] {
  const { buffers, kernels, inputs } = program;
  const checks: Check[] = [];
  /** Inputs whose elements all are in a buffer, as they are. */
  const origins: Set<number>[] = buffers.map((_, buffer) => {
    const input = inputs.indexOf(buffer);
    return new Set(input < 0 ? [] : [input]);
  });
  const add = (buffer: number, look: Check["look"]): void => {
    for (const input of origins[buffer]) checks.push({ input, look, passed: new WeakSet() });
  };
  for (const { kernel: at, args } of program.calls) {
    const kernel = kernels[at];
    const origin = (load: Load): Iterable<number> =>
      reachesAll(load, buffers[args[load.arg]].length) ? origins[args[load.arg]] : [];
    if (kernel.kind === "grouped") add(args[2], (values) => checkOffsets(kernel.source, values, sortedRows(kernel)));
    if (kernel.kind === "scatter") add(args[1], within(kernel));
    const loads = kernel.kind === "loop" ? loadsOf(kernel) : { positions: [], copies: [] };
    for (const { load, look } of loads.positions) {
      for (const input of origin(load)) checks.push({ input, look, passed: new WeakSet() });
    }
    const copied = loads.copies.map(({ load, to }) => ({ to: args[to], from: [...origin(load)] }));
    args.forEach((buffer, i) => {
      if (kernel.args[i].mode !== "read" && inputs.includes(buffer)) origins[buffer].clear();
    });
    for (const { to, from } of copied) for (const input of from) origins[to].add(input);
  }
  return checks;
}

const sortedRows = ({
  over,
  m,
  k,
}: {
  readonly over: "rows" | "inner";
  readonly m: number;
  readonly k: number;
}): number => (over === "rows" ? m : k);

type Bounded = Pick<Extract<Instr, { op: "gather" }>, "source" | "bound">;

const within =
  ({ source, bound }: Bounded) =>
  (values: HostArray): void => {
    for (const index of values) if (index < 0 || index >= bound) throw indexError(source, index, bound);
  };

type Load = Extract<Instr, { op: "load" }>;

/** Loads of positions that are gathered at, and loads that are stored as they are. */
function loadsOf({ stages, axes }: LoopKernel) {
  const positions: { readonly load: Load; readonly look: Check["look"] }[] = [];
  const copies: { readonly load: Load; readonly to: number }[] = [];
  for (const { instrs, stores } of sizeOf(axes) === 0 ? [] : stages) {
    for (const instr of instrs) {
      const load = instr.op === "gather" ? instrs[instr.index] : undefined;
      if (instr.op === "gather" && load?.op === "load") positions.push({ load, look: within(instr) });
    }
    for (const { value, arg } of stores) {
      const load = instrs[value];
      if (load.op === "load") copies.push({ load, to: arg });
    }
  }
  return { positions, copies };
}

/** Whether a load meets every element of a buffer. */
function reachesAll({ access }: Load, length: number): boolean {
  const [view] = access;
  return access.length === 1 && view.mask === undefined && reach(view) === length;
}

/** How many elements a view meets, if these lie side by side from the first one on; else 0. */
function reach({ shape, strides }: View): number {
  const axes = shape.map((side, axis) => ({ side, stride: Math.abs(strides[axis]) }));
  const moving = axes.filter(({ side, stride }) => side > 1 && stride > 0).sort((a, b) => a.stride - b.stride);
  return moving.reduce((met, { side, stride }) => (stride === met ? met * side : 0), 1);
}
