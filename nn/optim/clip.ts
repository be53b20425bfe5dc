// Gradient clipping, between backward and step: part of the step inside compile().

import { ArgumentError, noGrad, rootsOf, type Tensor, tensor } from "../../engine/index.ts";

/** What a replaced gradient was made from. */
const origins = new WeakMap<Tensor, Tensor>();

/** The losses that gradients came from, clipped or not: an update evaluates them too. */
export const lossesOf = (gradients: readonly Tensor[]): Tensor[] => [
  ...new Set(gradients.flatMap((g) => rootsOf(origins.get(g) ?? g))),
];

/** Replaces the gradient of a parameter by one computed from it. */
export function replaceGradient(parameter: Tensor, gradient: Tensor): void {
  if (parameter.grad !== undefined) origins.set(gradient, origins.get(parameter.grad) ?? parameter.grad);
  parameter.grad = gradient;
}

/**
 * Scales all gradients so that their common Euclidean norm is at most `maxNorm`; returns the norm before, a scalar.
 * As in PyTorch, where it is NaN all gradients become NaN, and where it is infinite they become 0 or NaN: read the norm to
 * tell a step that should be skipped.
 */
export function clipGradNorm(parameters: readonly Tensor[], maxNorm: number): Tensor {
  if (!(maxNorm > 0)) throw new ArgumentError("clipGradNorm", `maxNorm must be positive, got ${maxNorm}`);
  return noGrad(() => {
    const found = parameters.filter((p) => p.grad !== undefined);
    if (found.length === 0) return tensor(0);
    const norm = found
      .map((p) => (p.grad as Tensor).square().sum())
      .reduce((a, b) => a.add(b))
      .sqrt();
    const scale = norm.add(1e-6).reciprocal().mul(maxNorm).minimum(1);
    for (const p of found) replaceGradient(p, (p.grad as Tensor).mul(scale.cast(p.dtype)));
    return norm;
  });
}

/** Limits every element of every gradient to [-limit, limit]. */
export function clipGradValue(parameters: readonly Tensor[], limit: number): void {
  if (!(limit > 0)) throw new ArgumentError("clipGradValue", `the limit must be positive, got ${limit}`);
  noGrad(() => {
    for (const p of parameters) if (p.grad !== undefined) replaceGradient(p, p.grad.clamp(-limit, limit));
  });
}
