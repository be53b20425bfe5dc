// A small training loop. The plain one does the same, and is as good wherever this one does not fit:
//
//   const step = compile((batch) => {
//     optimizer.zeroGrad();
//     const loss = lossOf(model, batch);
//     loss.backward();
//     void optimizer.step();
//     return loss;
//   });
//   for (let i = start; i < steps; i++) {
//     optimizer.setLearningRate(schedule(i));
//     const loss = step(loader.at(i));
//     if (i % 100 === 0) console.log(i, loss.item());
//   }

import { ArgumentError, NumericError, type Tensor } from "../../engine/index.ts";
import type { EarlyStopping } from "./early-stopping.ts";

/** What is known after a step. */
export interface Progress {
  /** Steps taken, this one included. */
  readonly step: number;
  readonly loss: number;
  /** Of the evaluation after this step, if there was one. */
  readonly score?: number;
}

export interface FitOptions<Batch> {
  /** One step of training: zeroGrad, loss, backward, optimizer step. Best compiled. */
  readonly step: (batch: Batch) => Tensor;
  /** The batch of a step: a DataLoader has this method. */
  readonly batches: { at(step: number): Batch };
  /** Steps in all. */
  readonly steps: number;
  /** Steps taken before, by a run that this one resumes; default 0. */
  readonly from?: number;
  /** Before each step, with the steps taken so far: set learning rates, temperatures. */
  readonly before?: (step: number) => void;
  /** A measure of the model; called every `every` steps and after the last. */
  readonly evaluate?: () => number | Promise<number>;
  /** Default 100. */
  readonly every?: number;
  /** Observes the evaluation; when it stops the run, the best weights are restored. */
  readonly earlyStopping?: EarlyStopping;
  /** After each evaluation (or every `every` steps without one): log, save a checkpoint. */
  readonly report?: (progress: Progress) => void | Promise<void>;
}

/**
 * Runs `step` on batch after batch. The loss is read every `every` steps only: reading it waits for the step.
 * @throws NumericError when a loss that was read is not finite
 */
export async function fit<Batch>(options: FitOptions<Batch>): Promise<Progress> {
  const { step, batches, steps, from = 0, before, evaluate, every = 100, earlyStopping, report } = options;
  if (!(Number.isInteger(every) && every >= 1))
    throw new ArgumentError("fit", `every must be at least 1, got ${every}`);
  if (earlyStopping !== undefined && evaluate === undefined)
    throw new ArgumentError("fit", "early stopping needs an evaluation");
  let last: Progress = { step: from, loss: Number.NaN };
  for (let i = from; i < steps; i++) {
    before?.(i);
    const loss = step(batches.at(i));
    const taken = i + 1;
    if (taken % every !== 0 && taken !== steps) continue;
    const [value] = await loss.data();
    if (!Number.isFinite(value)) throw new NumericError("fit", `the loss of step ${taken} is ${value}`);
    last = { step: taken, loss: value, score: await evaluate?.() };
    await report?.(last);
    if (last.score !== undefined && (await earlyStopping?.observe(last.score)) === true) break;
  }
  await earlyStopping?.restore();
  return last;
}
