// What the compiler must know of the backend that it compiles for.

import type { ContractKernel, LoopKernel } from "./ir.ts";

/** What the kernels of a backend can do. */
export interface Target {
  /** Row kernels may add up their rows, in parts: stores with `add`. */
  readonly columnSums: boolean;
  /** Whether a product's kernel may run the loop over its result: see `Epilogue`. */
  readonly epilogue: (product: ContractKernel, loop: LoopKernel) => boolean;
}
