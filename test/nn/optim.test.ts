// Optimizers: against trajectories computed here by hand in f64; compiled and not; and that training keeps memory flat.

import { beforeAll, describe, expect, test } from "vitest";
import { compile, setBackend, type Tensor, tensor } from "../../engine/index.ts";
import { Adam, AdamW, Linear, mseLoss, type Optimizer, ReLU, Sequential, SGD } from "../../nn/index.ts";
import { close, f64, normals, values } from "./tools.ts";

beforeAll(() => setBackend("wasm"));

/** The gradient of the loss below at p. */
const slope = (p: number[]): number[] => p.map((v, i) => Math.cos(v) + 2 * (i + 1) * v);
const lossOf = (p: Tensor): Tensor =>
  p
    .sin()
    .add(f64([1, 2, 3]).mul(p.square()))
    .sum();
const start = [0.5, -1, 2];

/** Runs an optimizer by hand: `next` maps parameters and gradient to parameters; it keeps its own state. */
function byHand(steps: number, next: (p: number[], g: number[], t: number) => number[]): number[] {
  let p = start;
  for (let t = 1; t <= steps; t++) p = next(p, slope(p), t);
  return p;
}

async function byOptimizer(steps: number, make: (p: Tensor) => Optimizer, compiled: boolean): Promise<number[]> {
  const p = tensor(start, { dtype: "f64", requiresGrad: true });
  const optimizer = make(p);
  const step = (): Tensor => {
    optimizer.zeroGrad();
    const loss = lossOf(p);
    loss.backward();
    void optimizer.step();
    return loss;
  };
  const run = compiled ? compile(step) : step;
  for (let i = 0; i < steps; i++) run();
  return values(p);
}

const zip = (a: number[], b: number[], f: (x: number, y: number) => number): number[] => a.map((x, i) => f(x, b[i]));

function sgdByHand(lr: number, momentum: number, nesterov: boolean, decay: number) {
  let m = [0, 0, 0];
  return (p: number[], g: number[]): number[] => {
    const total = zip(g, p, (gi, pi) => gi + decay * pi);
    m = zip(m, total, (mi, gi) => momentum * mi + gi);
    const direction = nesterov ? zip(total, m, (gi, mi) => gi + momentum * mi) : m;
    return zip(p, direction, (pi, di) => pi - lr * di);
  };
}

function adamByHand(lr: number, [b1, b2]: [number, number], eps: number, decay: number, decoupled: boolean) {
  let m = [0, 0, 0];
  let v = [0, 0, 0];
  return (p: number[], raw: number[], t: number): number[] => {
    const g = decoupled ? raw : zip(raw, p, (gi, pi) => gi + decay * pi);
    m = zip(m, g, (mi, gi) => b1 * mi + (1 - b1) * gi);
    v = zip(v, g, (vi, gi) => b2 * vi + (1 - b2) * gi * gi);
    return p.map((pi, i) => {
      const mHat = m[i] / (1 - b1 ** t);
      const vHat = v[i] / (1 - b2 ** t);
      return pi - (decoupled ? lr * decay * pi : 0) - (lr * mHat) / (Math.sqrt(vHat) + eps);
    });
  };
}

describe("optimizers follow their update equations", () => {
  const cases: [string, (p: Tensor) => Optimizer, () => (p: number[], g: number[], t: number) => number[]][] = [
    ["SGD", (p) => new SGD([p], { lr: 0.05 }), () => sgdByHand(0.05, 0, false, 0)],
    ["SGD with decay", (p) => new SGD([p], { lr: 0.05, weightDecay: 0.1 }), () => sgdByHand(0.05, 0, false, 0.1)],
    [
      "momentum",
      (p) => new SGD([p], { lr: 0.02, momentum: 0.9, weightDecay: 0.1 }),
      () => sgdByHand(0.02, 0.9, false, 0.1),
    ],
    ["Nesterov", (p) => new SGD([p], { lr: 0.02, momentum: 0.8, nesterov: true }), () => sgdByHand(0.02, 0.8, true, 0)],
    ["Adam", (p) => new Adam([p], { lr: 0.1 }), () => adamByHand(0.1, [0.9, 0.999], 1e-8, 0, false)],
    [
      "Adam with decay",
      (p) => new Adam([p], { lr: 0.1, weightDecay: 0.2, eps: 1e-3 }),
      () => adamByHand(0.1, [0.9, 0.999], 1e-3, 0.2, false),
    ],
    [
      "Adam without memory",
      (p) => new Adam([p], { lr: 0.1, betas: [0, 0.5] }),
      () => adamByHand(0.1, [0, 0.5], 1e-8, 0, false),
    ],
    [
      "AdamW",
      (p) => new AdamW([p], { lr: 0.1, weightDecay: 0.2 }),
      () => adamByHand(0.1, [0.9, 0.999], 1e-8, 0.2, true),
    ],
    ["AdamW by default", (p) => new AdamW([p], { lr: 0.1 }), () => adamByHand(0.1, [0.9, 0.999], 1e-8, 0.01, true)],
  ];
  for (const [name, make, hand] of cases) {
    test(name, async () => {
      const expected = byHand(12, hand());
      close(await byOptimizer(12, make, false), expected, 1e-11);
      close(await byOptimizer(12, make, true), expected, 1e-11);
    });
  }

  test("f32 Adam keeps its digits: the corrections do not cancel", () => {
    const p = tensor([1], { requiresGrad: true });
    const optimizer = new Adam([p], { lr: 0.5 });
    p.mul(3).sum().backward();
    void optimizer.step();
    expect(p.item()).toBeCloseTo(0.5, 6);
  });
});

describe("an optimizer and its parameters", () => {
  test("a learning rate set later holds from then on, without another trace", () => {
    const p = tensor([1], { dtype: "f64", requiresGrad: true });
    const optimizer = new SGD([p], { lr: 0.5 });
    const step = compile(() => {
      optimizer.zeroGrad();
      const loss = p.sum();
      loss.backward();
      void optimizer.step();
      return loss;
    });
    step();
    expect(p.item()).toBe(0.5);
    optimizer.setLearningRate(0.25);
    step();
    expect(p.item()).toBe(0.25);
    expect(step.traces).toBe(1);
  });

  test("parameters without a gradient stay; without any, step says so", () => {
    const [used, unused] = [tensor([1], { requiresGrad: true }), tensor([1], { requiresGrad: true })];
    const optimizer = new Adam([used, unused], { lr: 0.1 });
    expect(() => optimizer.step()).toThrow(/no parameter has a gradient/);
    used.square().sum().backward();
    void optimizer.step();
    expect(used.item()).not.toBe(1);
    expect(unused.item()).toBe(1);
    optimizer.zeroGrad();
    expect(used.grad).toBeUndefined();
  });

  test("refuses settings and parameters that make no sense", () => {
    const p = tensor([1], { requiresGrad: true });
    expect(() => new Adam([], { lr: 1 })).toThrow(/no parameters/);
    expect(() => new Adam([p, p], { lr: 1 })).toThrow(/twice/);
    expect(() => new Adam([tensor([1])], { lr: 1 })).toThrow(/does not require/);
    expect(() => new Adam([p], { lr: -1 })).toThrow(/lr is out of range: -1/);
    expect(() => new Adam([p], { lr: 1, betas: [0.9, 1] })).toThrow(/beta/);
    expect(() => new Adam([p], { lr: 1, eps: 0 })).toThrow(/eps/);
    expect(() => new SGD([p], { lr: 1, nesterov: true })).toThrow(/nesterov/);
    expect(() => new SGD([p], { lr: 1 }).setLearningRate(Number.NaN)).toThrow(/lr/);
  });
});

/** A small network on fixed data, trained for some steps. */
function training(compiled: boolean) {
  const model = new Sequential(new Linear(8, 32), new ReLU(), new Linear(32, 4)).initialize(3);
  const optimizer = new Adam(model.parameters(), { lr: 1e-3 });
  const [x, y] = [normals([32, 8], 1).cast("f32"), normals([32, 4], 2).cast("f32")];
  void x.data();
  void y.data();
  const step = (input: Tensor, target: Tensor): Tensor => {
    optimizer.zeroGrad();
    const loss = mseLoss(model.forward(input), target);
    loss.backward();
    void optimizer.step();
    return loss;
  };
  const run = compiled ? compile(step) : step;
  return { model, step: () => run(x, y) };
}

test("compiled and un-compiled training agree", () => {
  const [fast, slow] = [training(true), training(false)];
  for (let i = 0; i < 20; i++) expect(fast.step().item()).toBeCloseTo(slow.step().item(), 5);
  const [a, b] = [fast.model.parameters(), slow.model.parameters()];
  for (const [i, p] of a.entries()) close(p, values(b[i]), 1e-5);
});

test("2,000 steps keep memory flat, compiled or not", () => {
  for (const compiled of [true, false]) {
    const { step } = training(compiled);
    const megabytes = (): [heap: number, resident: number] => {
      const { heapUsed, arrayBuffers, rss } = process.memoryUsage();
      return [(heapUsed + arrayBuffers) / 2 ** 20, rss / 2 ** 20];
    };
    const first = step().item();
    for (let i = 0; i < 500; i++) step().item();
    const before = megabytes();
    let last = first;
    for (let i = 0; i < 1500; i++) last = step().item();
    expect(last).toBeLessThan(first);
    const after = megabytes();
    // Garbage that is not collected yet is allowed for; 1,500 graphs or results that are kept are far more.
    expect(after[0] - before[0]).toBeLessThan(50);
    expect(after[1] - before[1]).toBeLessThan(100);
  }
});
