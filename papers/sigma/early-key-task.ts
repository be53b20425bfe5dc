// Task A: does a model find the one early item that decides?

import { hitRate } from "../../nn/index.ts";
import type { Trial } from "../paper.ts";
import { type ModelName, makeModel } from "./arms.ts";
import type { EarlyKeyConfig } from "./config.ts";
import { earlyKeyItems, makeEarlyKey } from "./early-key.ts";
import { ranksUnder } from "./evaluate.ts";
import { Batches } from "./interactions.ts";
import { train } from "./training.ts";

/** Trains one arm for all steps; HR@1 on the test sequences over the steps, and at the end. */
export async function runEarlyKey(trial: Trial, config: EarlyKeyConfig): Promise<void> {
  const { maxLength: steps, batch } = config;
  const data = makeEarlyKey(trial.seed, config.train, config.test);
  const model = makeModel(trial.arm as ModelName, earlyKeyItems, config, trial.seed);
  const hits = async (): Promise<number> => hitRate(await ranksUnder(model, data.test), 1);
  await train(trial, model, {
    batches: new Batches(() => data.train, { batch, items: earlyKeyItems, steps, seed: trial.seed }),
    schedule: () => config.lr,
    measure: "HR@1",
    evaluate: hits,
    every: config.testEvery,
  });
  trial.scalar("HR@1", await hits());
}
