// What all optimizers share: parameters, state as leaf tensors, and one update of everything at once.

import { ArgumentError, assignAll, noGrad, rootsOf, type Tensor, tensor, zerosLike } from "../../engine/index.ts";

/** One leaf and its next value. */
export type Update = readonly [target: Tensor, value: Tensor];

/**
 * Base class of optimizers. `lr` is a leaf tensor, so a schedule changes it without a compiled step being traced again.
 * Inside compile(), `step()` needs no await: the update is part of the step.
 */
export abstract class Optimizer {
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
    const gradients = this.parameters.map((p) => p.grad);
    const found = gradients.filter((g) => g !== undefined);
    if (found.length === 0) throw new ArgumentError("step", "no parameter has a gradient; call loss.backward() first");
    const losses = new Set(found.flatMap(rootsOf));
    return assignAll(
      noGrad(() => this.updates(gradients)),
      [...losses],
    );
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
