// A run with everything that has state, for checkpoint.test.ts and its child processes.

import { compile, generator, rand, type Tensor } from "../../engine/index.ts";
import * as nn from "../../nn/index.ts";
import { normals } from "./tools.ts";

/** Training with everything that has state: dropout, batch statistics, moments, a noise stream, averages, shuffled data. */
export async function run() {
  const model = new nn.Sequential(
    new nn.Linear(4, 8),
    new nn.BatchNorm1d(8),
    new nn.ReLU(),
    new nn.Dropout(0.2),
    new nn.Linear(8, 2),
  ).initialize(3);
  const optimizer = new nn.AdamW(model.parameters(), { lr: 1e-2 });
  const noise = generator(5, "noise");
  const average = new nn.ExponentialMovingAverage(model, 0.9);
  const data = await nn.tensorDataset({ x: normals([24, 4], 1).cast("f32"), y: normals([24, 2], 2).cast("f32") });
  const loader = new nn.DataLoader(data, { batchSize: 8, seed: 9 });
  const schedule = nn.withWarmup(nn.cosineSchedule(1e-2, 1e-4, 20), 3);
  const step = compile((x: Tensor, y: Tensor) => {
    optimizer.zeroGrad();
    const loss = nn.mseLoss(model.forward(x.add(rand([8, 4], { generator: noise }).mul(0.1))), y);
    loss.backward();
    nn.clipGradNorm(model.parameters(), 1);
    void optimizer.step();
    void average.update();
    return loss;
  });
  const take = (from: number, to: number): number[] => {
    const losses: number[] = [];
    for (let i = from; i < to; i++) {
      optimizer.setLearningRate(schedule(i));
      const { x, y } = loader.at(i);
      losses.push(step(x, y).item());
    }
    return losses;
  };
  return { take, parts: { model, optimizer, generators: { noise }, extra: { ema: average.averages } } };
}
