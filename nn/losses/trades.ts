// TRADES: accuracy on clean inputs traded against steadiness around them (Zhang et al. 2019).

import { ArgumentError, grad, logSoftmax, type RandomOptions, randn, type Tensor } from "../../engine/index.ts";
import type { Module } from "../module.ts";
import { crossEntropy } from "./classification.ts";
import { klDivergence } from "./divergence.ts";

export interface TradesOptions {
  /** Weight of steadiness (1 / lambda of the paper); default 6. */
  readonly beta?: number;
  /** Largest change of an input; default 0.031. */
  readonly epsilon?: number;
  /** Of each step of the attack; default 0.007. */
  readonly stepSize?: number;
  /** Default 10. */
  readonly steps?: number;
  /** Range of the inputs; default [0, 1]. */
  readonly range?: readonly [low: number, high: number];
  /** Where the attack's start comes from. */
  readonly generator?: RandomOptions["generator"];
}

/** The modules' modes are as before after `fn`, during which the model is in evaluation mode. */
function inEvaluation<T>(model: Module, fn: () => T): T {
  const modes = model.modules().map((module) => [module, module.training] as const);
  try {
    model.eval();
    return fn();
  } finally {
    for (const [module, training] of modes) module.training = training;
  }
}

/**
 * An input near x that moves the model's output as far as it can: signed steps up KL(p(x) || p(x')), from a little
 * noise (their equation 8 and algorithm 1).
 */
export function tradesAttack(model: Module, x: Tensor, options: TradesOptions = {}): Tensor {
  const { epsilon = 0.031, stepSize = 0.007, steps = 10, range = [0, 1], generator } = options;
  if (!(epsilon >= 0 && stepSize > 0)) throw new ArgumentError("trades", "epsilon and stepSize must be positive");
  return inEvaluation(model, () => {
    const clean = logSoftmax(model.forward(x)).detach();
    const distance = (near: Tensor): Tensor =>
      klDivergence(clean, logSoftmax(model.forward(near)), { reduction: "sum" });
    let near = x.detach().add(randn(x.shape, { generator }).mul(0.001).cast(x.dtype));
    for (let i = 0; i < steps; i++) {
      const moved = near.add(grad(distance)(near)[0].sign().mul(stepSize));
      near = moved
        .clamp(x.detach().sub(epsilon), x.detach().add(epsilon))
        .clamp(...range)
        .detach();
    }
    return near;
  });
}

/**
 * crossEntropy(f(x), y) + beta KL(p(x) || p(x')), x' being the attack's (their equation 5), with gradients to both sides.
 * @param model x [N, ...] -> logits [N, C]; @param targets [N] i32
 */
export function tradesLoss(model: Module, x: Tensor, targets: Tensor, options: TradesOptions = {}): Tensor {
  const near = tradesAttack(model, x, options);
  const logits = model.forward(x);
  const apart = klDivergence(logSoftmax(logits), logSoftmax(model.forward(near)));
  return crossEntropy(logits, targets).add(apart.mul(options.beta ?? 6));
}
