// TRADES: the attack stays near and does harm, modes come back, and the loss is the one without it where epsilon is 0.

import { beforeAll, expect, test } from "vitest";
import { compile, generator, logSoftmax, setBackend, type Tensor } from "../../engine/index.ts";
import * as nn from "../../nn/index.ts";
import { i32, normals, values } from "./tools.ts";

beforeAll(() => setBackend("wasm"));

const model = new nn.Sequential(
  new nn.Linear(4, 8, { dtype: "f64" }),
  new nn.BatchNorm1d(8, { dtype: "f64" }),
  new nn.Tanh(),
  new nn.Linear(8, 3, { dtype: "f64" }),
).initialize(1);
const x = normals([5, 4], 1).mul(0.1).add(0.5).detach();
const y = i32([0, 1, 2, 0, 1]);

test("the attack stays within epsilon and the range, and moves the output more than noise does", () => {
  const near = nn.tradesAttack(model, x, { epsilon: 0.05, stepSize: 0.02, generator: generator(1, "attack") });
  const moves = values(near.sub(x).abs());
  expect(Math.max(...moves)).toBeLessThanOrEqual(0.05 + 1e-12);
  expect(values(near).every((v) => v >= 0 && v <= 1)).toBe(true);
  expect(model.items[1].training).toBe(true);
  model.eval();
  const moved = (z: Tensor): number =>
    nn.klDivergence(logSoftmax(model.forward(x)), logSoftmax(model.forward(z))).item();
  const noise = x.add(normals([5, 4], 9).sign().mul(0.05));
  expect(moved(near)).toBeGreaterThan(moved(noise));
  model.train();
});

test("without room for the attack it is cross-entropy; with it, it trains in a compiled step", () => {
  model.eval();
  const plain = nn.crossEntropy(model.forward(x), y).item();
  expect(nn.tradesLoss(model, x, y, { epsilon: 0 }).item()).toBeCloseTo(plain, 12);
  model.train();
  const optimizer = new nn.Adam(model.parameters(), { lr: 0.02 });
  const attack = { epsilon: 0.05, stepSize: 0.02, steps: 3, beta: 1, generator: generator(2, "attack") };
  const step = compile((input: Tensor, targets: Tensor) => {
    optimizer.zeroGrad();
    const loss = nn.tradesLoss(model, input, targets, attack);
    loss.backward();
    void optimizer.step();
    return loss;
  });
  const losses = Array.from({ length: 30 }, () => step(x, y).item());
  expect(losses[29]).toBeLessThan(losses[0] / 2);
  expect(() => nn.tradesAttack(model, x, { stepSize: 0 })).toThrow(/positive/);
});
