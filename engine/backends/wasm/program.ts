// A program as one module: a function per distinct kernel, and a generated `run` that calls them in order with
// addresses worked out now. Nothing is decided when it runs.

import type { Kernel, KernelCall, Program } from "../../compile/ir.ts";
import { bytesPerElement } from "../../dtype.ts";
import { ShapeError } from "../../errors.ts";
import type { FunctionBuilder } from "./asm.ts";
import { Env } from "./env.ts";
import { emitGemm, gemmScratchBytes, gemmUnits } from "./gemm.ts";
import { errorAddress, type Heap } from "./heap.ts";
import { emitLoop, loopUnits } from "./loop.ts";
import { emitScatter, scatterUnits } from "./scatter.ts";
import { emitSort, sortUnits } from "./sort.ts";

/** A program that is ready to run in a heap. */
export interface Instance {
  readonly program: Program;
  readonly moduleBytes: number;
  /** Runs the program: `table` is the address of the addresses of its state buffers, in order of their numbers. */
  run(arena: number, table: number): void;
  /** Bytes the arena must have: the program's and its scratch memory. */
  readonly arenaBytes: number;
  /** Position in the table of each state buffer. */
  readonly stateSlots: ReadonlyMap<number, number>;
}

/** Work (multiply-adds, or vector instructions) that one call may hold before the optimising compiler has been. */
const callWork = 1 << 21;
/** Calls in one function of the generated driver. */
const callsPerFunction = 256;

export function instantiate(heap: Heap, program: Program): Instance {
  const env = new Env(heap);
  const kernels = program.kernels.map((kernel, id) => emitKernel(env, kernel, id));
  const stateSlots = new Map<number, number>();
  program.buffers.forEach((buffer, i) => {
    if (buffer.role === "state") stateSlots.set(i, stateSlots.size);
  });
  const scratchStart = Math.ceil(program.arena.bytes / 64) * 64 + 64;
  new Driver(env, program, kernels, stateSlots, scratchStart).emit();
  const { exports, bytes } = env.instantiate();
  const run = exports.run as (arena: number, table: number) => void;
  return {
    program,
    moduleBytes: bytes,
    arenaBytes: scratchStart + env.scratchBytes,
    stateSlots,
    run(arena, table) {
      run(arena, table);
      checkErrors(heap);
    },
  };
}

/** Throws for an index that a kernel found out of range. */
function checkErrors(heap: Heap): void {
  const record = heap.words;
  const at = errorAddress / 4;
  if (record[at] === 0) return;
  record[at] = 0;
  throw new ShapeError("gather", `index ${record[at + 1]} is out of range for an axis of ${record[at + 2]}`);
}

export interface EmittedKernel {
  readonly index: number;
  readonly units: number;
  /** Work of a whole call. */
  readonly work: number;
}

const product = (sides: readonly number[]): number => sides.reduce((n, side) => n * side, 1);

function emitKernel(env: Env, kernel: Kernel, id: number): EmittedKernel {
  const name = `${kernel.kind}${id}`;
  switch (kernel.kind) {
    case "loop": {
      const instrs = kernel.stages.reduce((n, stage) => n + stage.instrs.length, 0);
      return {
        index: emitLoop(env, kernel, name, id),
        units: loopUnits(kernel),
        work: product(kernel.axes) * instrs * 2,
      };
    }
    case "contract": {
      const scratch = (f: FunctionBuilder) => f.globalGet(env.scratchGlobal);
      env.needScratch(gemmScratchBytes(kernel, env));
      return {
        index: emitGemm(env.module, kernel, { fma: env.fma, scratch }),
        units: gemmUnits(kernel, env),
        work: (product(kernel.batch) * kernel.m * kernel.n * kernel.k) / 8,
      };
    }
    case "scatter":
      return {
        index: emitScatter(env, kernel, name, id),
        units: scatterUnits(kernel),
        work: kernel.outer * kernel.count * kernel.inner * 8,
      };
    case "sort":
      return { index: emitSort(env, kernel, name), units: sortUnits(kernel), work: kernel.rows * kernel.length * 40 };
  }
}

/** Emits `run(arena, table)`. */
class Driver {
  private readonly env: Env;
  private readonly program: Program;
  private readonly kernels: readonly EmittedKernel[];
  private readonly stateSlots: ReadonlyMap<number, number>;
  private readonly scratchStart: number;

  constructor(
    env: Env,
    program: Program,
    kernels: readonly EmittedKernel[],
    stateSlots: ReadonlyMap<number, number>,
    scratchStart: number,
  ) {
    this.env = env;
    this.program = program;
    this.kernels = kernels;
    this.stateSlots = stateSlots;
    this.scratchStart = scratchStart;
  }

  emit(): void {
    const { env, program } = this;
    const parts: number[] = [];
    for (let first = 0; first < program.calls.length; first += callsPerFunction) {
      const calls = program.calls.slice(first, first + callsPerFunction);
      parts.push(
        env.module.func(`calls${first}`, ["i32", "i32"], [], (f) => {
          for (const call of calls) this.call(f, call);
        }),
      );
    }
    env.module.func(
      "run",
      ["i32", "i32"],
      [],
      (f) => {
        f.get(0).i32(this.scratchStart).op("i32.add").globalSet(env.scratchGlobal);
        for (const part of parts) f.get(0).get(1).call(part);
        for (const [from, to] of program.copies) {
          const { dtype, length } = program.buffers[from];
          this.address(f, to);
          this.address(f, from);
          f.i32(length * bytesPerElement(dtype)).memoryCopy();
        }
      },
      { export: true },
    );
  }

  private address(f: FunctionBuilder, buffer: number): void {
    const slot = this.stateSlots.get(buffer);
    if (slot !== undefined) f.get(1).load("i32.load", slot * 4);
    else
      f.get(0)
        .i32(this.program.arena.offsets[buffer] ?? 0)
        .op("i32.add");
  }

  /** One kernel call; a long one in several, since code that is compiled meanwhile only counts from the next call on. */
  private call(f: FunctionBuilder, { kernel, args }: KernelCall): void {
    const { index, units, work } = this.kernels[kernel];
    if (units === 0) return;
    const step = Math.ceil(units / Math.max(1, Math.ceil(work / callWork)));
    if (step >= units) {
      for (const buffer of args) this.address(f, buffer);
      f.i32(0).i32(units).call(index);
      return;
    }
    const lo = f.local("i32");
    const hi = f.local("i32");
    f.i32(0).set(lo);
    f.loop(() => {
      f.get(lo).i32(step).op("i32.add").tee(hi).i32(units).get(hi).i32(units).op("i32.lt_u").op("select").set(hi);
      for (const buffer of args) this.address(f, buffer);
      f.get(lo).get(hi).call(index);
      f.get(hi).tee(lo).i32(units).op("i32.lt_u").brIf(0);
    });
  }
}
