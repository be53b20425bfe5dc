// The losses and optimizers under contract.

import { logSoftmax, type Tensor, tensor } from "../../engine/index.ts";
import * as nn from "../../nn/index.ts";
import type { Domain } from "../../testing/index.ts";

export interface Loss {
  readonly inputs: readonly (readonly [shape: readonly number[], domain: Domain])[];
  readonly run: (...inputs: Tensor[]) => Tensor;
  /** No gradient: a metric, or a search. */
  readonly flat?: string;
}

const pair = (shape: readonly number[]): Loss["inputs"] => [
  [shape, "real"],
  [shape, "real"],
];
const model = new nn.Sequential(new nn.Linear(2, 3), new nn.Tanh()).to("f64").initialize(1).eval();

export const losses: Readonly<Record<string, Loss>> = {
  crossEntropy: {
    inputs: [
      [[3, 4], "real"],
      [[3], { below: 4 }],
    ],
    run: (logits, targets) => nn.crossEntropy(logits, targets, { labelSmoothing: 0.1 }),
  },
  binaryCrossEntropyWithLogits: {
    inputs: [
      [[3, 2], "real"],
      [[3, 2], "unit"],
    ],
    run: (logits, targets) => nn.binaryCrossEntropyWithLogits(logits, targets, { positiveWeight: 2 }),
  },
  klDivergence: { inputs: pair([2, 3]), run: (p, q) => nn.klDivergence(logSoftmax(p), logSoftmax(q)) },
  cosineSimilarity: { inputs: pair([2, 3]), run: (x, y) => nn.cosineSimilarity(x, y) },
  cosineEmbeddingLoss: {
    inputs: pair([2, 3]),
    run: (x, y) => nn.cosineEmbeddingLoss(x, y, tensor([true, false])),
  },
  mseLoss: { inputs: pair([2, 3]), run: (x, y) => nn.mseLoss(x, y) },
  l1Loss: { inputs: pair([2, 3]), run: (x, y) => nn.l1Loss(x, y) },
  huberLoss: { inputs: pair([2, 3]), run: (x, y) => nn.huberLoss(x, y, { delta: 1.5 }) },
  smoothL1Loss: { inputs: pair([2, 3]), run: (x, y) => nn.smoothL1Loss(x, y, { beta: 0.7 }) },
  siSdr: { inputs: pair([2, 4]), run: (x, y) => nn.siSdr(x, y) },
  pitSiSdrLoss: { inputs: pair([1, 2, 4]), run: (x, y) => nn.pitSiSdrLoss(x, y) },
  tradesAttack: {
    inputs: [[[2, 2], "real"]],
    run: (x) => nn.tradesAttack(model, x),
    flat: "searches for an input by signs of gradients: test/nn/trades.test.ts",
  },
  tradesLoss: {
    inputs: [
      [[2, 2], "real"],
      [[2], { below: 3 }],
    ],
    run: (x, targets) => nn.tradesLoss(model, x, targets),
    flat: "its attack is drawn at random: test/nn/trades.test.ts",
  },
};

export const optimizers: Readonly<Record<string, (parameters: readonly Tensor[], lr: number) => nn.Optimizer>> = {
  Adagrad: (p, lr) => new nn.Adagrad(p, { lr }),
  Adam: (p, lr) => new nn.Adam(p, { lr }),
  AdamW: (p, lr) => new nn.AdamW(p, { lr, weightDecay: 0.1 }),
  Lion: (p, lr) => new nn.Lion(p, { lr }),
  RMSprop: (p, lr) => new nn.RMSprop(p, { lr, momentum: 0.9, centered: true }),
  SGD: (p, lr) => new nn.SGD(p, { lr, momentum: 0.9, nesterov: true, weightDecay: 0.01 }),
  SparseAdam: (p, lr) => new nn.SparseAdam(p, { lr }),
};
