// Tensors from numbers: shapes, dtypes, copies, and what is refused.

import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import * as S from "../../engine/index.ts";

beforeAll(() => S.setBackend("reference"));

const nested = (depth: number): fc.Arbitrary<S.NestedData> =>
  fc
    .array(fc.integer({ min: 0, max: 3 }), { minLength: depth, maxLength: depth })
    .chain((shape) =>
      shape.reduceRight<fc.Arbitrary<S.NestedData>>(
        (inner, side) => fc.array(inner, { minLength: side, maxLength: side }),
        fc.integer({ min: -99, max: 99 }),
      ),
    );

describe("tensor", () => {
  it("gives nested arrays back", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 4 }).chain(nested), (data) => {
        const text = JSON.stringify(data);
        const x = S.tensor(data);
        expect(x.dtype).toBe("f32");
        // Nothing is left of what is inside an empty axis.
        if (x.size > 0) expect(JSON.stringify(x.toArray())).toBe(text);
      }),
    );
  });

  it("takes its dtype from the data", () => {
    expect(S.tensor([1, 2]).dtype).toBe("f32");
    expect(S.tensor([true, false]).dtype).toBe("bool");
    expect(S.tensor(true).dtype).toBe("bool");
    expect(S.tensor([[true], [2]]).toArray()).toEqual([[1], [2]]);
    expect(S.tensor([]).dtype).toBe("f32");
    expect(S.tensor(new Float32Array(2)).dtype).toBe("f32");
    expect(S.tensor(new Float64Array(2)).dtype).toBe("f64");
    expect(S.tensor(new Int32Array(2)).dtype).toBe("i32");
    expect(S.tensor(new Uint8Array([7])).dtype).toBe("i32");
    expect(S.tensor(new Uint8Array([7, 0]), { dtype: "bool" }).toArray()).toEqual([1, 0]);
    expect(S.tensor([2.9, -2.9, 1e10, Number.NaN], { dtype: "i32" }).toArray()).toEqual([2, -2, 2147483647, 0]);
    expect(() => S.tensor(new Uint32Array(1))).toThrow(/Uint32Array/);
  });

  it("copies typed arrays", () => {
    const source = new Float32Array([1, 2]);
    const x = S.tensor(source);
    source[0] = 9;
    expect(x.toArray()).toEqual([1, 2]);
  });

  it("fills a shape", () => {
    expect(S.tensor([1, 2, 3, 4], { shape: [2, 2] }).toArray()).toEqual([
      [1, 2],
      [3, 4],
    ]);
    expect(S.tensor(new Int32Array(0), { shape: [0, 3] }).shape).toEqual([0, 3]);
    expect(() => S.tensor([1, 2, 3], { shape: [2, 2] })).toThrow(/3 values do not fill shape \[2, 2\]/);
    expect(() => S.tensor([1], { shape: [-1] })).toThrow(/non-negative integer/);
  });

  it("refuses ragged data and things that are no numbers, and says where", () => {
    expect(() => S.tensor([[1, 2], [3]])).toThrow(/ragged data: element \[1\] has 1 elements, expected 2/);
    expect(() => S.tensor([[1], 2])).toThrow(/ragged data: element \[1\] is 2/);
    expect(() => S.tensor([1, [2]])).toThrow(/ragged data: element \[1\] has 1 elements, expected a number/);
    expect(() => S.tensor([[1, "2" as unknown as number]])).toThrow(/element \[0, 1\] is neither/);
    expect(() => S.tensor(null as unknown as number)).toThrow(S.ArgumentError);
  });

  it("can require gradients, where it is a float", () => {
    expect(S.tensor([1], { requiresGrad: true }).requiresGrad).toBe(true);
    expect(() => S.tensor([1], { requiresGrad: true, dtype: "i32" })).toThrow(S.GradientError);
  });
});

describe("filled tensors", () => {
  it("have the shape, value and dtype asked for", () => {
    expect(S.zeros([2, 0]).shape).toEqual([2, 0]);
    expect(S.ones([2], { dtype: "i32" }).toArray()).toEqual([1, 1]);
    expect(S.full([], true).dtype).toBe("bool");
    expect(S.full([1], 1.9, { dtype: "i32" }).toArray()).toEqual([1]);
    expect(Object.is(S.full([1], -0).dataSync()[0], -0)).toBe(true);
    const like = S.tensor([[1, 2]], { dtype: "f64" });
    expect(S.zerosLike(like).dtype).toBe("f64");
    expect(S.onesLike(like, { dtype: "bool" }).toArray()).toEqual([[1, 1]]);
    expect(S.fullLike(like, 3).toArray()).toEqual([[3, 3]]);
    expect(() => S.zeros([2.5])).toThrow(S.ShapeError);
  });

  it("are leaves: assignable outside compile, constants inside", () => {
    const counter = S.zeros([]);
    const step = S.compile(() => {
      S.assign(counter, counter.add(S.ones([])));
      return counter.add(0);
    });
    expect([step().item(), step().item()]).toEqual([1, 2]);
    S.assign(counter, S.full([], 7));
    expect(counter.item()).toBe(7);
  });
});

describe("ranges", () => {
  it("arange is Python's range", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: -9, max: 9 }),
        fc.integer({ min: -9, max: 9 }),
        fc.constantFrom(1, 2, -1, -3),
        (a, b, step) => {
          const expected: number[] = [];
          for (let i = a; step > 0 ? i < b : i > b; i += step) expected.push(i);
          expect(S.arange(a, b, step).toArray()).toEqual(expected);
        },
      ),
    );
    expect(S.arange(3, { dtype: "i32" }).dtype).toBe("i32");
    expect(S.arange(0, 1, 0.25).toArray()).toEqual([0, 0.25, 0.5, 0.75]);
    expect(() => S.arange(0, 1, 0)).toThrow(S.ArgumentError);
  });

  it("linspace includes both ends to the bit", () => {
    fc.assert(
      fc.property(
        fc.double({ noNaN: true, min: -1e3, max: 1e3 }),
        fc.double({ noNaN: true, min: -1e3, max: 1e3 }),
        fc.integer({ min: 2, max: 20 }),
        (a, b, n) => {
          const values = S.linspace(a, b, n, { dtype: "f64" }).dataSync();
          expect(values.length).toBe(n);
          expect([values[0], values[n - 1]]).toEqual([a, b]);
        },
      ),
    );
    expect(S.linspace(3, 9, 1).toArray()).toEqual([3]);
    expect(S.linspace(3, 9, 0).toArray()).toEqual([]);
  });

  it("eye and iota", () => {
    expect(S.eye(2, 3).toArray()).toEqual([
      [1, 0, 0],
      [0, 1, 0],
    ]);
    expect(S.eye(0).shape).toEqual([0, 0]);
    expect(S.iota([2, 3]).toArray()).toEqual([
      [0, 1, 2],
      [0, 1, 2],
    ]);
    expect(S.iota([2, 2], 0).dtype).toBe("i32");
    expect(() => S.iota([], 0)).toThrow(/out of range/);
  });
});
