// scan against the same step written out: cells of recurrent networks, states of all kinds, gradients, compiled steps.

import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import * as S from "../../engine/index.ts";
import { seeds, tensorOf, valuesOf } from "../../testing/index.ts";
import { agree } from "./plain.ts";

type Pair = [S.Tensor, S.Tensor];
type Cell = (state: Pair, x: S.Tensor, weights: readonly S.Tensor[]) => [Pair, S.Tensor];

/** Weights: W [d, 4d], U [d, 4d], b [4d]; cells use what they need. */
const gates = (x: S.Tensor, h: S.Tensor, [w, u, b]: readonly S.Tensor[]): S.Tensor[] =>
  S.chunk(S.add(S.add(S.matmul(x, w), S.matmul(h, u)), b), 4, -1);

const cells: Record<string, Cell> = {
  rnn: ([h, c], x, weights) => {
    const next = S.tanh(gates(x, h, weights)[0]);
    return [[next, c], next];
  },
  gru: ([h, c], x, weights) => {
    const [r, z, n] = gates(x, h, weights);
    const candidate = S.tanh(S.add(n, S.mul(S.sigmoid(r), h)));
    const next = S.lerp(candidate, h, S.sigmoid(z));
    return [[next, c], next];
  },
  lstm: ([h, c], x, weights) => {
    const [i, f, o, g] = gates(x, h, weights);
    const cell = S.add(S.mul(S.sigmoid(f), c), S.mul(S.sigmoid(i), S.tanh(g)));
    return [[S.mul(S.sigmoid(o), S.tanh(cell)), cell], h];
  },
  swapping: ([h, c], x, [w]) => [
    [c, S.mul(h, S.softmax(S.matmul(x, w.slice([null, [0, x.shape[1]]]))))],
    S.logsumexp(h, -1),
  ],
};

function unrolled(cell: Cell, init: Pair, xs: S.Tensor, weights: readonly S.Tensor[], reverse: boolean): S.Tensor[] {
  const length = xs.shape[0];
  const outputs: S.Tensor[] = [];
  let state = init;
  for (let step = 0; step < length; step++) {
    const t = reverse ? length - 1 - step : step;
    [state, outputs[t]] = cell(state, xs.select(0, t), weights);
  }
  return [...state, S.stack(outputs)];
}

const scanned = (cell: Cell, init: Pair, xs: S.Tensor, weights: readonly S.Tensor[], reverse: boolean): S.Tensor[] => {
  const [state, outputs] = S.scan<Pair, S.Tensor, S.Tensor>((s, x) => cell(s, x, weights), init, xs, { reverse });
  return [...state, outputs];
};

const sizes = fc.record({
  length: fc.integer({ min: 1, max: 6 }),
  batch: fc.integer({ min: 1, max: 3 }),
  d: fc.integer({ min: 1, max: 5 }),
  reverse: fc.boolean(),
  seed: seeds,
});

interface Sizes {
  readonly length: number;
  readonly batch: number;
  readonly d: number;
  readonly seed: number;
}

function inputsOf({ length, batch, d, seed }: Sizes, dtype: S.DType = "f64"): S.Tensor[] {
  const shapes = [[batch, d], [batch, d], [length, batch, d], [d, 4 * d], [d, 4 * d], [4 * d]];
  return shapes.map((shape, i) => {
    const size = shape.reduce((n, side) => n * side, 1);
    return tensorOf(
      valuesOf("real", size, seed, i).map((x) => x / 3),
      shape,
      dtype,
    );
  });
}

function expectEqual(actual: readonly S.Tensor[], expected: readonly S.Tensor[], label: string): void {
  expect(actual.length).toBe(expected.length);
  actual.forEach((x, i) => {
    expect(x.shape).toEqual(expected[i].shape);
    const [xs, ys] = [x.dataSync(), expected[i].dataSync()];
    const bad = xs.findIndex((value, j) => !agree(value, ys[j], { relative: 1e-9, absolute: 1e-11 }));
    expect(bad, `${label} ${i}: ${xs[bad]} instead of ${ys[bad]}`).toBe(-1);
  });
}

/** All results weighed and added up. */
const total = (results: readonly S.Tensor[]): S.Tensor =>
  results.map((r, i) => S.sum(S.mul(S.sin(r), 1 + i / 2))).reduce((a, b) => S.add(a, b));

describe.each(["reference", "wasm"] as const)("on %s", (backend) => {
  beforeAll(() => S.setBackend(backend));
  afterAll(() => S.setBackend("reference"));

  describe.each(Object.entries(cells))("%s", (_, cell) => {
    const runs =
      (run: typeof scanned, reverse: boolean) =>
      (h: S.Tensor, c: S.Tensor, xs: S.Tensor, ...weights: S.Tensor[]) =>
        run(cell, [h, c], xs, weights, reverse);

    it("is the unrolled loop, gradients included", () => {
      fc.assert(
        fc.property(sizes, (drawn) => {
          const inputs = inputsOf(drawn) as [S.Tensor, S.Tensor, S.Tensor, ...S.Tensor[]];
          const [loop, whole] = [runs(unrolled, drawn.reverse), runs(scanned, drawn.reverse)];
          expectEqual(whole(...inputs), loop(...inputs), "result");
          const gradient = (run: typeof loop) =>
            S.grad((...xs: S.Tensor[]) => total(run(...(xs as typeof inputs))))(...inputs);
          expectEqual(gradient(whole), gradient(loop), "gradient");
        }),
        { numRuns: 12 },
      );
    });

    it("has second derivatives", () => {
      const inputs = inputsOf({ length: 3, batch: 1, d: 1, seed: 5 }) as [S.Tensor, S.Tensor, S.Tensor, ...S.Tensor[]];
      const gradient = (run: ReturnType<typeof runs>) =>
        S.grad((...xs: S.Tensor[]) => {
          const first = S.grad((...ys: S.Tensor[]) => total(run(...(ys as typeof inputs))))(...xs);
          return total(first);
        })(...inputs);
      expectEqual(gradient(runs(scanned, true)), gradient(runs(unrolled, true)), "second derivative");
    });
  });

  it("carries integers, booleans and whatever does not change", () => {
    const init = { n: S.tensor(0, { dtype: "i32" }), odd: S.tensor(false), x: S.tensor([1, 2]) };
    const [last, seen] = S.scan(
      ({ n, odd, x }: typeof init, by: S.Tensor) => [
        { n: S.add(n, by), odd: S.logicalNot(odd), x },
        [n, odd, x, x, S.where(odd, x, S.neg(x))],
      ],
      init,
      S.tensor([3, 4, 5], { dtype: "i32" }),
    );
    expect([last.n.item(), last.odd.item(), last.x.toArray()]).toEqual([12, 1, [1, 2]]);
    expect(seen.map((t) => t.toArray())).toEqual([
      [0, 3, 7],
      [0, 1, 0],
      [
        [1, 2],
        [1, 2],
        [1, 2],
      ],
      [
        [1, 2],
        [1, 2],
        [1, 2],
      ],
      [
        [-1, -2],
        [1, 2],
        [-1, -2],
      ],
    ]);
  });

  it("outputs what does not depend on the step, once a step", () => {
    const w = S.tensor([1, 2]);
    const [, ys] = S.scan((h: null) => [h, [w, S.mul(w, 2), S.ones([1])]], null, null, { length: 2 });
    expect(ys.map((y) => y.toArray())).toEqual([
      [
        [1, 2],
        [1, 2],
      ],
      [
        [2, 4],
        [2, 4],
      ],
      [[1], [1]],
    ]);
  });

  it("nests", () => {
    const x = S.tensor(
      [
        [1, 2, 3],
        [4, 5, 6],
      ],
      { dtype: "f64" },
    );
    const f = (v: S.Tensor): S.Tensor => {
      const inner = (h: S.Tensor, y: S.Tensor): [S.Tensor, null] => [S.add(S.mul(h, 0.5), S.mul(y, y)), null];
      const outer = (h: S.Tensor, row: S.Tensor): [S.Tensor, S.Tensor] => {
        const [next] = S.scan(inner, h, row);
        return [next, next];
      };
      return S.scan(outer, S.tensor(0, { dtype: "f64" }), v)[1];
    };
    expect(f(x).toArray()).toEqual([11.25, 53.90625]);
    S.gradcheck(f, [x]);
    S.gradgradcheck(f, [x]);
  });

  it("no steps: the state is init, sequences are empty", () => {
    const [h, ys] = S.scan((c: S.Tensor, x: S.Tensor) => [S.add(c, x), S.sum(x)], S.ones([3]), S.zeros([0, 3]));
    expect([h.toArray(), ys.shape]).toEqual([[1, 1, 1], [0]]);
  });
});

describe("compiled", () => {
  beforeAll(() => S.setBackend("wasm"));
  afterAll(() => S.setBackend("reference"));

  it("trains as it does uncompiled, with the same bits for any number of threads", () => {
    const before = S.getThreads();
    const losses = [1, 2].flatMap((threads) =>
      [false, true].map((compiled) => {
        S.setThreads(threads);
        const weights = inputsOf({ length: 1, batch: 1, d: 40, seed: 3 }, "f32").slice(3);
        for (const w of weights) w.requiresGrad = true;
        const xs = tensorOf(valuesOf("real", 5 * 30 * 40, 9), [5, 30, 40]);
        const step = (x: S.Tensor): S.Tensor => {
          const zero = S.zeros([30, 40]);
          const loss = S.mean(S.square(scanned(cells.gru, [zero, zero], x, weights, false)[2]));
          for (const w of weights) w.grad = undefined;
          loss.backward();
          S.assignAll(weights.map((w) => [w, S.sub(w, S.mul(w.grad as S.Tensor, 0.5))]));
          return loss;
        };
        const run = compiled ? S.compile(step) : step;
        return Array.from({ length: 4 }, () => run(xs).item());
      }),
    );
    S.setThreads(before);
    expect(losses[0][3]).toBeLessThan(losses[0][0]);
    // Two threads do what one does; compiled code may round sums differently.
    expect(losses[2]).toEqual(losses[0]);
    expect(losses[3]).toEqual(losses[1]);
    losses[1].forEach((loss, i) => {
      expect(loss).toBeCloseTo(losses[0][i], 5);
    });
  });

  it("runs the step function once, and its program does not grow with the length", () => {
    const w = S.ones([8, 8], { requiresGrad: true });
    const lines = [4, 400].map((length) => {
      let calls = 0;
      const f = S.compile((xs: S.Tensor) => {
        const [h] = S.scan(
          (state: S.Tensor, x: S.Tensor) => {
            calls += 1;
            return [S.tanh(S.matmul(S.add(state, x), w)), null];
          },
          S.zeros([2, 8]),
          xs,
        );
        w.grad = undefined;
        S.sum(h).backward();
        return [h, w.grad as unknown as S.Tensor];
      });
      f(S.ones([length, 2, 8]));
      expect(calls).toBe(1);
      return f.explain().split("\n").length;
    });
    expect(lines[1]).toBe(lines[0]);
  });

  it("stores no states where no gradient is wanted", () => {
    const kernels = (f: (x: S.Tensor) => S.Tensor) => {
      const run = S.compile(f);
      run(S.ones([10, 3]));
      return run.explain();
    };
    const step = (h: S.Tensor, x: S.Tensor): [S.Tensor, S.Tensor] => [S.add(S.mul(h, x), 1), S.exp(h)];
    const text = kernels((x) => S.scan(step, S.zeros([3]), x)[0]);
    expect(text).toMatch(/repeat\[10\] 1 kernel calls/);
    expect(text).not.toMatch(/exp/);
    expect(text).not.toMatch(/f32x30 .*-> .*f32x30/);
  });
});

it("a view the step captures may be read before the scan is", () => {
  const w = S.tensor([
    [1, 2],
    [3, 4],
  ]).t();
  const mask = S.tril(S.ones([2, 2]));
  const run = () =>
    S.scan((h: S.Tensor, x: S.Tensor) => [h.matmul(w.mul(mask)).tanh().add(x), h], S.ones([1, 2]), S.ones([3, 1, 2]));
  const expected = Array.from(run()[0].dataSync());
  const [last] = run();
  w.dataSync();
  mask.dataSync();
  expect(Array.from(last.dataSync())).toEqual(expected);
});
