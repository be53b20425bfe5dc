// A program as one module: a function per distinct kernel, and a generated `run` that calls them in order with
// addresses worked out now. Nothing is decided when it runs.

import type { Kernel, KernelCall, Program } from "../../compile/ir.ts";
import { bytesPerElement } from "../../dtype.ts";
import { ShapeError } from "../../errors.ts";
import { offsetError } from "../../primitives/grouped.ts";
import type { FunctionBuilder } from "./asm.ts";
import { emitBarrier } from "./barrier.ts";
import { Env } from "./env.ts";
import { emitGemm, gemmScratchBytes, gemmUnits } from "./gemm.ts";
import { emitGroupedKernel, groupedScratchBytes, groupedUnits } from "./gemm-grouped.ts";
import { errorAddress, type Heap } from "./heap.ts";
import { mainMayWait } from "./host.ts";
import { emitLoop, loopUnits } from "./loop.ts";
import { emitScan, scanUnits } from "./scan.ts";
import { emitScatter, scatterUnits } from "./scatter.ts";
import { type KernelCost, type ScheduledCall, schedule } from "./schedule.ts";
import { emitSort, sortUnits } from "./sort.ts";

/** A program that is ready to run in a heap. */
export interface Instance {
  readonly program: Program;
  readonly module: WebAssembly.Module;
  readonly moduleBytes: number;
  /** Work that threads can share, in multiply-adds or vector instructions. */
  readonly sharedWork: number;
  /**
   * This thread's part of a run. `arena` is the address of the arena, `table` that of the addresses of the state
   * buffers, in order of their numbers.
   */
  run(thread: number, threads: number, arena: number, table: number): void;
  /** Bytes the arena must have for that many threads: the program's and their scratch memory. */
  arenaBytes(threads: number): number;
  /** Position in the table of each state buffer. */
  readonly stateSlots: ReadonlyMap<number, number>;
}

/** Work (multiply-adds, or vector instructions) that one call may hold before the optimising compiler has been. */
const callWork = 1 << 21;
/** Calls in one function of the generated driver. */
const callsPerFunction = 256;

/** Compiles a program; calls with less work than `splitFrom` are not shared among threads. */
export function instantiate(heap: Heap, program: Program, splitFrom?: number): Instance {
  const env = new Env(heap);
  const kernels = program.kernels.map((kernel, id) => emitKernel(env, kernel, id));
  const stateSlots = new Map<number, number>();
  program.buffers.forEach((buffer, i) => {
    if (buffer.role === "state") stateSlots.set(i, stateSlots.size);
  });
  const scratchStart = roundUp(program.arena.bytes) + 64;
  const scratchBytes = roundUp(env.scratchBytes) + 64;
  const calls = schedule(program, kernels, splitFrom);
  new Driver(env, program, kernels, calls, stateSlots, scratchStart, scratchBytes).emit();
  const { exports, module, bytes } = env.instantiate();
  const run = exports.run as Instance["run"];
  return {
    program,
    module,
    moduleBytes: bytes,
    sharedWork: program.calls.reduce((sum, call, i) => sum + (calls[i].parallel ? kernels[call.kernel].work : 0), 0),
    arenaBytes: (threads) => scratchStart + threads * scratchBytes,
    stateSlots,
    run(thread, threads, arena, table) {
      run(thread, threads, arena, table);
      checkErrors(heap, program);
    },
  };
}

const roundUp = (bytes: number): number => Math.ceil(bytes / 64) * 64;

/** Throws for an index that a kernel found out of range. */
function checkErrors(heap: Heap, program: Program): void {
  const record = heap.words;
  const at = errorAddress / 4;
  if (record[at] === 0) return;
  const kernel = program.kernels[record[at] - 1];
  const [value, bound] = [record[at + 1], record[at + 2]];
  record[at] = 0;
  throw kernel.kind === "grouped"
    ? offsetError(value, bound)
    : new ShapeError("gather", `index ${value} is out of range for an axis of ${bound}`);
}

export interface EmittedKernel extends KernelCost {
  readonly index: number;
  /** Whether a long call is cut into several, see `callWork`; a product calls its tile often enough by itself. */
  readonly cut: boolean;
}

const product = (sides: readonly number[]): number => sides.reduce((n, side) => n * side, 1);

function emitKernel(env: Env, kernel: Kernel, id: number): EmittedKernel {
  env.callsHome = false;
  const emitted = emitBody(env, kernel, id);
  return { ...emitted, serial: env.callsHome, cut: kernel.kind !== "contract" && kernel.kind !== "grouped" };
}

function emitBody(env: Env, kernel: Kernel, id: number): Omit<EmittedKernel, "serial" | "cut"> {
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
    case "grouped": {
      const scratch = (f: FunctionBuilder) => f.globalGet(env.scratchGlobal);
      env.needScratch(groupedScratchBytes(kernel, env));
      return {
        index: emitGroupedKernel(env.module, kernel, { fma: env.fma, scratch }, id),
        units: groupedUnits(kernel, env),
        work: (kernel.m * kernel.n * kernel.k) / 8,
      };
    }
    case "scatter":
      return {
        index: emitScatter(env, kernel, name, id),
        units: scatterUnits(kernel),
        work: kernel.outer * kernel.count * kernel.inner * 8,
      };
    case "scan":
      return {
        index: emitScan(env, kernel, name),
        units: scanUnits(kernel),
        work: kernel.outer * kernel.length * kernel.inner,
      };
    case "sort":
      return { index: emitSort(env, kernel, name), units: sortUnits(kernel), work: kernel.rows * kernel.length * 40 };
  }
}

/** Parameters of `run` and of the functions it is made of. */
const [thread, threads, arena, table] = [0, 1, 2, 3];
const runParams = ["i32", "i32", "i32", "i32"] as const;

/** Emits `run(thread, threads, arena, table)`. */
class Driver {
  private readonly env: Env;
  private readonly program: Program;
  private readonly kernels: readonly EmittedKernel[];
  private readonly schedule: readonly ScheduledCall[];
  private readonly stateSlots: ReadonlyMap<number, number>;
  private readonly scratchStart: number;
  private readonly scratchBytes: number;

  constructor(
    env: Env,
    program: Program,
    kernels: readonly EmittedKernel[],
    schedule: readonly ScheduledCall[],
    stateSlots: ReadonlyMap<number, number>,
    scratchStart: number,
    scratchBytes: number,
  ) {
    this.env = env;
    this.program = program;
    this.kernels = kernels;
    this.schedule = schedule;
    this.stateSlots = stateSlots;
    this.scratchStart = scratchStart;
    this.scratchBytes = scratchBytes;
  }

  emit(): void {
    const { env, program } = this;
    const barrier = env.heap.shared ? emitBarrier(env.module, mainMayWait()) : undefined;
    const meet = (f: FunctionBuilder) => {
      if (barrier !== undefined) f.get(thread).get(threads).call(barrier);
    };
    const parts: number[] = [];
    for (let first = 0; first < program.calls.length; first += callsPerFunction) {
      const calls = program.calls.slice(first, first + callsPerFunction);
      const emitCalls = (f: FunctionBuilder) => {
        calls.forEach((call, i) => {
          if (this.schedule[first + i].barrier) meet(f);
          this.call(f, call, this.schedule[first + i].parallel);
        });
      };
      parts.push(env.module.func(`calls${first}`, runParams, [], emitCalls));
    }
    const body = (f: FunctionBuilder) => {
      f.get(arena).i32(this.scratchStart).op("i32.add");
      f.get(thread).i32(this.scratchBytes).op("i32.mul").op("i32.add").globalSet(env.scratchGlobal);
      for (const part of parts) f.get(thread).get(threads).get(arena).get(table).call(part);
      meet(f);
      f.get(thread).op("i32.eqz");
      f.if(() => {
        for (const [from, to] of program.copies) {
          const { dtype, length } = program.buffers[from];
          this.address(f, to);
          this.address(f, from);
          f.i32(length * bytesPerElement(dtype)).memoryCopy();
        }
      });
    };
    env.module.func("run", runParams, [], body, { export: true });
  }

  private address(f: FunctionBuilder, buffer: number): void {
    const slot = this.stateSlots.get(buffer);
    if (slot !== undefined) f.get(table).load("i32.load", slot * 4);
    else
      f.get(arena)
        .i32(this.program.arena.offsets[buffer] ?? 0)
        .op("i32.add");
  }

  /** A kernel call: this thread's share of its units, or all of them on the first thread. */
  private call(f: FunctionBuilder, call: KernelCall, parallel: boolean): void {
    const { units } = this.kernels[call.kernel];
    if (units === 0) return;
    if (!parallel) {
      f.get(thread).op("i32.eqz");
      f.if(() => this.range(f, call, (end) => f.i32(end === "lo" ? 0 : units)));
      return;
    }
    const [lo, hi] = [f.local("i32"), f.local("i32")];
    // The share of a thread depends on nothing but their number; results do not depend even on that.
    for (const [end, next] of [[lo, 0] as const, [hi, 1] as const]) {
      f.get(thread).i32(next).op("i32.add").op("i64.extend_i32_u").i64(BigInt(units)).op("i64.mul");
      f.get(threads).op("i64.extend_i32_u").op("i64.div_u").op("i32.wrap_i64").set(end);
    }
    this.range(f, call, (end) => f.get(end === "lo" ? lo : hi));
  }

  /** Units of a call; many in several calls, since code that is compiled meanwhile only counts from the next call on. */
  private range(f: FunctionBuilder, call: KernelCall, push: (end: "lo" | "hi") => void): void {
    const { index, units, work, cut } = this.kernels[call.kernel];
    const step = Math.ceil(units / Math.max(1, Math.ceil(work / callWork)));
    if (!cut || step >= units) {
      for (const buffer of call.args) this.address(f, buffer);
      push("lo");
      push("hi");
      f.call(index);
      return;
    }
    const [at, next, end] = [f.local("i32"), f.local("i32"), f.local("i32")];
    push("lo");
    f.set(at);
    push("hi");
    f.set(end);
    const loop = () =>
      f.loop(() => {
        f.get(at).i32(step).op("i32.add").tee(next).get(end).get(next).get(end).op("i32.lt_u").op("select").set(next);
        for (const buffer of call.args) this.address(f, buffer);
        f.get(at).get(next).call(index);
        f.get(next).tee(at).get(end).op("i32.lt_u").brIf(0);
      });
    f.get(at).get(end).op("i32.lt_u");
    f.if(loop);
  }
}
