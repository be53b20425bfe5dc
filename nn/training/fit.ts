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
import type { Batches } from "./prefetch.ts";

/** What is known after a step. */
export interface Progress {
  /** Steps taken, this one included. */
  readonly step: number;
  /** Steps in all. */
  readonly steps: number;
  readonly loss: number;
  /** Of the evaluation after this step, if there was one. */
  readonly score?: number;
  /** Steps that this call of `fit` took, and the seconds that it took for them. */
  readonly taken: number;
  readonly seconds: number;
}

/** Told of a run's progress: `printProgress`, `runLog`, `keepCheckpoint`, or your own. */
export type Report = (progress: Progress) => void | Promise<void>;

export interface FitOptions<Batch> {
  /** One step of training: zeroGrad, loss, backward, optimizer step. Best compiled. */
  readonly step: (batch: Batch) => Tensor;
  /** The batch of a step: a DataLoader is one, and so is what `prefetch` makes of it. */
  readonly batches: Batches<Batch | Promise<Batch>>;
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
  /** After each evaluation (or every `every` steps without one), in this order. */
  readonly report?: Report | readonly Report[];
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
  const reports = report === undefined ? [] : [report].flat();
  const start = performance.now();
  let last: Progress = { step: from, steps, loss: Number.NaN, taken: 0, seconds: 0 };
  for (let i = from; i < steps; i++) {
    before?.(i);
    const batch = batches.at(i);
    // Awaited only where there is something to wait for: most batches are there.
    const loss = step(batch instanceof Promise ? await batch : batch);
    const done = i + 1;
    if (done % every !== 0 && done !== steps) continue;
    const [value] = await loss.data();
    if (!Number.isFinite(value)) throw new NumericError("fit", `the loss of step ${done} is ${value}`);
    const score = await evaluate?.();
    last = { step: done, steps, loss: value, score, taken: done - from, seconds: (performance.now() - start) / 1000 };
    for (const told of reports) await told(last);
    if (last.score !== undefined && (await earlyStopping?.observe(last.score)) === true) break;
  }
  await earlyStopping?.restore();
  return last;
}
