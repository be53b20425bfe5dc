// Order and counts where elements are special: NaN, zeros of both signs, infinities, equals; what cannot be counted.

import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import * as S from "../../engine/index.ts";
import { anyFloat, tensorOf, valuesOf } from "../../testing/index.ts";

beforeAll(() => S.setBackend("wasm"));
afterAll(() => S.setBackend("reference"));

const floats = fc.array(anyFloat, { maxLength: 70 });
const list = (x: S.Tensor): number[] => Array.from(x.dataSync());

describe("topk", () => {
  it("is the start of argsort, bit for bit: equals in order, NaN last", () => {
    const dtypes = fc.constantFrom<S.DType[]>("f32", "f64", "i32");
    fc.assert(
      fc.property(floats, dtypes, fc.nat(70), fc.boolean(), (values, dtype, k, largest) => {
        const x = tensorOf(values, [values.length], dtype);
        const count = Math.min(k, values.length);
        const { values: best, indices } = S.topk(x, count, 0, { largest });
        const order = list(S.argsort(x, 0, { descending: largest })).slice(0, count);
        expect(list(indices)).toEqual(order);
        expect(list(best)).toEqual(order.map((i) => list(x)[i]));
      }),
      { numRuns: 100 },
    );
  });

  it.each([8, 48, 49, 299, 300])("%d of rows of 300, of the same bits with any number of threads", (k) => {
    const x = tensorOf(valuesOf("integer", 40 * 300, k), [40, 300]);
    const before = S.getThreads();
    for (const threads of [1, 2]) {
      S.setThreads(threads);
      const order = S.argsort(x, -1, { descending: true }).narrow(1, 0, k);
      expect(list(S.topk(x, k).indices)).toEqual(list(order));
    }
    S.setThreads(before);
  });
});

describe("searchsorted", () => {
  it("counts the elements before each value, NaN being the largest", () => {
    fc.assert(
      fc.property(floats, floats, (line, wanted) => {
        const sorted = S.sort(tensorOf(line, [line.length])).values;
        const values = tensorOf(wanted, [wanted.length]);
        const rank = (x: number): number => (Number.isNaN(x) ? 1 : 0);
        const below = (x: number, y: number): boolean => rank(x) < rank(y) || x < y;
        const elements = list(sorted);
        expect(list(S.searchsorted(sorted, values))).toEqual(
          list(values).map((value) => elements.filter((x) => below(x, value)).length),
        );
        expect(list(S.searchsorted(sorted, values, { side: "right" }))).toEqual(
          list(values).map((value) => elements.filter((x) => !below(value, x)).length),
        );
      }),
      { numRuns: 60 },
    );
  });

  it("says what does not fit", () => {
    const two = S.zeros([2, 3]);
    expect(() => S.searchsorted(two, S.zeros([3, 4]))).toThrow(/searchsorted: sorted \[2, 3\] .* values \[3, 4\]/);
    expect(() => S.searchsorted(S.zeros([]), two)).toThrow(/searchsorted/);
    expect(() => S.searchsorted(two, two, { side: "middle" as "left" })).toThrow(/side must be "left" or "right"/);
  });
});

describe("unique", () => {
  it("takes x apart and puts it together again", () => {
    fc.assert(
      fc.property(floats, (data) => {
        const x = tensorOf(data, [data.length]);
        const same = (a: number, b: number): boolean => a === b || (Number.isNaN(a) && Number.isNaN(b));
        for (const { values, inverse, counts } of [S.unique(x), S.uniqueConsecutive(x)]) {
          const back = list(S.takeAlongAxis(values, inverse, 0));
          expect(back.every((value, i) => same(value, list(x)[i]))).toBe(true);
          expect(list(counts)).toEqual(list(S.bincount(inverse, { minLength: values.size })));
        }
        const ascending = list(S.unique(x).values);
        expect(ascending.every((value, i) => i === 0 || value > ascending[i - 1] || Number.isNaN(value))).toBe(true);
        expect(ascending.filter(Number.isNaN).length).toBeLessThanOrEqual(1);
        const neighbours = list(S.uniqueConsecutive(x).values);
        expect(neighbours.some((value, i) => i > 0 && same(value, neighbours[i - 1]))).toBe(false);
      }),
      { numRuns: 60 },
    );
  });

  it("gives the gradient to first occurrences", () => {
    const [g] = S.grad((x: S.Tensor) => S.sum(S.mul(S.unique(x).values, S.tensor([1, 10]))))(S.tensor([3, 2, 3]));
    expect(list(g)).toEqual([10, 1, 0]);
  });
});

it("what cannot be counted is said", () => {
  const x = S.tensor([0, 3, 1], { dtype: "i32" });
  expect(() => S.bincount(S.tensor([1.5]))).toThrow(/bincount: needs i32 elements to count, got f32/);
  expect(() => S.bincount(S.tensor([0, -2], { dtype: "i32" }))).toThrow(/bincount: .*, got -2/);
  expect(() => S.bincount(x, { weights: S.zeros([2]) })).toThrow(
    /weights and x must have one shape, got \[2\] and \[3\]/,
  );
  expect(() => S.bincount(x, { minLength: -1 })).toThrow(/minLength must be a whole number >= 0, got -1/);
  expect(() => S.bincount(x, { length: 3 }).dataSync()).toThrow(/index 3 .*3/);
  for (const run of [S.unique, S.uniqueConsecutive, (y: S.Tensor) => S.bincount(y)]) {
    const compiled = S.compile((y: S.Tensor) => (run(y) as S.Distinct).values ?? y);
    expect(() => compiled(x)).toThrow(/the result's shape depends on values, which compile\(\) does not know/);
  }
  expect(list(S.compile((y: S.Tensor) => S.bincount(y, { length: 4 }))(x))).toEqual([1, 1, 0, 1]);
});
