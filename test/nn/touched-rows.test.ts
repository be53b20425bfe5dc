// Updates of tables: only rows that were looked up are read and written, and the bits are those of the whole update.

import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import {
  ArgumentError,
  assign,
  compile,
  explain,
  indexSelect,
  ones,
  scatterAdd,
  scatteredRows,
  setBackend,
  type Tensor,
  tensor,
} from "../../engine/index.ts";
import { clipGradNorm, Embedding, SGD, SparseAdam } from "../../nn/index.ts";
import { close, i32, values } from "./tools.ts";

beforeAll(() => setBackend("wasm"));

/** A table, and the rows that each step looks up. */
const trainings = fc
  .record({ rows: fc.integer({ min: 1, max: 60 }), width: fc.integer({ min: 1, max: 6 }), seed: fc.nat(1000) })
  .chain((sizes) =>
    fc.record({
      sizes: fc.constant(sizes),
      /** Ids of one lookup and of another, of one length in all steps. */
      steps: fc.tuple(fc.integer({ min: 0, max: 5 }), fc.integer({ min: 0, max: 3 })).chain(([first, second]) => {
        const id = fc.nat(sizes.rows - 1);
        const ids = (length: number) => fc.array(id, { minLength: length, maxLength: length });
        return fc.array(fc.tuple(ids(first), ids(second)), { minLength: 1, maxLength: 4 });
      }),
      padding: fc.option(fc.nat(sizes.rows - 1), { nil: undefined }),
    }),
  );

type Training = typeof trainings extends fc.Arbitrary<infer T> ? T : never;

const values32 = (length: number, seed: number): Float32Array =>
  Float32Array.from({ length }, (_, i) => (i % 7 === 0 ? -0 : Math.sin(seed + i * 1.7)));

/** A loss whose gradients round, of two lookups of a table. */
function lossOf(table: Embedding, first: Tensor, second: Tensor): Tensor {
  const one = table.forward(first).square().mul(0.3).sum();
  return one.add(table.forward(second).sin().mul(1.1).sum());
}

function make({ sizes: { rows, width, seed }, padding }: Training): Embedding {
  const table = new Embedding(rows, width, { padding });
  table.weight.copyFrom(values32(rows * width, seed));
  return table;
}

const ids = (list: readonly number[]): Tensor => tensor(Int32Array.from(list), { dtype: "i32" });

describe("SGD", () => {
  test("of looked-up rows is SGD of the whole table, bit for bit, compiled or not", () => {
    fc.assert(
      fc.property(trainings, fc.boolean(), (training, compiled) => {
        const [table, whole] = [make(training), make(training)];
        const optimizer = new SGD([table.weight], { lr: 0.37 });
        const once = (first: Tensor, second: Tensor): null => {
          optimizer.zeroGrad();
          lossOf(table, first, second).backward();
          void optimizer.step();
          return null;
        };
        const step = compiled ? compile(once) : once;
        for (const [first, second] of training.steps) {
          step(ids(first), ids(second));
          whole.weight.grad = undefined;
          lossOf(whole, ids(first), ids(second)).backward();
          const g = values((whole.weight.grad as unknown as Tensor).detach());
          const p = values(whole.weight);
          whole.weight.copyFrom(p.map((v, i) => Math.fround(v - Math.fround(g[i] * Math.fround(0.37)))));
        }
        expect(new Uint8Array(table.weight.dataSync().slice().buffer)).toEqual(
          new Uint8Array(whole.weight.dataSync().slice().buffer),
        );
      }),
      { numRuns: 60 },
    );
  });

  test("writes in place what it looked up: no copy, and no kernel over the table", () => {
    const table = new Embedding(10_000, 16);
    const optimizer = new SGD(table.parameters(), { lr: 0.1 });
    const step = compile((at: Tensor) => {
      optimizer.zeroGrad();
      const loss = table.forward(at).square().sum();
      loss.backward();
      void optimizer.step();
      return loss;
    });
    step(ids([1, 2, 3, 2]));
    const program = explain(step);
    expect(program).toContain("0 state copies");
    expect(program).not.toMatch(/loop\[[^\]]*(10000|160000)/);
  });

  test("a wrong index changes nothing, wherever it is", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 5 }), fc.nat(), (count, width, where) => {
        const table = tensor(values32(50 * width, 1), { shape: [50, width] });
        const before = values(table);
        const list = Array.from({ length: count }, (_, i) => (i * 13) % 50);
        const wrong = where % 2 === 0 ? 50 + (where % 9) : -1 - (where % 9);
        const step = compile((at: Tensor, rows: Tensor) => {
          assign(table, scatterAdd(table, 0, at.reshape([count, 1]).expand([count, width]), rows));
          return null;
        });
        const rows = ones([count, width]);
        expect(() => step(ids(list.with(where % count, wrong)), rows)).toThrow(
          new RegExp(`scatterAdd: index ${wrong} is out of range for axis 0 of length 50`),
        );
        expect(values(table)).toEqual(before);
        step(ids(list), rows);
        const expected = before.slice();
        for (const at of list)
          for (let j = 0; j < width; j++) expected[at * width + j] = Math.fround(expected[at * width + j] + 1);
        expect(values(table)).toEqual(expected);
      }),
      { numRuns: 60 },
    );
  });
});

describe("SparseAdam", () => {
  test("is Adam's equations for the rows that were looked up; others stay, bit for bit", () => {
    fc.assert(
      fc.property(trainings, fc.boolean(), (training, compiled) => {
        const { rows, width, seed } = training.sizes;
        const table = new Embedding(rows, width, { padding: training.padding, dtype: "f64" });
        const start = Float64Array.from(values32(rows * width, seed));
        table.weight.copyFrom(start);
        const optimizer = new SparseAdam([table.weight], { lr: 0.1, betas: [0.7, 0.9], eps: 1e-6 });
        const once = (first: Tensor, second: Tensor): null => {
          optimizer.zeroGrad();
          lossOf(table, first, second).backward();
          void optimizer.step();
          return null;
        };
        const step = compiled ? compile(once) : once;
        const [p, m, v] = [Array.from(start), start.map(() => 0), start.map(() => 0)];
        training.steps.forEach(([first, second], at) => {
          step(ids(first), ids(second));
          const g = start.map(() => 0);
          const counted = (list: readonly number[], slope: (x: number) => number): void => {
            for (const id of list)
              for (let j = 0; j < width && id !== training.padding; j++) g[id * width + j] += slope(p[id * width + j]);
          };
          counted(first, (x) => 0.6 * x);
          counted(second, (x) => 1.1 * Math.cos(x));
          for (const id of new Set([...first, ...second]))
            for (let i = id * width; i < (id + 1) * width; i++) {
              m[i] = 0.7 * m[i] + 0.3 * g[i];
              v[i] = 0.9 * v[i] + 0.1 * g[i] ** 2;
              const t = at + 1;
              p[i] -= ((0.1 * Math.sqrt(1 - 0.9 ** t)) / (1 - 0.7 ** t)) * (m[i] / (Math.sqrt(v[i]) + 1e-6));
            }
        });
        close(table.weight, p, 1e-9);
        const touched = new Set(training.steps.flat(2));
        values(table.weight).forEach((x, i) => {
          if (!touched.has(Math.floor(i / width))) expect(Object.is(x, start[i])).toBe(true);
        });
      }),
      { numRuns: 60 },
    );
  });

  test("refuses gradients that are not of lookups alone", () => {
    const table = new Embedding(8, 2);
    const optimizer = new SparseAdam(table.parameters(), { lr: 0.1 });
    const refused = (loss: Tensor, before?: () => void): void => {
      optimizer.zeroGrad();
      loss.backward();
      before?.();
      expect(() => optimizer.step()).toThrow(ArgumentError);
      expect(() => optimizer.step()).toThrow(
        /SparseAdam: the gradient of parameter 0 \[8, 2\] is not one of looked-up rows/,
      );
    };
    const looked = (): Tensor => table.forward(i32([1, 1, 3])).sum();
    refused(table.weight.square().sum());
    refused(looked().add(table.attend(table.forward(i32([2]))).sum()));
    refused(looked(), () => clipGradNorm(table.parameters(), 1));
    refused(looked(), () => void values(table.weight.grad as Tensor));
  });
});

test("scatteredRows reads lookups off a graph, and nothing else", () => {
  const table = tensor(
    [
      [1, 2],
      [3, 4],
      [5, 6],
    ],
    { requiresGrad: true },
  );
  const gradientOf = (loss: Tensor): Tensor => {
    table.grad = undefined;
    loss.backward();
    return table.grad as unknown as Tensor;
  };
  const found = scatteredRows(
    gradientOf(
      indexSelect(table, 0, i32([2, 0, 2]))
        .mul(tensor([[1], [2], [3]]))
        .sum(),
    ),
  );
  expect(found?.index.toArray()).toEqual([2, 0, 2]);
  expect(found?.rows.toArray()).toEqual([
    [1, 1],
    [2, 2],
    [3, 3],
  ]);
  const two = gradientOf(
    indexSelect(table, 0, i32([1]))
      .sum()
      .add(indexSelect(table, 0, i32([0, 1])).sum()),
  );
  expect([...(scatteredRows(two)?.index.dataSync() ?? [])].sort()).toEqual([0, 1, 1]);
  expect(scatteredRows(gradientOf(indexSelect(table, 1, i32([0, 1])).sum()))).toBeUndefined();
  expect(scatteredRows(gradientOf(table.sum()))).toBeUndefined();
  expect(scatteredRows(table)).toBeUndefined();
});
