// The training kit: loaders, metrics by their definitions, early stopping and the loop.

import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { compile, setBackend, type Tensor, tensor } from "../../engine/index.ts";
import * as nn from "../../nn/index.ts";
import { close, i32, normals, values } from "./tools.ts";

beforeAll(() => setBackend("wasm"));

describe("loaders", () => {
  test("an epoch has every sample once, in an order of its own; the step alone decides", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 20 }),
        fc.integer({ min: 1, max: 6 }),
        fc.nat(99),
        (length, batchSize, seed) => {
          const dataset: nn.Dataset<number[]> = { length, batch: (indices) => [...indices] };
          const loader = new nn.DataLoader(dataset, { batchSize, seed, dropLast: false });
          for (const epoch of [0, 1]) {
            const batches = [...loader.epoch(epoch)];
            expect(batches).toHaveLength(Math.ceil(length / batchSize));
            expect(batches.flat().sort((a, b) => a - b)).toEqual(Array.from({ length }, (_, i) => i));
          }
          const again = new nn.DataLoader(dataset, { batchSize, seed, dropLast: false });
          const steps = [loader.length + 0, 0, loader.length * 2 - 1];
          expect(steps.map((step) => again.at(step))).toEqual(steps.map((step) => loader.at(step)));
        },
      ),
    );
    const dataset: nn.Dataset<number[]> = { length: 7, batch: (indices) => [...indices] };
    const plain = new nn.DataLoader(dataset, { batchSize: 3, shuffle: false });
    expect([...plain.epoch(5)]).toEqual([
      [0, 1, 2],
      [3, 4, 5],
    ]);
    const mixed = new nn.DataLoader({ ...dataset, length: 50 }, { batchSize: 50 });
    expect(mixed.at(0)).not.toEqual(mixed.at(1));
    expect(() => new nn.DataLoader(dataset, { batchSize: 8 })).toThrow(/7 samples make no batch of 8/);
  });

  test("batches of tensors are their rows", async () => {
    const data = await nn.tensorDataset({ x: normals([5, 2], 1), y: i32([0, 1, 2, 3, 4]) });
    const { x, y } = data.batch([3, 0, 3]);
    expect([x.dtype, x.shape, y.dtype]).toEqual(["f64", [3, 2], "i32"]);
    expect(values(y)).toEqual([3, 0, 3]);
    const rows = normals([5, 2], 1).toArray() as number[][];
    expect(x.toArray()).toEqual([rows[3], rows[0], rows[3]]);
    await expect(nn.tensorDataset({ x: normals([5], 1), y: i32([0]) })).rejects.toThrow(/first axes differ/);
  });
});

describe("metrics", () => {
  const judged = fc.array(
    fc.record({ score: fc.integer({ min: 0, max: 5 }), label: fc.integer({ min: 0, max: 1 }), group: fc.nat(2) }),
    { minLength: 1, maxLength: 20 },
  );

  const byPairs = (list: readonly { score: number; label: number }[]): number => {
    const pairs = list
      .filter((a) => a.label === 1)
      .flatMap((a) =>
        list.filter((b) => b.label === 0).map((b) => (a.score > b.score ? 1 : a.score === b.score ? 0.5 : 0)),
      );
    return pairs.reduce((sum: number, win) => sum + win, 0) / pairs.length;
  };

  /** Close, or both NaN. */
  const same = (x: number, y: number): void => {
    if (!(Number.isNaN(x) && Number.isNaN(y))) expect(x).toBeCloseTo(y, 12);
  };

  test("AUC is the share of pairs in order, GAUC its mean over groups", () => {
    fc.assert(
      fc.property(judged, (list) => {
        const [scores, labels, groups] = [list.map((x) => x.score), list.map((x) => x.label), list.map((x) => x.group)];
        same(nn.auc(scores, labels), byPairs(list));
        const parts = [0, 1, 2]
          .map((g) => list.filter((x) => x.group === g))
          .filter((part) => !Number.isNaN(byPairs(part)) && part.length > 0);
        const weight = parts.reduce((sum, part) => sum + part.length, 0);
        const expected = parts.reduce((sum, part) => sum + byPairs(part) * part.length, 0) / weight;
        same(nn.gauc(scores, labels, groups), expected);
      }),
    );
    expect(nn.auc([1, 2], [1, 1])).toBeNaN();
    expect(nn.auc([Number.NaN, 1], [1, 0])).toBeNaN();
    expect(() => nn.auc([1], [1, 0])).toThrow(/lengths 1 and 2/);
  });

  test("rankings", () => {
    expect(nn.rankOf([0.1, 0.9, 0.5], 2)).toBe(2);
    expect(nn.rankOf([1, 1, 1], 0)).toBe(3);
    expect(() => nn.rankOf([1], 1)).toThrow(/not among 1/);
    const ranks = [1, 3, 11];
    expect(nn.hitRate(ranks, 10)).toBeCloseTo(2 / 3, 12);
    expect(nn.ndcg(ranks, 10)).toBeCloseTo((1 + 0.5) / 3, 12);
    expect(nn.meanReciprocalRank(ranks)).toBeCloseTo((1 + 1 / 3 + 1 / 11) / 3, 12);
    expect(nn.meanReciprocalRank(ranks, 10)).toBeCloseTo((1 + 1 / 3) / 3, 12);
  });

  test("classes, language, sources", () => {
    expect(
      nn
        .accuracy(
          tensor([
            [1, 2],
            [3, 0],
            [0, 1],
          ]),
          i32([1, 1, 1]),
        )
        .item(),
    ).toBeCloseTo(2 / 3, 6);
    expect(nn.perplexity(Math.log(50))).toBeCloseTo(50, 10);
    expect(nn.bitsPerCharacter(Math.log(256), 2)).toBeCloseTo(4, 12);
    const targets = normals([2, 2, 50], 1);
    const mixture = targets.sum(1);
    const estimates = targets.add(normals([2, 2, 50], 2).mul(0.1));
    const own = nn
      .siSdr(estimates, targets)
      .mean()
      .sub(nn.siSdr(mixture.unsqueeze(1), targets).mean())
      .item();
    expect(nn.siSdrImprovement(estimates.flip(1), targets, mixture).item()).toBeCloseTo(own, 10);
    const same = mixture.unsqueeze(1).broadcastTo([2, 2, 50]);
    expect(nn.siSdrImprovement(same, targets, mixture).item()).toBeCloseTo(0, 10);
  });
});

/** A line to find in noise, its loss falling from step to step. */
async function line() {
  const layer = new nn.Linear(2, 1).initialize(1);
  const optimizer = new nn.SGD(layer.parameters(), { lr: 0.1 });
  const x = normals([16, 2], 1).cast("f32");
  const loader = new nn.DataLoader(await nn.tensorDataset({ x, y: x.sum(1, { keepDims: true }) }), { batchSize: 8 });
  const step = compile((rows: Tensor, y: Tensor) => {
    optimizer.zeroGrad();
    const loss = nn.mseLoss(layer.forward(rows), y);
    loss.backward();
    void optimizer.step();
    return loss;
  });
  return {
    layer,
    optimizer,
    options: { batches: loader, step: (batch: { x: Tensor; y: Tensor }) => step(batch.x, batch.y) },
  };
}

describe("the loop", () => {
  test("is the plain loop, whole or in two runs, and reports as asked", async () => {
    const [one, two, plain] = [await line(), await line(), await line()];
    const seen: number[] = [];
    const schedule = nn.linearSchedule(0.2, 0, 25);
    const last = await nn.fit({
      ...one.options,
      steps: 25,
      every: 10,
      before: (step) => one.optimizer.setLearningRate(schedule(step)),
      report: ({ step }) => void seen.push(step),
    });
    expect(seen).toEqual([10, 20, 25]);
    expect(last.step).toBe(25);
    const before = (step: number): void => two.optimizer.setLearningRate(schedule(step));
    await nn.fit({ ...two.options, steps: 7, before });
    await nn.fit({ ...two.options, steps: 25, from: 7, before });
    for (let i = 0; i < 25; i++) {
      plain.optimizer.setLearningRate(schedule(i));
      plain.options.step(plain.options.batches.at(i));
    }
    expect(values(one.layer.weight)).toEqual(values(plain.layer.weight));
    expect(values(two.layer.weight)).toEqual(values(plain.layer.weight));
    close(one.layer.weight, [1, 1], 0.1);
  });

  test("stops early, and gives the best weights back", async () => {
    const { layer, options } = await line();
    const scores = [5, 3, 4, 3.5, 6];
    const weights: number[][] = [];
    const evaluate = (): number => {
      weights.push(values(layer.weight));
      return scores[weights.length - 1];
    };
    const earlyStopping = new nn.EarlyStopping(layer, { patience: 1 });
    const last = await nn.fit({ ...options, steps: 100, every: 2, evaluate, earlyStopping });
    expect([last.step, last.score, earlyStopping.best]).toEqual([8, 3.5, 3]);
    expect(values(layer.weight)).toEqual(weights[1]);
    await expect(nn.fit({ ...options, steps: 1, earlyStopping })).rejects.toThrow(/needs an evaluation/);
  });

  test("maximizing, small gains and NaN", async () => {
    const watch = new nn.EarlyStopping(new nn.Linear(1, 1), { patience: 1, maximize: true, minDelta: 0.1 });
    expect(await watch.observe(1)).toBe(false);
    expect(await watch.observe(1.05)).toBe(false);
    expect(await watch.observe(Number.NaN)).toBe(true);
    expect(await watch.observe(2)).toBe(false);
    expect(watch.best).toBe(2);
    expect(() => new nn.EarlyStopping(new nn.Linear(1, 1), { patience: -1 })).toThrow(/patience/);
  });

  test("a loss that is not finite ends the run", async () => {
    const { options } = await line();
    await expect(nn.fit({ ...options, step: () => tensor(Number.NaN), steps: 3, every: 2 })).rejects.toThrow(
      /loss of step 2 is NaN/,
    );
  });
});
