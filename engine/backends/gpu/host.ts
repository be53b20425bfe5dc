// The part of a program that is computed on the host: random keys and whatever makes them. Keys need all 32 bits of
// their words, which the device's floats don't have, and are a handful of numbers.

import type { EpilogueLoop, Instr, Kernel, LoopKernel, Program, Stage } from "../../compile/ir.ts";
import { locate } from "../../compile/view.ts";
import { type HostArray, hostArray, roundTo } from "../../dtype.ts";
import { SluiceError } from "../../errors.ts";
import { integerScalar, primitives } from "../../primitives/index.ts";
import { threefry2x32, uniformBelow, uniformF32 } from "../../random.ts";

export interface HostPart {
  /** Buffers whose values are known on the host. */
  readonly buffers: ReadonlySet<number>;
  /** Positions of the calls that run on the host. */
  readonly calls: ReadonlySet<number>;
}

/** Finds what random keys are made of, back to the inputs. */
export function hostPart(program: Program): HostPart {
  const buffers = new Set<number>();
  const calls = new Set<number>();
  for (const { kernel, args } of program.calls) {
    for (const { loop, args: which } of loopsOf(program.kernels[kernel]))
      for (const arg of keyArguments(loop)) buffers.add(args[which[arg]]);
  }
  for (let before = -1; before !== buffers.size + calls.size; ) {
    before = buffers.size + calls.size;
    program.calls.forEach(({ kernel, args }, at) => {
      const { args: modes, kind } = program.kernels[kernel];
      if (!args.some((buffer, i) => modes[i].mode !== "read" && buffers.has(buffer))) return;
      if (kind !== "loop")
        throw new SluiceError("gpu", `a random key that comes out of a ${kind} kernel is not supported`);
      calls.add(at);
      for (const buffer of args) buffers.add(buffer);
    });
    for (const [from, to] of program.copies) if (buffers.has(to)) buffers.add(from);
  }
  return { buffers, calls };
}

/** The loops of a kernel, and which of its arguments are theirs. */
function loopsOf(kernel: Kernel): readonly EpilogueLoop[] {
  if (kernel.kind === "loop") return [{ loop: kernel, args: kernel.args.map((_, i) => i) }];
  return kernel.kind === "contract" ? (kernel.epilogue?.loops ?? []) : [];
}

/** Arguments that the words of random keys are loaded from. */
function keyArguments(kernel: LoopKernel): Set<number> {
  const found = new Set<number>();
  for (const { instrs } of kernel.stages) {
    const visit = (at: number): void => {
      const instr = instrs[at];
      if (instr.op === "load") found.add(instr.arg);
      if (instr.op === "apply") instr.args.forEach(visit);
    };
    for (const instr of instrs) {
      if (instr.op === "apply" && instr.fn === "uniform") instr.args.slice(0, 3).forEach(visit);
    }
  }
  return found;
}

type Arrays = readonly ArrayLike<number>[];

/** The value of an instruction at an index. */
export function evaluate(stage: Stage, at: number, index: readonly number[], arrays: Arrays): number {
  const value = (i: number): number => evaluate(stage, i, index, arrays);
  const instr: Instr = stage.instrs[at];
  switch (instr.op) {
    case "const":
      return instr.value;
    case "load": {
      const flat = locate(instr.access, index.slice(0, instr.access[0].shape.length));
      return flat === undefined ? instr.fill : arrays[instr.arg][flat];
    }
    case "index":
      return locate(instr.access, index.slice(0, instr.access[0].shape.length)) ?? instr.fill;
    case "apply": {
      const args = instr.args.map(value);
      if (instr.fn === "uniform") {
        const [hi, lo] = threefry2x32(args[0], args[1], args[3], args[2]);
        return instr.dtype === "i32" ? uniformBelow(hi, lo, args[4] >>> 0 || 2 ** 32) : uniformF32(hi);
      }
      if (instr.fn === "cast") return roundTo(instr.dtype, args[0]);
      if (instr.dtype === "i32" && instr.fn !== "where") return integerScalar(instr.fn, ...args);
      return (primitives[instr.fn].scalar as (...args: number[]) => number)(...args);
    }
    default:
      throw new SluiceError("gpu", `a random key that depends on a ${instr.op} is not supported`);
  }
}

/** Runs a loop kernel without folds on the host; results replace `arrays`. */
export function runOnHost(kernel: LoopKernel, arrays: HostArray[], lengths: readonly number[]): void {
  const { axes } = kernel;
  const size = axes.reduce((n, side) => n * side, 1);
  for (const stage of kernel.stages) {
    if (stage.folds.length + stage.keeps.length > 0) {
      throw new SluiceError("gpu", "a random key that depends on a reduction is not supported");
    }
    const results = stage.stores.map(({ arg }) =>
      arrays[arg] === undefined ? hostArray(kernel.args[arg].dtype, lengths[arg]) : (arrays[arg].slice() as HostArray),
    );
    for (let flat = 0; flat < size; flat++) {
      let rest = flat;
      const index = axes.toReversed().map((side) => {
        const here = rest % side;
        rest = Math.floor(rest / side);
        return here;
      });
      index.reverse();
      stage.stores.forEach(({ access, value }, i) => {
        const to = locate(access, index.slice(0, access[0].shape.length)) as number;
        results[i][to] = evaluate(stage, value, index, arrays);
      });
    }
    stage.stores.forEach(({ arg }, i) => {
      arrays[arg] = results[i];
    });
  }
}
