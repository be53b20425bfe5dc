// Task E: how the time of a forward pass and of a step of training grows with the length of histories.

import { compile, type Tensor, tensor } from "../../engine/index.ts";
import { Adam, Stream } from "../../nn/index.ts";
import type { Trial } from "../paper.ts";
import { type ModelName, makeModel } from "./arms.ts";
import type { TimeConfig } from "./config.ts";
import type { Recommender } from "./model/index.ts";

/** Times a model at each length; series by length: "forward ms" and "training ms". */
export async function runTime(trial: Trial, config: TimeConfig): Promise<void> {
  const { batch, items, forward, training } = config;
  const random = new Stream(trial.seed, "histories");
  const numbers = (shape: readonly number[]): Tensor =>
    tensor(
      Int32Array.from({ length: shape.reduce((a, b) => a * b) }, () => 1 + random.integer(items - 1)),
      {
        shape: [...shape],
      },
    );
  const found: Record<string, { lengths: number[]; milliseconds: number[] }> = {};
  let step = 0;
  for (const [name, lengths, make] of [
    ["forward", forward, scoring],
    ["training", training, stepping],
  ] as const) {
    found[name] = { lengths: [...lengths], milliseconds: [] };
    for (const length of lengths) {
      const model = makeModel(trial.arm as ModelName, items, { ...config, maxLength: length }, trial.seed);
      const run = make(model);
      const ids = numbers([batch, length]);
      const ends = tensor(new Int32Array(batch).fill(length));
      const targets = numbers([batch]);
      const milliseconds = await medianTime(() => run(ids, ends, targets).data(), config);
      found[name].milliseconds.push(milliseconds);
      step += 1;
      await trial.step(step, { milliseconds });
    }
  }
  trial.keep("times", found);
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

async function medianTime(run: () => Promise<unknown>, { warmUp, repeats }: TimeConfig): Promise<number> {
  for (let i = 0; i < warmUp; i++) await run();
  const times: number[] = [];
  for (let i = 0; i < repeats; i++) {
    const start = performance.now();
    await run();
    times.push(performance.now() - start);
  }
  return times.sort((a, b) => a - b)[Math.floor(repeats / 2)];
}
