// Every loss: gradients to second order, f32 within the bound of rounding. Every optimizer: it descends, its state goes
// round, a compiled step is the step, and a rate of 0 changes nothing.

import fc from "fast-check";
import { beforeAll, describe, expect, it, test } from "vitest";
import {
  arange,
  compile,
  gradcheck,
  gradgradcheck,
  indexSelect,
  setBackend,
  sizeOf,
  type Tensor,
} from "../../engine/index.ts";
import * as nn from "../../nn/index.ts";
import * as every from "../../nn/losses/index.ts";
import { dtypeOf, roundingBounds, seeds, tensorOf, train, trainings, valuesOf } from "../../testing/index.ts";
import { type Loss, losses, optimizers } from "./losses.ts";

beforeAll(() => setBackend("wasm"));

it("every loss and every optimizer has an entry", () => {
  expect(Object.keys(losses).sort()).toEqual(Object.keys(every).sort());
  const exported = Object.entries(nn).flatMap(([name, value]) =>
    typeof value === "function" && value.prototype instanceof nn.Optimizer ? [name] : [],
  );
  expect(Object.keys(optimizers).sort()).toEqual(exported.sort());
});

const inputsOf = ({ inputs }: Loss, seed: number, float: "f32" | "f64"): Tensor[] =>
  inputs.map(([shape, domain], i) => tensorOf(valuesOf(domain, sizeOf(shape), seed, i), shape, dtypeOf(domain, float)));

describe.each(Object.entries(losses).filter(([, { flat }]) => flat === undefined))("%s", (_, loss) => {
  it("gradients", () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        gradcheck(loss.run, inputsOf(loss, seed, "f64"));
        gradgradcheck(loss.run, inputsOf(loss, seed, "f64"));
      }),
      { numRuns: 3 },
    );
  });

  it("f32 is as near f64 as rounding allows", () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const [{ values, bounds }] = roundingBounds([loss.run(...inputsOf(loss, seed, "f32"))]);
        loss
          .run(...inputsOf(loss, seed, "f32"))
          .dataSync()
          .forEach((value, i) => {
            expect(Math.abs(value - values[i])).toBeLessThanOrEqual(bounds[i]);
          });
      }),
      { numRuns: 10 },
    );
  });
});

describe.each(Object.entries(optimizers))("%s", (_, make) => {
  const at = [
    [0.7, -1.3, 0.2],
    [1, -2],
  ];
  const start = (): Tensor[] =>
    at.map((values) => {
      const p = nn.parameter([values.length], nn.init.zeros);
      p.copyFrom(values);
      return p;
    });
  /** Through lookups, which is what some optimizers are for. */
  const squares = (p: Tensor): Tensor => indexSelect(p, 0, arange(p.size, { dtype: "i32" })).square();
  const loss = (parameters: readonly Tensor[]): Tensor =>
    parameters.map((p) => squares(p).sum()).reduce((a, b) => a.add(b));
  /** So many steps down a bowl: the losses on the way, and the parameters in the end. */
  const run = (steps: number, lr: number, compiled = false) => {
    const parameters = start();
    const optimizer = make(parameters, lr);
    const once = (): Tensor => {
      optimizer.zeroGrad();
      const value = loss(parameters);
      value.backward();
      void optimizer.step();
      return value;
    };
    const step = compiled ? compile(once) : once;
    const seen = Array.from({ length: steps }, () => step().item());
    return { seen, parameters: parameters.map((p) => Array.from(p.dataSync())) };
  };

  it("descends", () => {
    const { seen } = run(60, 0.02);
    expect(seen[59]).toBeLessThan(0.8 * seen[0]);
  });

  it("a compiled step is the step", () => {
    const [eager, compiled] = [run(8, 0.05), run(8, 0.05, true)];
    compiled.parameters.flat().forEach((value, i) => {
      expect(Math.abs(value - eager.parameters.flat()[i])).toBeLessThan(1e-6);
    });
  });

  it("a rate of 0 changes nothing", () => {
    expect(run(3, 0).parameters).toEqual(start().map((p) => Array.from(p.dataSync())));
  });

  it("goes on from its state", async () => {
    const parameters = start();
    const step = (optimizer: nn.Optimizer): void => {
      optimizer.zeroGrad();
      loss(parameters).backward();
      void optimizer.step();
    };
    const first = make(parameters, 0.05);
    for (let i = 0; i < 4; i++) step(first);
    const second = make(parameters, 0.05);
    const state = Object.fromEntries(
      Object.entries(first.state()).map(([name, x]) => [name, tensorOf(Array.from(x.dataSync()), x.shape, x.dtype)]),
    );
    await second.loadState(state);
    for (let i = 0; i < 4; i++) step(second);
    expect(parameters.map((p) => Array.from(p.dataSync()))).toEqual(run(8, 0.05).parameters);
  });
});

test("whole trainings: wasm is the oracle in f64; compiled, eager and f32 are near", async () => {
  await fc.assert(
    fc.asyncProperty(trainings, async (training) => {
      await setBackend("reference");
      const exact = train(training, { dtype: "f64", compiled: false });
      await setBackend("wasm");
      const near = (list: readonly number[], expected: readonly number[], tolerance: number): void =>
        list.forEach((value, i) => {
          expect(Math.abs(value - expected[i])).toBeLessThanOrEqual(tolerance * (1 + Math.abs(expected[i])));
        });
      for (const compiled of [false, true]) {
        const wide = train(training, { dtype: "f64", compiled });
        near(wide.losses, exact.losses, 1e-9);
        near(wide.parameters.flat(), exact.parameters.flat(), 1e-8);
        near(train(training, { compiled }).losses, exact.losses, 2e-3);
      }
      expect(train(training)).toEqual(train(training));
    }),
    { numRuns: 25 },
  );
});
