// What code generators share while they fill one module: the heap's constants, imported functions, scratch memory.

import { erf, remainder, sigmoid } from "../../primitives/special.ts";
import { ModuleBuilder } from "./asm.ts";
import { hasRelaxedMadd } from "./features.ts";
import type { Heap } from "./heap.ts";

/** Functions of f64 that the machine lacks, imported from JavaScript: the slow, exact path. */
const { exp, expm1, log, log2, log1p, sin, cos, tanh, pow } = Math;
const unary = { exp, expm1, log, log2, log1p, sin, cos, tanh, sigmoid, erf };
const binary = { pow, remainder };

export type ImportedFn = keyof typeof unary | keyof typeof binary;

export class Env {
  readonly module = new ModuleBuilder();
  readonly heap: Heap;
  /** Whether relaxed multiply-add may be used. */
  readonly fma: boolean;
  readonly imports: Readonly<Record<ImportedFn, number>>;
  /** Global (i32) with the address of this instance's scratch memory: one per thread, contents die with the call. */
  readonly scratchGlobal: number;
  scratchBytes = 0;

  constructor(heap: Heap, fma: boolean = hasRelaxedMadd()) {
    const { module } = this;
    this.heap = heap;
    this.fma = fma;
    module.importMemory("env", "memory", heap.shared ? { min: 1, max: 65536, shared: true } : { min: 1 });
    this.imports = Object.fromEntries([
      ...Object.keys(unary).map((fn) => [fn, module.importFunction("env", fn, ["f64"], ["f64"])]),
      ...Object.keys(binary).map((fn) => [fn, module.importFunction("env", fn, ["f64", "f64"], ["f64"])]),
    ]) as Record<ImportedFn, number>;
    this.scratchGlobal = module.global(0);
  }

  /** Asks for at least `bytes` of scratch memory; call while emitting. */
  needScratch(bytes: number): void {
    this.scratchBytes = Math.max(this.scratchBytes, bytes);
  }

  /** The finished module, bound to the heap. */
  instantiate(): { readonly exports: WebAssembly.Exports; readonly bytes: number } {
    const bytes = this.module.toBytes();
    const imports = { env: { memory: this.heap.memory, ...unary, ...binary } };
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), imports);
    return { exports, bytes: bytes.length };
  }
}
