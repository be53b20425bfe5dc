// Early stopping: when a measure no longer improves, and back to the weights with which it was best.

import { ArgumentError, type Tensor } from "../../engine/index.ts";
import type { AnyModule } from "../module.ts";

export interface EarlyStoppingOptions {
  /** How many observations without improvement are borne. */
  readonly patience: number;
  /** Whether larger is better; default false (a loss). */
  readonly maximize?: boolean;
  /** Least change that counts as an improvement; default 0. */
  readonly minDelta?: number;
}

/** Watches a measure of a module, and keeps a copy of its state at the best one. */
export class EarlyStopping {
  readonly #module: AnyModule;
  readonly #options: Required<EarlyStoppingOptions>;
  #best: { readonly value: number; readonly state: Record<string, Tensor> } | undefined;
  #waited = 0;

  constructor(module: AnyModule, options: EarlyStoppingOptions) {
    const { patience, maximize = false, minDelta = 0 } = options;
    if (!(Number.isInteger(patience) && patience >= 0))
      throw new ArgumentError("EarlyStopping", `patience must be a whole number, got ${patience}`);
    this.#module = module;
    this.#options = { patience, maximize, minDelta };
  }

  /** The best value observed. */
  get best(): number | undefined {
    return this.#best?.value;
  }

  /** Takes a value in; true when it is time to stop. NaN is no improvement. */
  async observe(value: number): Promise<boolean> {
    const { patience, maximize, minDelta } = this.#options;
    const before = this.#best?.value;
    const gain = before === undefined ? Number.POSITIVE_INFINITY : maximize ? value - before : before - value;
    if (!Number.isNaN(value) && gain > minDelta) {
      this.#best = { value, state: await this.#module.stateDict() };
      this.#waited = 0;
    } else this.#waited += 1;
    return this.#waited > patience;
  }

  /** Gives the module its best weights back (where anything was observed). */
  async restore(): Promise<void> {
    if (this.#best !== undefined) await this.#module.loadStateDict(this.#best.state);
  }
}
