// A program as one module: a function per distinct kernel, and a generated `run` that calls them in order with
// addresses worked out now. Nothing is decided when it runs.

import type { ContractKernel, Kernel, Program, RepeatKernel } from "../../compile/ir.ts";
import { offsetError } from "../../primitives/grouped.ts";
import { indexError } from "../../primitives/indexing.ts";
import type { FunctionBuilder } from "./assembler/asm.ts";
import { checksOf } from "./checks.ts";
import { Driver, type EmittedKernel } from "./driver.ts";
import { finishOf } from "./gemm/epilogue.ts";
import { emitGemm, gemmScratchBytes, gemmUnits } from "./gemm/gemm.ts";
import { emitGroupedKernel, groupedScratchBytes, groupedUnits } from "./gemm/grouped.ts";
import { emitScatter, scatterUnits } from "./indexed/scatter.ts";
import { emitSort, sortUnits, sortWork } from "./indexed/sort.ts";
import { emitLoop, loopUnits, loopWork } from "./loops/loop.ts";
import { errorAddress, type Heap } from "./memory/heap.ts";
import { emitRepeat } from "./scans/repeat.ts";
import { emitScan, scanUnits } from "./scans/scan.ts";
import { emitSelective, selectiveUnits, selectiveWork } from "./scans/selective.ts";
import { schedule } from "./schedule.ts";
import { emitBarrier } from "./threads/barrier.ts";
import { mainMayWait } from "./threads/host.ts";
import { Env, type Failure } from "./vector/env.ts";

/** A program that is ready to run in a heap. */
export interface Instance {
  readonly program: Program;
  readonly module: WebAssembly.Module;
  readonly moduleBytes: number;
  /** Work that threads can share, in the time that eight multiply-adds of a product take (a third of a nanosecond). */
  readonly sharedWork: number;
  /**
   * This thread's part of a run. `arena` is the address of the arena, `table` that of the addresses of the state
   * buffers, in order of their numbers.
   */
  run(thread: number, threads: number, arena: number, table: number): void;
  /** Bytes the arena must have for that many threads: the program's and their scratch memory. */
  arenaBytes(threads: number): number;
  /** Position in the table of each state buffer. */
  readonly slots: ReadonlyMap<number, number>;
}

/** Compiles a program; calls with less work than `splitFrom` are not shared among threads. */
export function instantiate(heap: Heap, program: Program, splitFrom?: number): Instance {
  const env = new Env(heap);
  const barrier = heap.shared ? emitBarrier(env.module, mainMayWait()) : undefined;
  const emitter = new KernelEmitter(env, barrier, splitFrom);
  const kernels = program.kernels.map((kernel) => emitter.emit(kernel));
  const slots = new Map<number, number>();
  program.buffers.forEach((buffer, i) => {
    if (buffer.role === "state" || buffer.role === "input") slots.set(i, slots.size);
  });
  const scratchStart = roundUp(program.arena.bytes) + 64;
  const scratchBytes = roundUp(env.scratchBytes) + 64;
  const calls = schedule(program, kernels, splitFrom);
  const address = (f: FunctionBuilder, buffer: number): void => {
    const slot = slots.get(buffer);
    if (slot !== undefined) f.get(table).load("i32.load", slot * 4);
    else
      f.get(arena)
        .i32(program.arena.offsets[buffer] ?? 0)
        .op("i32.add");
  };
  const checks = checksOf(program);
  const driver = new Driver({ env, program, kernels, calls, params: runParams.length, address, barrier, checks });
  const run = (f: FunctionBuilder): void => {
    f.get(arena).i32(scratchStart).op("i32.add");
    f.get(thread).i32(scratchBytes).op("i32.mul").op("i32.add").globalSet(env.scratchGlobal);
    const pushParams = () => {
      for (let i = 0; i < runParams.length; i++) f.get(i);
    };
    driver.run(f, pushParams, true);
  };
  env.module.func("run", runParams, [], run, { export: true });
  const { exports, module, bytes } = env.instantiate();
  const start = exports.run as Instance["run"];
  return {
    program,
    module,
    moduleBytes: bytes,
    sharedWork: program.calls.reduce((sum, call, i) => sum + (calls[i].parallel ? kernels[call.kernel].work : 0), 0),
    arenaBytes: (threads) => scratchStart + threads * scratchBytes,
    slots,
    run(...args) {
      start(...args);
      checkErrors(heap, env.failures);
    },
  };
}

/** Parameters of `run`. */
const runParams = ["i32", "i32", "i32", "i32"] as const;
const [thread, arena, table] = [0, 2, 3];

const roundUp = (bytes: number): number => Math.ceil(bytes / 64) * 64;

/** Throws for an index that a kernel found out of range. */
function checkErrors(heap: Heap, failures: readonly Failure[]): void {
  const record = heap.words;
  const at = errorAddress / 4;
  if (record[at] === 0) return;
  const failure = failures[record[at] - 1];
  record[at] = 0;
  const [value, bound] = [record[at + 1], record[at + 2]];
  throw typeof failure === "string" ? offsetError(failure, value, bound) : indexError(failure, value, bound);
}

const product = (sides: readonly number[]): number => sides.reduce((n, side) => n * side, 1);

const epilogueWork = ({ epilogue }: ContractKernel): number =>
  (epilogue?.loops ?? []).reduce((work, { loop }) => work + loopWork(loop), 0);

/** Emits kernels, those of bodies too. */
class KernelEmitter {
  private emitted = 0;
  private readonly env: Env;
  private readonly barrier: number | undefined;
  private readonly splitFrom: number | undefined;

  constructor(env: Env, barrier: number | undefined, splitFrom: number | undefined) {
    this.env = env;
    this.barrier = barrier;
    this.splitFrom = splitFrom;
  }

  emit(kernel: Kernel): EmittedKernel {
    const { env, barrier } = this;
    const id = this.emitted++;
    if (kernel.kind === "repeat") {
      const kernels = kernel.body.kernels.map((inner) => this.emit(inner));
      const calls = schedule(kernel.body, kernels, this.splitFrom);
      return emitRepeat(env, kernel, `repeat${id}`, { kernels, calls, barrier });
    }
    const emitted = emitKernel(env, kernel, id);
    const cut = kernel.kind !== "contract" && kernel.kind !== "grouped";
    return { ...emitted, cut, whole: false };
  }
}

function emitKernel(
  env: Env,
  kernel: Exclude<Kernel, RepeatKernel>,
  id: number,
): Pick<EmittedKernel, "index" | "units" | "work"> {
  const name = `${kernel.kind}${id}`;
  switch (kernel.kind) {
    case "loop":
      return { index: emitLoop(env, kernel, name), units: loopUnits(kernel), work: loopWork(kernel) };
    case "contract": {
      const scratch = (f: FunctionBuilder) => f.globalGet(env.scratchGlobal);
      env.needScratch(gemmScratchBytes(kernel, env));
      return {
        index: emitGemm(env.module, kernel, { fma: env.fma, scratch, finish: finishOf(env, kernel, name) }),
        units: gemmUnits(kernel, env),
        work: (product(kernel.batch) * kernel.m * kernel.n * kernel.k) / 8 + epilogueWork(kernel),
      };
    }
    case "grouped": {
      const scratch = (f: FunctionBuilder) => f.globalGet(env.scratchGlobal);
      env.needScratch(groupedScratchBytes(kernel, env));
      return {
        index: emitGroupedKernel(env.module, kernel, { fma: env.fma, scratch }, (f, offset, bound) =>
          env.report(f, kernel.source, offset, bound),
        ),
        units: groupedUnits(kernel, env),
        work: (kernel.m * kernel.n * kernel.k) / 8,
      };
    }
    case "scatter":
      return {
        index: emitScatter(env, kernel, name),
        units: scatterUnits(kernel),
        work: kernel.outer * kernel.count * kernel.inner * 8,
      };
    case "scan":
      return {
        index: emitScan(env, kernel, name),
        units: scanUnits(kernel),
        work: kernel.outer * kernel.length * kernel.inner,
      };
    case "selective":
      return {
        index: emitSelective(env, kernel, name),
        units: selectiveUnits(kernel),
        work: selectiveWork(kernel),
      };
    case "sort":
      return { index: emitSort(env, kernel, name), units: sortUnits(kernel), work: sortWork(kernel) };
  }
}
