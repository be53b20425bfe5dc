// Training as all arms get it: one compiled step, Adam, the learning rate by schedule, a measure now and then.

import { compile, manualSeed, type Tensor } from "../../engine/index.ts";
import { Adam, EarlyStopping, fit, type Schedule } from "../../nn/index.ts";
import type { Trial } from "../paper.ts";
import { mixWeights } from "./inspect.ts";
import type { Batch } from "./interactions.ts";
import type { Recommender } from "./model/index.ts";

export interface TrainOptions {
  readonly batches: { at(step: number): Batch };
  readonly schedule: Schedule;
  /** What is measured, larger is better: its name in the trial's series, and how often. */
  readonly measure: string;
  readonly evaluate: () => Promise<number>;
  readonly every: number;
  /** Measures without gain before training stops, with the best weights given back; without it, training goes to its end. */
  readonly patience?: number;
}

/** `from` until three quarters of the steps are done, then in a straight line to `to`. */
export const lateDecay =
  (from: number, to: number, steps: number): Schedule =>
  (step) =>
    from + (to - from) * Math.max(0, (4 * step) / steps - 3);

/** Trains for the trial's steps; records the loss, the measure and, of SIGMA, its mixing weights. Dropout depends on the trial's seed. */
export async function train(trial: Trial, model: Recommender, options: TrainOptions): Promise<void> {
  const { batches, schedule, measure, evaluate, every, patience } = options;
  manualSeed(trial.seed);
  const optimizer = new Adam(model.parameters(), { lr: schedule(0) });
  const step = compile((ids: Tensor, lengths: Tensor, targets: Tensor) => {
    model.train();
    optimizer.zeroGrad();
    const loss = model.loss(ids, lengths, targets);
    loss.backward();
    optimizer.step();
    return loss;
  });
  // biome-ignore lint/suspicious/noFocusedTests: this fit trains, it is no test
  await fit({
    step: ({ ids, lengths, targets }: Batch) => step(ids, lengths, targets),
    batches,
    steps: trial.steps,
    before: (taken) => optimizer.setLearningRate(schedule(taken)),
    evaluate,
    every,
    ...(patience === undefined ? {} : { earlyStopping: new EarlyStopping(model, { patience, maximize: true }) }),
    report: async ({ step: taken, loss, score = 0 }) =>
      trial.step(taken, { [measure]: score, loss, ...(await mixWeights(model)) }),
  });
}
