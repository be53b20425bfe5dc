// Averaged weights: an exponential moving average beside the parameters.

import { ArgumentError, assignAll, noGrad, type Tensor, zerosLike } from "../../engine/index.ts";
import { type AnyModule, withParameters } from "../module.ts";

/** w = decay w + (1 - decay) p for every parameter p, starting from the parameters as they are. */
export class ExponentialMovingAverage {
  readonly decay: number;
  readonly #module: AnyModule;
  /** The averages, by the parameters' names. */
  readonly averages: Readonly<Record<string, Tensor>>;

  /** @throws ArgumentError unless 0 <= decay < 1 */
  constructor(module: AnyModule, decay: number) {
    if (!(decay >= 0 && decay < 1))
      throw new ArgumentError("ExponentialMovingAverage", `decay must be in [0, 1), got ${decay}`);
    this.decay = decay;
    this.#module = module;
    const named = module.namedParameters();
    this.averages = Object.fromEntries(named.map(([name, p]) => [name, zerosLike(p)]));
    void assignAll(named.map(([name, p]) => [this.averages[name], p.detach()] as const));
  }

  /** Takes the parameters in; after the optimizer's step, in a compiled step or not. */
  update(): void | Promise<void> {
    return noGrad(() =>
      assignAll(
        this.#module.namedParameters().map(([name, p]) => {
          const old = this.averages[name];
          return [old, old.mul(this.decay).add(p.mul(1 - this.decay))] as const;
        }),
      ),
    );
  }

  /** Runs `fn` while the module's parameters are the averages. */
  use<T>(fn: () => T): T {
    return withParameters(this.#module, this.averages, fn);
  }
}
