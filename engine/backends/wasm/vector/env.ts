// What code generators share while they fill one module: the heap's constants, functions that kernels share, scratch memory.

import type { IndexSource } from "../../../operation.ts";
import { type FunctionBuilder, ModuleBuilder } from "../assembler/asm.ts";
import { hasRelaxedMadd } from "../assembler/features.ts";
import { errorAddress, type Heap } from "../memory/heap.ts";

/** Whose index is out of range, or whose offsets do not ascend. */
export type Failure = IndexSource | string;

export class Env {
  readonly module = new ModuleBuilder();
  readonly heap: Heap;
  /** Whether relaxed multiply-add may be used. */
  readonly fma: boolean;
  /** Global (i32) with the address of this instance's scratch memory: one per thread, contents die with the call. */
  readonly scratchGlobal: number;
  scratchBytes = 0;
  /** What the code emitted so far may report: number n of a record is failure n - 1. */
  readonly failures: Failure[] = [];
  private readonly helpers = new Map<string, number>();

  constructor(heap: Heap, fma: boolean = hasRelaxedMadd()) {
    const { module } = this;
    this.heap = heap;
    this.fma = fma;
    module.importMemory("env", "memory", heap.shared ? { min: 1, max: 65536, shared: true } : { min: 1 });
    this.scratchGlobal = module.global(0);
  }

  /** Emits the record of what went wrong, unless there is one already: errors after the first may be its consequences. */
  report(f: FunctionBuilder, failure: Failure, value: () => void, bound: () => void): void {
    const known = this.failures.indexOf(failure) + 1;
    const number = known > 0 ? known : this.failures.push(failure);
    f.i32(0).i32(0).i32(number).atomic("i32.atomic.rmw.cmpxchg", errorAddress).op("i32.eqz");
    f.if(() => {
      f.i32(0);
      value();
      f.store("i32.store", errorAddress + 4).i32(0);
      bound();
      f.store("i32.store", errorAddress + 8);
    });
  }

  /** Index of a function of this module that code of several kernels calls; defined at first need. */
  helper(name: string, define: () => number): number {
    const index = this.helpers.get(name) ?? define();
    this.helpers.set(name, index);
    return index;
  }

  /** Asks for at least `bytes` of scratch memory; call while emitting. */
  needScratch(bytes: number): void {
    this.scratchBytes = Math.max(this.scratchBytes, bytes);
  }

  /** The finished module, bound to the heap. */
  instantiate(): {
    readonly exports: WebAssembly.Exports;
    readonly module: WebAssembly.Module;
    readonly bytes: number;
  } {
    const bytes = this.module.toBytes();
    const imports = { env: { memory: this.heap.memory } };
    const module = new WebAssembly.Module(bytes);
    const { exports } = new WebAssembly.Instance(module, imports);
    return { exports, module, bytes: bytes.length };
  }
}
