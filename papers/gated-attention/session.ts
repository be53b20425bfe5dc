// A model in training: the optimizer and the compiled step that both tasks use.

import { type Compiled, compile, type Tensor } from "../../engine/index.ts";
import { AdamW, type AnyOptimizer, clipGradNorm, crossEntropy, OptimizerGroup } from "../../nn/index.ts";
import { decayGroups, TransformerLM, type TransformerLMOptions } from "./model.ts";

export interface OptimizerSettings {
  readonly betas: readonly [number, number];
  /** Of matrices only. */
  readonly weightDecay: number;
  /** The largest norm of all gradients together. */
  readonly clip: number;
}

/** Mean cross-entropy in nats of logits [B, n, V] for targets [B, n]. */
export const lossOf = (logits: Tensor, targets: Tensor): Tensor =>
  crossEntropy(logits.flatten(0, 1), targets.flatten());

export class Session {
  readonly model: TransformerLM;
  /** What training changes besides the model. */
  readonly optimizer: AnyOptimizer;
  readonly #groups: readonly AdamW[];
  readonly #step: Compiled<[inputs: Tensor, targets: Tensor], Tensor>;

  /** A model whose first values depend on the seed and their names, and an optimizer that has seen nothing. */
  constructor(options: TransformerLMOptions, { betas, weightDecay, clip }: OptimizerSettings, seed: number) {
    this.model = new TransformerLM({ ...options, seed });
    const { decayed, free } = decayGroups(this.model);
    this.#groups = [
      new AdamW(decayed, { lr: 0, betas, weightDecay }),
      new AdamW(free, { lr: 0, betas, weightDecay: 0 }),
    ];
    const optimizer = new OptimizerGroup(this.#groups);
    this.optimizer = optimizer;
    this.#step = compile((inputs: Tensor, targets: Tensor) => {
      optimizer.zeroGrad();
      const loss = lossOf(this.model.forward(inputs), targets);
      loss.backward();
      clipGradNorm(optimizer.parameters, clip);
      void optimizer.step();
      return loss;
    });
  }

  /** One step of training on inputs and targets [B, n]; the loss before it, in nats. */
  train(inputs: Tensor, targets: Tensor, lr: number): number {
    for (const group of this.#groups) group.setLearningRate(lr);
    return this.#step(inputs, targets).item();
  }
}
