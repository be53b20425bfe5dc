// Tasks B and C: trains or counts one arm on a split, and ranks all items for every test history.

import { Stream } from "../../nn/index.ts";
import type { Trial } from "../paper.ts";
import { type ArmName, isModel, makeModel } from "./arms.ts";
import { markov, popularity } from "./baselines.ts";
import type { TrainingConfig } from "./config.ts";
import { ranksUnder } from "./evaluate.ts";
import { inspect } from "./inspect.ts";
import { Batches, type Example, prefixes, toBatch } from "./interactions.ts";
import { metricsOf, rankOfTarget } from "./metrics.ts";
import { type Recommender, recommend, Sigma } from "./model/index.ts";
import type { SequenceData } from "./sequence-data.ts";
import { lateDecay, train } from "./training.ts";

/** Ranks of a list of test examples. */
type RanksOf = (examples: readonly Example[]) => Promise<number[]>;

/** Runs one arm. Records the metrics of the test examples as scalars, and the ranks in each group. */
export async function runSequences(trial: Trial, config: TrainingConfig, data: SequenceData): Promise<void> {
  const name = trial.arm as ArmName;
  const ranksOf = isModel(name) ? await trained(trial, name, config, data) : counted(name, data);
  const metrics = metricsOf(await ranksOf(data.split.test));
  for (const [metric, value] of Object.entries(metrics)) trial.scalar(metric, value);
  const groups: Record<string, number[]> = {};
  for (const { label, examples } of data.groups) groups[label] = await ranksOf(examples);
  trial.keep("ranks", groups);
  if (!isModel(name)) await trial.step(1);
}

async function trained(
  trial: Trial,
  name: Parameters<typeof makeModel>[0],
  config: TrainingConfig,
  { items, names, split }: SequenceData,
): Promise<RanksOf> {
  const { seed } = trial;
  const model = makeModel(name, items, config, seed);
  trial.scalar("parameters", countParameters(model));
  await train(trial, model, {
    batches: new Batches((epoch) => prefixes(split.train, config.prefixes, new Stream(seed, `prefixes ${epoch}`)), {
      batch: config.batch,
      items,
      steps: config.maxLength,
      seed,
    }),
    schedule: lateDecay(config.lr, config.lastLr, trial.steps),
    measure: "validation NDCG@10",
    evaluate: async () => metricsOf(await ranksUnder(model, split.validation))["NDCG@10"],
    every: config.validateEvery,
    patience: config.patience,
  });
  if (model instanceof Sigma) await keepInsides(trial, model, split.test);
  if (names !== undefined) await keepExamples(trial, model, split.test, names);
  return (examples) => ranksUnder(model, examples);
}

const countParameters = (model: Recommender): number => model.parameters().reduce((sum, { size }) => sum + size, 0);

/** How many test histories the insides are averaged over. */
const inspected = 256;

async function keepInsides(trial: Trial, model: Sigma, test: readonly Example[]): Promise<void> {
  const { ids, lengths } = toBatch(test.slice(0, inspected), model.items, model.maxLength);
  const found = await inspect(model, ids, lengths);
  if (found === undefined) return;
  trial.keep("branch sizes", found.sizes);
  if (found.gate !== undefined) trial.keep("gate", { ...found.gate });
}

/** What the model recommends to the first test users, by name. */
async function keepExamples(
  trial: Trial,
  model: Recommender,
  test: readonly Example[],
  names: readonly string[],
): Promise<void> {
  const name = (item: number): string => names[item - 1];
  const examples = await Promise.all(
    test.slice(0, 5).map(async ({ history, target }) => ({
      last: history.slice(-3).map(name),
      recommended: (await recommend(model, history, 5)).map(({ item }) => name(item)),
      next: name(target),
    })),
  );
  trial.keep("examples", examples);
}

function counted(name: Exclude<ArmName, Parameters<typeof makeModel>[0]>, data: SequenceData): RanksOf {
  const { items, split, oracle } = data;
  if (name === "Oracle") {
    if (oracle === undefined) throw new Error("only generated data have an oracle");
    const places = new Map(split.test.map((example, i) => [example, i]));
    return async (examples) =>
      examples.map((example) => rankOfTarget(oracle(places.get(example) as number), example.target));
  }
  const score = { Popularity: popularity, Markov: markov }[name](split.train, items);
  return async (examples) => examples.map(({ history, target }) => rankOfTarget(score(history), target));
}
