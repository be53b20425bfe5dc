// Gradient accumulation over several steps, where a batch does not fit at once.

import { ArgumentError, assignAll, noGrad, type Tensor } from "../../engine/index.ts";
import { zerosBeside } from "./optimizer.ts";

/**
 * Sums of gradients, in leaves: `add()` after each backward (in a compiled step or not), `release(n)` before the
 * optimizer's step. Within one step, several backward passes add up without it.
 */
export class GradientAccumulator {
  readonly parameters: readonly Tensor[];
  readonly sums: readonly Tensor[];

  constructor(parameters: readonly Tensor[]) {
    this.parameters = parameters;
    this.sums = zerosBeside(parameters);
  }

  /** Adds the gradients to the sums, and forgets them. */
  add(): void | Promise<void> {
    const found = this.parameters.flatMap((p, i) => (p.grad === undefined ? [] : [[this.sums[i], p.grad] as const]));
    for (const p of this.parameters) p.grad = undefined;
    return assignAll(noGrad(() => found.map(([sum, g]) => [sum, sum.add(g)] as const)));
  }

  /** Makes the sums over `count` the gradients, and starts anew. */
  release(count: number): void | Promise<void> {
    if (!(count > 0)) throw new ArgumentError("release", `the count must be positive, got ${count}`);
    return noGrad(() => {
      this.parameters.forEach((p, i) => {
        p.grad = this.sums[i].div(count);
      });
      return assignAll(this.sums.map((sum) => [sum, sum.mul(0)] as const));
    });
  }
}
