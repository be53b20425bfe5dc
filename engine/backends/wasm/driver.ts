// The generated code that calls the kernels of a program in order, on every thread: its share of each call, and meetings
// where one needs what another made.

import type { KernelCall, Program } from "../../compile/ir.ts";
import { bytesPerElement } from "../../dtype.ts";
import type { FunctionBuilder } from "./assembler/asm.ts";
import type { Checks } from "./checks.ts";
import { errorAddress } from "./memory/heap.ts";
import type { KernelCost, ScheduledCall } from "./schedule.ts";
import type { Env } from "./vector/env.ts";

export interface EmittedKernel extends KernelCost {
  /** Function (address of each argument, lo, hi). */
  readonly index: number;
  /** Whether a long call is cut into several, see `callWork`; a product calls its tile often enough by itself. */
  readonly cut: boolean;
  /** Takes (thread, threads) instead of (lo, hi), and shares the work itself. */
  readonly whole: boolean;
}

export interface DriverOptions {
  readonly env: Env;
  readonly program: Program;
  readonly kernels: readonly EmittedKernel[];
  readonly calls: readonly ScheduledCall[];
  /** Parameters (i32) of the functions that make the calls; the first two are the thread and the number of threads. */
  readonly params: number;
  /** Pushes the address of a buffer, from the parameters. */
  readonly address: (f: FunctionBuilder, buffer: number) => void;
  /** Index of `barrier(thread, threads)`, where there can be several threads. */
  readonly barrier: number | undefined;
  /** Where the run ends early if an index was out of range. */
  readonly checks?: Checks;
}

/** Some of the calls, as one function. */
interface Part {
  readonly index: number;
  readonly checked: boolean;
}

/** Work (multiply-adds, or vector instructions) that one call may hold before the optimising compiler has been. */
const callWork = 1 << 21;
/** Calls in one function of the generated code. */
const callsPerFunction = 256;

const [thread, threads] = [0, 1];

export class Driver {
  private readonly options: DriverOptions;
  private readonly parts: readonly Part[];

  constructor(options: DriverOptions) {
    this.options = options;
    this.parts = this.emitParts();
  }

  private emitParts(): Part[] {
    const { env, program, calls, params, checks } = this.options;
    const parts: Part[] = [];
    for (let first = 0, end = 0; first < program.calls.length; first = end) {
      const checked = checks?.before.has(first) ?? false;
      do end += 1;
      while (end < program.calls.length && end < first + callsPerFunction && !checks?.before.has(end));
      const list = program.calls.slice(first, end);
      const emitCalls = (f: FunctionBuilder): void => {
        list.forEach((call, i) => {
          const { barrier, parallel } = calls[first + i];
          if (barrier) this.meet(f);
          this.call(f, call, parallel);
        });
      };
      parts.push({ index: env.module.func(`calls${first}`, new Array(params).fill("i32"), [], emitCalls), checked });
    }
    return parts;
  }

  /** Makes all calls, and then copies results over the state they replace, if told to; `pushParams` pushes the parameters. */
  run(f: FunctionBuilder, pushParams: () => void, copies: boolean): void {
    f.block(() => {
      for (const { index, checked } of this.parts) {
        if (checked) this.check(f);
        pushParams();
        f.call(index);
      }
      if (this.options.checks?.atEnd) this.check(f);
      if (copies) this.copyState(f);
    });
  }

  /** Leaves the block around if an index was out of range. Every thread has looked before the first one goes on. */
  private check(f: FunctionBuilder): void {
    this.meet(f);
    f.i32(0).load("i32.load", errorAddress);
    f.if(() => {
      this.meet(f);
      f.br(1);
    });
  }

  /** Waits for all threads, in a function that begins with the parameters. */
  meet(f: FunctionBuilder): void {
    const { barrier } = this.options;
    if (barrier !== undefined) f.get(thread).get(threads).call(barrier);
  }

  /** Waits for all threads; the first one then copies. */
  private copyState(f: FunctionBuilder): void {
    const { program, address } = this.options;
    this.meet(f);
    f.get(thread).op("i32.eqz");
    f.if(() => {
      for (const [from, to] of program.copies) {
        const { dtype, length } = program.buffers[from];
        address(f, to);
        address(f, from);
        f.i32(length * bytesPerElement(dtype)).memoryCopy();
      }
    });
  }

  private pushArgs(f: FunctionBuilder, call: KernelCall): void {
    for (const buffer of call.args) this.options.address(f, buffer);
  }

  /** A kernel call: this thread's share of its units, or all of them on the first thread. */
  private call(f: FunctionBuilder, call: KernelCall, parallel: boolean): void {
    const { units, index, whole } = this.options.kernels[call.kernel];
    if (units === 0) return;
    if (!parallel) {
      f.get(thread).op("i32.eqz");
      f.if(() => {
        if (!whole) return this.range(f, call, (end) => f.i32(end === "lo" ? 0 : units));
        this.pushArgs(f, call);
        f.i32(0).i32(1).call(index);
      });
      return;
    }
    if (whole) {
      this.pushArgs(f, call);
      f.get(thread).get(threads).call(index);
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
    const { index, units, work, cut } = this.options.kernels[call.kernel];
    const step = Math.ceil(units / Math.max(1, Math.ceil(work / callWork)));
    if (!cut || step >= units) {
      this.pushArgs(f, call);
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
        this.pushArgs(f, call);
        f.get(at).get(next).call(index);
        f.get(next).tee(at).get(end).op("i32.lt_u").brIf(0);
      });
    f.get(at).get(end).op("i32.lt_u");
    f.if(loop);
  }
}
