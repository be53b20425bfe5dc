// Parameter groups: optimizers side by side, each with parameters and settings of its own, stepping as one.

import { ArgumentError, assignAll, type Tensor } from "../../engine/index.ts";
import { loadTensors } from "../state.ts";
import type { AnyOptimizer, Optimizer } from "./optimizer.ts";

/**
 * Several optimizers over disjoint parameters, of one kind or not: `new OptimizerGroup([new AdamW(weights, { lr }),
 * new AdamW(biases, { lr, weightDecay: 0 })])`. One step updates all of them in one program; those whose parameters
 * have no gradients (another objective's) rest.
 */
export class OptimizerGroup implements AnyOptimizer {
  readonly optimizers: readonly Optimizer[];
  readonly parameters: readonly Tensor[];

  /** @throws ArgumentError where a parameter is in two of them */
  constructor(optimizers: readonly Optimizer[]) {
    this.optimizers = optimizers;
    this.parameters = optimizers.flatMap((optimizer) => optimizer.parameters);
    if (this.parameters.length === 0) throw new ArgumentError("OptimizerGroup", "there are no parameters to optimize");
    if (new Set(this.parameters).size !== this.parameters.length)
      throw new ArgumentError("OptimizerGroup", "a parameter is in two groups");
  }

  /** Forgets the gradients. */
  zeroGrad(): void {
    for (const optimizer of this.optimizers) optimizer.zeroGrad();
  }

  /** Updates every parameter that has a gradient, in one program. */
  step(): void | Promise<void> {
    const prepared = this.optimizers.map((optimizer) => optimizer.prepare());
    const updates = prepared.flatMap((one) => one.updates);
    if (updates.length === 0)
      throw new ArgumentError("step", "no parameter has a gradient; call loss.backward() first");
    return assignAll(updates, [...new Set(prepared.flatMap((one) => one.losses))]);
  }

  /** The state of each, under its position: "0.lr". */
  state(): Record<string, Tensor> {
    const named = this.optimizers.flatMap((optimizer, i) =>
      Object.entries(optimizer.state()).map(([name, leaf]) => [`${i}.${name}`, leaf] as const),
    );
    return Object.fromEntries(named);
  }

  async loadState(state: Readonly<Record<string, Tensor>>): Promise<void> {
    await loadTensors("loadState", this.state(), state);
  }
}
