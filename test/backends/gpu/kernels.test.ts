// Kinds of kernels that random programs seldom or never hold: products by group and over sliding windows, scans of any
// step function, scatters; with their gradients.

import { afterAll, describe, expect, it } from "vitest";
import * as S from "../../../engine/index.ts";
import { modes } from "./modes.ts";

afterAll(() => S.setBackend("reference"));

const wave = (shape: readonly number[], salt: number): S.Tensor =>
  S.tensor(
    Float32Array.from({ length: S.sizeOf(shape) }, (_, i) => Math.sin(i * 1.7 + salt)),
    { shape },
  );

/** Results, and the gradients of their squares with respect to the inputs. */
type Case = (inputs: readonly S.Tensor[]) => S.Tensor;

const cases: Record<string, { readonly shapes: readonly (readonly number[])[]; readonly run: Case }> = {
  "a product by group": {
    shapes: [
      [9, 4],
      [3, 4, 5],
    ],
    run: ([x, w]) => S.groupedMatmul(x, w, S.tensor([0, 2, 2, 9], { dtype: "i32" })),
  },
  "a convolution": {
    shapes: [
      [2, 3, 7, 6],
      [4, 3, 3, 2],
    ],
    run: ([x, w]) => S.conv2d(x, w, { stride: 2, padding: 1 }),
  },
  "a wide convolution": {
    shapes: [
      [2, 8, 16, 16],
      [16, 8, 3, 3],
    ],
    run: ([x, w]) => S.conv2d(x, w, { padding: 1 }),
  },
  "a scan of a cell": {
    shapes: [
      [7, 2, 3],
      [2, 4],
      [4, 4],
      [3, 4],
    ],
    run: ([xs, h0, u, w]) => {
      const [last, ys] = S.scan(
        (h: S.Tensor, x: S.Tensor): [S.Tensor, S.Tensor] => {
          const next = S.tanh(S.add(S.matmul(h, u), S.matmul(x, w)));
          return [next, S.mul(next, 2)];
        },
        h0,
        xs,
      );
      return S.add(ys, last);
    },
  },
  "a selective scan": {
    shapes: [
      [2, 150, 3],
      [2, 150, 3],
      [3, 4],
      [2, 150, 4],
      [2, 150, 4],
      [2, 3, 4],
    ],
    run: ([u, delta, a, b, c, h0]) => {
      const rates = S.neg(S.exp(a));
      const { y, state } = S.selectiveScan(u, delta, rates, b, c, { h0, softplus: true });
      return S.add(y, S.mean(state));
    },
  },
  "a wide selective scan, backwards": {
    shapes: [
      [1, 9, 70],
      [1, 9, 70],
      [70, 2],
      [1, 9, 2],
      [1, 9, 2],
    ],
    run: ([u, delta, a, b, c]) => S.selectiveScan(u, S.square(delta), S.neg(S.square(a)), b, c, { reverse: true }).y,
  },
  "a scatter": {
    shapes: [
      [5, 3],
      [8, 3],
    ],
    run: ([x, updates]) => {
      const index = S.broadcastTo(S.reshape(S.tensor([4, 1, 1, 0, 4, 2, 1, 4], { dtype: "i32" }), [8, 1]), [8, 3]);
      return S.scatterAdd(x, 0, index, updates);
    },
  },
  "a long scatter": {
    shapes: [
      [2, 1500, 2],
      [2, 300, 2],
    ],
    run: ([x, updates]) => {
      // Some indices come often, many never; lines differ.
      const ids = Int32Array.from({ length: 2 * 300 * 2 }, (_, i) =>
        i % 7 === 0 ? 1499 : (i * i + i) % (3 + (i % 1400)),
      );
      return S.scatterAdd(x, 1, S.tensor(ids, { shape: [2, 300, 2], dtype: "i32" }), updates);
    },
  },
  "a long product of few results": {
    shapes: [
      [3, 2000],
      [2000, 5],
    ],
    run: ([x, y]) => S.matmul(x, y),
  },
  "odd batched tiles, transposed": {
    shapes: [
      [2, 37, 41],
      [2, 43, 37],
    ],
    run: ([x, y]) => S.matmul(S.transpose(x), S.transpose(y)),
  },
};

async function evaluate({ shapes, run }: (typeof cases)[string]): Promise<number[][]> {
  const inputs = shapes.map((shape, i) => wave(shape, i));
  const gradients = S.grad((...list: S.Tensor[]) => S.mean(S.square(run(list))))(...inputs);
  const all = [run(inputs), ...gradients];
  return Promise.all(all.map(async (x) => Array.from(await x.data())));
}

describe.each(modes)("mode %s", (mode) => {
  it.each(Object.keys(cases))("computes %s", async (name) => {
    await S.setBackend("reference");
    const expected = await evaluate(cases[name]);
    await S.setBackend("gpu", { mode });
    const actual = await evaluate(cases[name]);
    expected.forEach((values, i) => {
      const scale = Math.max(...values.map(Math.abs));
      expect(actual[i]).toHaveLength(values.length);
      values.forEach((value, at) => {
        const off = Math.abs(actual[i][at] - value) / scale;
        if (!(off < 1e-5)) expect.fail(`result ${i}: ${actual[i][at]} instead of ${value} at ${at}`);
      });
    });
  });
});

it("sorts the indices of long scatters, and of no others", async () => {
  await S.setBackend("gpu", { mode: "cpu" });
  const kernels = (bound: number, count: number): string => {
    const add = S.compile((x: S.Tensor, index: S.Tensor, updates: S.Tensor) => S.scatterAdd(x, 0, index, updates));
    add(S.zeros([bound]), S.zeros([count], { dtype: "i32" }), S.ones([count])).dataSync();
    return S.explain(add);
  };
  expect(kernels(1500, 300)).toMatch("a scatter of sorted indices");
  expect(kernels(50, 30)).not.toMatch("a sort");
});
