// What code generators share while they fill one module: the heap's constants, imported functions, scratch memory.

import type { ModuleBuilder } from "./asm.ts";
import type { Heap } from "./heap.ts";

/** Functions of f64 that the machine lacks, imported from JavaScript: the slow, exact path. */
export const importedUnary = ["exp", "expm1", "log", "log2", "log1p", "sin", "cos", "tanh", "sigmoid", "erf"] as const;
export const importedBinary = ["pow", "remainder"] as const;
export type ImportedFn = (typeof importedUnary)[number] | (typeof importedBinary)[number];

export interface Env {
  readonly module: ModuleBuilder;
  readonly heap: Heap;
  /** Whether relaxed multiply-add may be used. */
  readonly fma: boolean;
  readonly imports: Readonly<Record<ImportedFn, number>>;
  /** Global (i32) with the address of this instance's scratch memory: one per thread, contents die with the call. */
  readonly scratchGlobal: number;
  /** Asks for at least `bytes` of scratch memory at that address; call while emitting. */
  needScratch(bytes: number): void;
}
