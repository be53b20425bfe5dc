// What all optimizers share: parameters, state as leaf tensors, and one update of everything at once.

import { ArgumentError, assignAll, noGrad, Tensor, tensor, zerosLike } from "../../engine/index.ts";
import { loadTensors } from "../state.ts";
import { lossesOf } from "./clip.ts";

/** One leaf and its next value. */
export type Update = readonly [target: Tensor, value: Tensor];

/** What a training loop needs of an optimizer, or of several side by side. */
export interface AnyOptimizer {
  readonly parameters: readonly Tensor[];
  zeroGrad(): void;
  step(): void | Promise<void>;
  state(): Record<string, Tensor>;
  loadState(state: Readonly<Record<string, Tensor>>): Promise<void>;
}

/**
 * Base class of optimizers. `lr` is a leaf tensor, so a schedule changes it without a compiled step being traced again.
 * Inside compile(), `step()` needs no await: the update is part of the step.
 */
export abstract class Optimizer implements AnyOptimizer {
  readonly parameters: readonly Tensor[];
  /** The learning rate, a scalar leaf. */
  readonly lr: Tensor;

  constructor(name: string, parameters: readonly Tensor[], lr: number) {
    if (parameters.length === 0) throw new ArgumentError(name, "there are no parameters to optimize");
    if (new Set(parameters).size !== parameters.length) throw new ArgumentError(name, "a parameter is listed twice");
    const odd = parameters.findIndex((p) => !p.requiresGrad);
    if (odd >= 0) throw new ArgumentError(name, `parameter ${odd} does not require gradients`);
    checkRange(name, "lr", lr, lr >= 0);
    this.parameters = parameters;
    this.lr = this.scalar(lr);
  }

  /** The next values of the parameters and of all state, given each parameter's gradient (undefined: it had none). */
  protected abstract updates(gradients: readonly (Tensor | undefined)[]): Update[];

  /** Sets the learning rate from now on. */
  setLearningRate(lr: number): void {
    checkRange(this.constructor.name, "lr", lr, lr >= 0);
    this.lr.copyFrom([lr]);
  }

  /** Forgets the gradients. */
  zeroGrad(): void {
    for (const p of this.parameters) p.grad = undefined;
  }

  /**
   * Updates every parameter that has a gradient, and the state: all in one program. The loss that the gradients came
   * from is computed in it too. A promise where the backend is asynchronous.
   */
  step(): void | Promise<void> {
    const { updates, losses } = this.prepare();
    if (updates.length === 0)
      throw new ArgumentError("step", "no parameter has a gradient; call loss.backward() first");
    return assignAll(updates, losses);
  }

  /** What `step` will assign, and the losses to evaluate with it; nothing where no parameter has a gradient. */
  prepare(): { readonly updates: Update[]; readonly losses: Tensor[] } {
    const gradients = this.parameters.map((p) => p.grad);
    const found = gradients.filter((g) => g !== undefined);
    if (found.length === 0) return { updates: [], losses: [] };
    return { updates: noGrad(() => this.updates(gradients)), losses: lossesOf(found) };
  }

  /** The leaves that a checkpoint keeps, by name: learning rate, counters, one tensor per parameter and moment. */
  state(): Record<string, Tensor> {
    const found: Record<string, Tensor> = {};
    for (const [key, value] of Object.entries(this)) {
      if (key === "parameters") continue;
      if (value instanceof Tensor) found[key] = value;
      if (!Array.isArray(value)) continue;
      value.forEach((item: unknown, i) => {
        if (item instanceof Tensor) found[`${key}.${i}`] = item;
      });
    }
    return found;
  }

  /** Puts the state where `state` found it. @throws ArgumentError that lists every name that does not fit */
  loadState(state: Readonly<Record<string, Tensor>>): Promise<void> {
    return loadTensors("loadState", this.state(), state);
  }

  /** A scalar leaf of state in the parameters' precision. */
  protected scalar(value: number): Tensor {
    return tensor(value, { dtype: this.parameters.some((p) => p.dtype === "f64") ? "f64" : "f32" });
  }
}

/** A leaf of zeros beside each parameter. */
export const zerosBeside = (parameters: readonly Tensor[]): Tensor[] => parameters.map((p) => zerosLike(p));

/** Throws an ArgumentError unless `ok`. */
export function checkRange(op: string, what: string, value: number, ok: boolean): void {
  if (!ok || !Number.isFinite(value)) throw new ArgumentError(op, `${what} is out of range: ${value}`);
}
