// Assignment: the Hungarian algorithm against brute force, Sinkhorn against its worked examples.

import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { compile, setBackend, type Tensor } from "../../engine/index.ts";
import { hungarian, sinkhorn, sinkhornUpTo } from "../../moe/index.ts";
import { Stream } from "../../nn/index.ts";
import { close, f64, i32, normals, values } from "../nn/tools.ts";

beforeAll(() => setBackend("reference"));

function permutationsOf(n: number): number[][] {
  if (n === 0) return [[]];
  return permutationsOf(n - 1).flatMap((rest) =>
    Array.from({ length: n }, (_, at) => [...rest.slice(0, at), n - 1, ...rest.slice(at)]),
  );
}

describe("hungarian", () => {
  const cost = fc.integer({ min: 1, max: 6 }).chain((n) =>
    fc.array(fc.array(fc.integer({ min: -5, max: 5 }), { minLength: n, maxLength: n }), {
      minLength: n,
      maxLength: n,
    }),
  );

  test("finds the least total cost, against brute force", () => {
    fc.assert(
      fc.property(cost, (matrix) => {
        const total = (columns: readonly number[]): number =>
          columns.reduce((sum, column, row) => sum + matrix[row][column], 0);
        const found = hungarian(matrix);
        expect([...found].sort()).toEqual(matrix.map((_, i) => i));
        expect(total(found)).toBe(Math.min(...permutationsOf(matrix.length).map(total)));
      }),
      { numRuns: 60 },
    );
  });

  test("is no row-wise argmin, and is quick for 100", () => {
    expect(
      hungarian([
        [1, 2],
        [0, 5],
      ]),
    ).toEqual([1, 0]);
    const stream = new Stream(1, "cost");
    const big = Array.from({ length: 100 }, () => Array.from({ length: 100 }, () => stream.uniform()));
    const shuffled = stream.permutation(100);
    big.forEach((row, i) => {
      row[shuffled[i]] = -1;
    });
    expect(hungarian(big)).toEqual(shuffled);
    expect(hungarian([])).toEqual([]);
  });

  test("refuses matrices that are not square or not finite", () => {
    expect(() => hungarian([[1, 2]])).toThrow(/1 rows, but row 0 has 2/);
    expect(() => hungarian([[Number.NaN]])).toThrow(/cost \[0, 0\] is NaN/);
  });
});

describe("Sinkhorn", () => {
  const x3 = f64([
    [0.3, -0.1, 0.2],
    [0, 0.5, -0.2],
    [0.1, 0.4, 0.6],
  ]);

  test("the worked 2 x 2 example and its limit", () => {
    const x = f64([
      [1, 0],
      [0, 2],
    ]);
    close(sinkhorn(x, 1), [0.859804, 0.233915, 0.140196, 0.766085], 1e-6);
    close(sinkhorn(x, 2), [0.835576, 0.201922, 0.164424, 0.798078], 1e-6);
    expect(values(sinkhorn(x, 100))[0]).toBeCloseTo(1 / (1 + Math.exp(-1.5)), 10);
    expect(1 / (1 + Math.exp(-1.5))).toBeCloseTo(0.817574, 6);
  });

  test("the worked 3 x 3 example", () => {
    close(sinkhorn(x3, 20), [0.4141, 0.23877, 0.34713, 0.314791, 0.446439, 0.23877, 0.271108, 0.314791, 0.4141], 1e-6);
    const cold = sinkhorn(x3.div(0.1), 20);
    close(cold, [0.920224, 0.001964, 0.081855, 0.05424, 0.938255, 0.001775, 0.025536, 0.05978, 0.91637], 1e-6);
    close(f64([0.7, 0.3, 0]).matmul(cold), [0.660429, 0.282852, 0.057831], 1e-6);
    const diagonal = values(sinkhorn(x3.div(0.1), 200)).filter((_, i) => i % 4 === 0);
    close(diagonal, [0.917065, 0.940918, 0.917065], 1e-6);
    expect(hungarian(cold.neg().toArray() as number[][])).toEqual([0, 1, 2]);
  });

  test("columns add up to 1, rows in the limit; constants on rows and columns do not matter there", () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 5 }), fc.integer({ min: 0, max: 1e6 }), (n, seed) => {
        const x = normals([n, n], seed);
        close(sinkhorn(x, 3).sum(0), new Array(n).fill(1), 1e-12);
        const limit = sinkhorn(x, 120);
        close(limit.sum(1), new Array(n).fill(1), 1e-6);
        const moved = x.add(normals([n, 1], seed + 1)).add(normals([1, n], seed + 2));
        close(sinkhorn(moved, 120), values(limit), 1e-6);
      }),
      { numRuns: 15 },
    );
  });

  test("a number of rounds that is data gives exactly the same, values and gradients, in one trace", () => {
    const rounds = i32(1);
    const x = normals([4, 4], 1);
    x.requiresGrad = true;
    const gradientOf = (p: Tensor): Tensor => {
      x.grad = undefined;
      p.square().sum().backward();
      return x.grad as unknown as Tensor;
    };
    const upTo = compile((logits: Tensor, count: Tensor) => sinkhornUpTo(logits, count, 9));
    for (const count of [1, 4, 9]) {
      rounds.copyFrom([count]);
      expect(values(upTo(x, rounds))).toEqual(values(sinkhorn(x, count)));
      close(gradientOf(sinkhornUpTo(x, rounds, 9)), values(gradientOf(sinkhorn(x, count))), 1e-15);
    }
    expect(upTo.traces).toBe(1);
  });

  test("stays finite in f32 at the coldest official temperature", () => {
    const p = sinkhorn(normals([16, 16], 1).cast("f32").mul(0.05).div(1e-7), 150);
    expect(values(p).every((v) => v >= 0 && v <= 1.0001)).toBe(true);
    close(p.sum(0), new Array(16).fill(1), 1e-4);
  });

  test("refuses what is not square, and no rounds", () => {
    expect(() => sinkhorn(f64([[1, 2]]), 1)).toThrow(/square matrices \[..., n, n\], got \[1, 2\]/);
    expect(() => sinkhorn(x3, 0)).toThrow(/at least 1/);
  });
});
