// Task E: how the time of a forward pass and of a step of training grows with the length of histories.

import { compile, type Tensor, tensor } from "../../engine/index.ts";
import { Adam, Stream } from "../../nn/index.ts";
import type { Trial } from "../paper.ts";
import { type ModelName, makeModel } from "./arms.ts";
import type { TimeConfig } from "./config.ts";
import type { Recommender } from "./model/index.ts";

/** A timed run at one length; `best` is its fastest time so far, in milliseconds. */
interface Timed {
  readonly length: number;
  readonly run: () => Promise<unknown>;
  best: number;
}

/**
 * Times a model at each length: the fastest of some runs, which take turns over the lengths, so that a machine that is busy for a while slows
 * all lengths alike. Keeps "times": forward and training, by length.
 */
export async function runTime(trial: Trial, config: TimeConfig): Promise<void> {
  const found: Record<string, { lengths: number[]; milliseconds: number[] }> = {};
  let step = 0;
  for (const [name, lengths, make] of [
    ["forward", config.forward, scoring],
    ["training", config.training, stepping],
  ] as const) {
    const timed = lengths.map(
      (length): Timed => ({ length, run: prepare(trial, config, length, make), best: Infinity }),
    );
    for (const { run } of timed) for (let i = 0; i < config.warmUp; i++) await run();
    for (let i = 0; i < config.repeats; i++) {
      for (const each of timed) {
        const start = performance.now();
        await each.run();
        each.best = Math.min(each.best, performance.now() - start);
      }
      step += 1;
      await trial.step(step);
    }
    found[name] = { lengths: [...lengths], milliseconds: timed.map(({ best }) => best) };
  }
  trial.keep("times", found);
}

function prepare(
  { arm, seed }: Trial,
  config: TimeConfig,
  length: number,
  make: (model: Recommender) => Run,
): () => Promise<unknown> {
  const { batch, items } = config;
  const random = new Stream(seed, "histories");
  const numbers = (...shape: number[]): Tensor =>
    tensor(
      Int32Array.from({ length: shape.reduce((a, b) => a * b) }, () => 1 + random.integer(items - 1)),
      { shape },
    );
  const run = make(makeModel(arm as ModelName, items, { ...config, maxLength: length }, seed));
  const ids = numbers(batch, length);
  const lengths = tensor(new Int32Array(batch).fill(length));
  const targets = numbers(batch);
  return () => run(ids, lengths, targets).data();
}

type Run = (ids: Tensor, lengths: Tensor, targets: Tensor) => Tensor;

function scoring(model: Recommender): Run {
  return compile((ids: Tensor, lengths: Tensor, _targets: Tensor) => {
    model.eval();
    return model.forward(ids, lengths);
  });
}

function stepping(model: Recommender): Run {
  const optimizer = new Adam(model.parameters(), { lr: 1e-3 });
  return compile((ids: Tensor, lengths: Tensor, targets: Tensor) => {
    model.train();
    optimizer.zeroGrad();
    const loss = model.loss(ids, lengths, targets);
    loss.backward();
    optimizer.step();
    return loss;
  });
}
