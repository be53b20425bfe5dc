// More optimizers against hand-written trajectories; groups, clipping, accumulation, averages and schedules.

import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { compile, setBackend, type Tensor, tensor } from "../../engine/index.ts";
import * as nn from "../../nn/index.ts";
import { close, f64, normals, values } from "./tools.ts";

beforeAll(() => setBackend("wasm"));

const start = [0.5, -1, 2];
const slope = (p: number[]): number[] => p.map((v, i) => Math.cos(v) + 2 * (i + 1) * v);
const lossOf = (p: Tensor): Tensor =>
  p
    .sin()
    .add(f64([1, 2, 3]).mul(p.square()))
    .sum();
const leaf = (): Tensor => tensor(start, { dtype: "f64", requiresGrad: true });

type Next = (p: number[], g: number[], t: number) => number[];

const rmsprop = (lr: number, alpha: number, momentum: number, centered: boolean, decay: number): Next => {
  const [v, m, b] = [
    [0, 0, 0],
    [0, 0, 0],
    [0, 0, 0],
  ];
  return (p, raw) =>
    p.map((pi, i) => {
      const g = raw[i] + decay * pi;
      v[i] = alpha * v[i] + (1 - alpha) * g * g;
      m[i] = alpha * m[i] + (1 - alpha) * g;
      const d = g / (Math.sqrt(v[i] - (centered ? m[i] * m[i] : 0)) + 1e-8);
      b[i] = momentum * b[i] + d;
      return pi - lr * b[i];
    });
};
const adagrad = (lr: number, lrDecay: number): Next => {
  const s = [0, 0, 0];
  return (p, g, t) =>
    p.map((pi, i) => {
      s[i] += g[i] * g[i];
      return pi - ((lr / (1 + (t - 1) * lrDecay)) * g[i]) / (Math.sqrt(s[i]) + 1e-10);
    });
};
const lion = (lr: number, decay: number): Next => {
  const m = [0, 0, 0];
  return (p, g) =>
    p.map((pi, i) => {
      const step = Math.sign(0.9 * m[i] + 0.1 * g[i]) + decay * pi;
      m[i] = 0.99 * m[i] + 0.01 * g[i];
      return pi - lr * step;
    });
};

describe("optimizers follow their update equations", () => {
  const cases: [string, (p: Tensor) => nn.Optimizer, () => Next][] = [
    ["RMSprop", (p) => new nn.RMSprop([p], { lr: 0.05 }), () => rmsprop(0.05, 0.99, 0, false, 0)],
    [
      "RMSprop, everything",
      (p) => new nn.RMSprop([p], { lr: 0.02, alpha: 0.8, momentum: 0.5, centered: true, weightDecay: 0.1 }),
      () => rmsprop(0.02, 0.8, 0.5, true, 0.1),
    ],
    ["Adagrad", (p) => new nn.Adagrad([p], { lr: 0.3 }), () => adagrad(0.3, 0)],
    ["Adagrad with decay", (p) => new nn.Adagrad([p], { lr: 0.3, lrDecay: 0.1 }), () => adagrad(0.3, 0.1)],
    ["Lion", (p) => new nn.Lion([p], { lr: 0.03, weightDecay: 0.1 }), () => lion(0.03, 0.1)],
  ];
  for (const [name, make, hand] of cases) {
    test(name, () => {
      let expected = start;
      const next = hand();
      for (let t = 1; t <= 10; t++) expected = next(expected, slope(expected), t);
      for (const compiled of [false, true]) {
        const p = leaf();
        const optimizer = make(p);
        const step = (): Tensor => {
          optimizer.zeroGrad();
          const loss = lossOf(p);
          loss.backward();
          void optimizer.step();
          return loss;
        };
        const run = compiled ? compile(step) : step;
        for (let t = 0; t < 10; t++) run();
        close(p, expected, 1e-10);
      }
    });
  }

  test("groups are their optimizers, each on its own; disjoint objectives may take turns", () => {
    const [a, b, c, d] = [leaf(), leaf(), leaf(), leaf()];
    const group = new nn.OptimizerGroup([new nn.SGD([a], { lr: 0.1 }), new nn.Adam([b], { lr: 0.2 })]);
    const alone = [new nn.SGD([c], { lr: 0.1 }), new nn.Adam([d], { lr: 0.2 })];
    const together = compile(() => {
      group.zeroGrad();
      const loss = lossOf(a).add(lossOf(b));
      loss.backward();
      void group.step();
      return loss;
    });
    for (let t = 0; t < 4; t++) {
      together();
      lossOf(c).add(lossOf(d)).backward();
      for (const one of alone) {
        void one.step();
        one.zeroGrad();
      }
    }
    close(a, values(c), 1e-12);
    close(b, values(d), 1e-12);
    group.zeroGrad();
    lossOf(a).backward();
    void group.step();
    close(b, values(d), 1e-12);
    expect(Object.keys(group.state())).toEqual(["0.lr", "1.lr", "1.steps", "1.firstMoments.0", "1.secondMoments.0"]);
    expect(() => new nn.OptimizerGroup([new nn.SGD([a], { lr: 1 }), new nn.SGD([a], { lr: 1 })])).toThrow(/two groups/);
  });

  test("state goes from one optimizer to another, or not at all", async () => {
    const make = (): [Tensor, nn.Adam] => {
      const p = leaf();
      return [p, new nn.Adam([p], { lr: 0.1 })];
    };
    const [[p, one], [q, two]] = [make(), make()];
    lossOf(p).backward();
    void one.step();
    q.copyFrom(p.dataSync());
    await two.loadState(one.state());
    for (const [r, optimizer] of [
      [p, one],
      [q, two],
    ] as const) {
      optimizer.zeroGrad();
      lossOf(r).backward();
      void optimizer.step();
    }
    expect(values(q)).toEqual(values(p));
    await expect(two.loadState({ lr: tensor(1) })).rejects.toThrow(/"steps" is missing/);
  });
});

describe("gradients between backward and step", () => {
  test("clipping by norm bounds the norm, keeps the direction, and says the norm; compiled too", () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0.01, max: 100, noNaN: true }),
        fc.nat(1000),
        fc.boolean(),
        (limit, seed, compiled) => {
          const [p, q] = [1, 2].map((k) =>
            tensor(values(normals([3], seed + k)), { dtype: "f64", requiresGrad: true }),
          );
          const gradients = [p, q].flatMap((x) => values(x));
          const norm = Math.hypot(...gradients);
          const scale = Math.min(1, limit / (norm + 1e-6));
          const expected = gradients.map((g) => g - 0.5 * scale * g);
          const optimizer = new nn.SGD([p, q], { lr: 0.5 });
          const step = (): Tensor => {
            optimizer.zeroGrad();
            p.square().sum().add(q.square().sum()).div(2).backward();
            const before = nn.clipGradNorm(optimizer.parameters, limit);
            void optimizer.step();
            return before;
          };
          expect((compiled ? compile(step) : step)().item()).toBeCloseTo(norm, 8);
          close([...values(p), ...values(q)], expected, 1e-9);
        },
      ),
      { numRuns: 10 },
    );
  });

  test("clipping by value bounds every element", () => {
    const p = leaf();
    lossOf(p).backward();
    nn.clipGradValue([p], 2);
    close(
      p.grad as Tensor,
      slope(start).map((g) => Math.min(2, Math.max(-2, g))),
      1e-12,
    );
    expect(() => nn.clipGradValue([p], 0)).toThrow(/positive/);
    expect(() => nn.clipGradNorm([p], -1)).toThrow(/positive/);
  });

  test("accumulated parts of a batch are the batch, in compiled steps and without", () => {
    const x = normals([8, 3], 1);
    const make = (): [nn.Linear, nn.SGD] => {
      const layer = new nn.Linear(3, 2, { dtype: "f64" }).initialize(1);
      return [layer, new nn.SGD(layer.parameters(), { lr: 0.1, momentum: 0.9 })];
    };
    const [whole, wholeOptimizer] = make();
    for (let round = 0; round < 2; round++) {
      wholeOptimizer.zeroGrad();
      whole.forward(x).square().mean().backward();
      void wholeOptimizer.step();
    }
    for (const compiled of [false, true]) {
      const [layer, optimizer] = make();
      const sums = new nn.GradientAccumulator(layer.parameters());
      const part = (rows: Tensor): Tensor => {
        const loss = layer.forward(rows).square().mean();
        loss.backward();
        void sums.add();
        return loss;
      };
      const apply = (): Tensor => {
        void sums.release(4);
        void optimizer.step();
        optimizer.zeroGrad();
        return tensor(0);
      };
      const [one, two] = compiled ? [compile(part), compile(apply)] : [part, apply];
      for (let round = 0; round < 2; round++) {
        for (let i = 0; i < 4; i++) one(x.narrow(0, 2 * i, 2));
        two();
      }
      close(layer.weight, values(whole.weight), 1e-12);
    }
  });

  test("averages follow their equation, in a compiled step, and are used where asked", () => {
    const layer = new nn.Linear(2, 1, { dtype: "f64" }).initialize(1);
    const average = new nn.ExponentialMovingAverage(layer, 0.9);
    const optimizer = new nn.SGD(layer.parameters(), { lr: 0.1 });
    let expected = values(layer.weight);
    const step = compile((x: Tensor) => {
      optimizer.zeroGrad();
      const loss = layer.forward(x).square().mean();
      loss.backward();
      void optimizer.step();
      void average.update();
      return loss;
    });
    for (let t = 0; t < 5; t++) {
      step(normals([4, 2], t));
      expected = values(layer.weight).map((w, i) => 0.9 * expected[i] + 0.1 * w);
    }
    close(average.averages.weight, expected, 1e-12);
    const [used, own] = [average.use(() => layer.forward(f64([[1, 0]])).item()), layer.forward(f64([[1, 0]])).item()];
    expect(used).toBeCloseTo(expected[0] + average.averages.bias.item(), 12);
    expect(used).not.toBe(own);
  });
});

describe("schedules", () => {
  test("pass through the points they promise", () => {
    const at = (schedule: nn.Schedule, steps: number[]): number[] => steps.map(schedule);
    close(at(nn.constantSchedule(3), [0, 9]), [3, 3], 0);
    close(at(nn.linearSchedule(1, 0, 4), [0, 1, 4, 9]), [1, 0.75, 0, 0], 1e-12);
    close(at(nn.cosineSchedule(1, 0.1, 10), [0, 5, 10, 99]), [1, 0.55, 0.1, 0.1], 1e-12);
    close(at(nn.stepSchedule(1, 3, 0.5), [0, 2, 3, 6]), [1, 1, 0.5, 0.25], 1e-12);
    close(at(nn.exponentialSchedule(1, 0.5, 0.2), [0, 1, 2, 3]), [1, 0.5, 0.25, 0.2], 1e-12);
    close(at(nn.temperatureSchedule(4, 1, 2), [0, 1, 2, 3]), [4, 2, 1, 1], 1e-12);
    close(at(nn.withWarmup(nn.constantSchedule(1), 3), [0, 1, 2, 3, 4]), [0.25, 0.5, 0.75, 1, 1], 1e-12);
    const cycle = nn.oneCycleSchedule(1, 10);
    close(at(cycle, [0, 2, 9]), [1 / 25, 1, 1 / 25e4], 1e-12);
    expect(() => nn.cosineSchedule(1, 0, 0)).toThrow(/at least one step/);
  });

  test("set a leaf without another trace", () => {
    const p = tensor([0], { dtype: "f64", requiresGrad: true });
    const optimizer = new nn.SGD([p], { lr: 1 });
    const set = nn.follow(optimizer.lr, nn.linearSchedule(1, 0, 4));
    const step = compile(() => {
      optimizer.zeroGrad();
      const loss = p.sum();
      loss.backward();
      void optimizer.step();
      return loss;
    });
    for (let t = 0; t < 4; t++) {
      set(t);
      step();
    }
    expect(p.item()).toBe(-2.5);
    expect(step.traces).toBe(1);
  });
});
