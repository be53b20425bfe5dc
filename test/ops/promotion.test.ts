// Which dtype comes out, and which shapes go together: for tensors, numbers and booleans on either side.

import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import * as S from "../../engine/index.ts";
import { broadcastPartners, shapes } from "../../testing/index.ts";

beforeAll(() => S.setBackend("reference"));

const dtypes = ["bool", "i32", "f32", "f64"] as const;
const of = (dtype: S.DType, shape: readonly number[] = [2]) => S.ones(shape, { dtype });
const wider = (a: S.DType, b: S.DType) => (dtypes.indexOf(a) > dtypes.indexOf(b) ? a : b);
const float = (dtype: S.DType) => wider(dtype, "f32");
const pairs = dtypes.flatMap((a) => dtypes.map((b) => [a, b] as const));

describe("dtypes of two tensors", () => {
  it.each(pairs)("%s and %s", (a, b) => {
    const both = wider(a, b);
    expect(S.add(of(a), of(b)).dtype).toBe(wider(both, "i32"));
    expect(S.maximum(of(a), of(b)).dtype).toBe(wider(both, "i32"));
    expect(S.div(of(a), of(b)).dtype).toBe(float(both));
    expect(S.less(of(a), of(b)).dtype).toBe("bool");
    expect(S.equal(of(a), of(b)).toArray()).toEqual([1, 1]);
    expect(S.logicalXor(of(a), of(b)).dtype).toBe("bool");
    expect(S.where(of("bool"), of(a), of(b)).dtype).toBe(both);
    expect(S.concat([of(a), of(b)]).dtype).toBe(both);
    expect(S.matmul(of(a), of(b)).dtype).toBe(float(both));
  });
});

describe("numbers beside tensors", () => {
  it.each([
    ["f32", 2, "f32"],
    ["f32", 0.1, "f32"],
    ["f32", 1e300, "f32"],
    ["f64", 0.1, "f64"],
    ["i32", 2, "i32"],
    ["i32", 0.5, "f32"],
    ["i32", 3e9, "f32"],
    ["i32", Number.NaN, "f32"],
    ["bool", 2, "i32"],
    ["bool", 0.5, "f32"],
    ["i32", true, "i32"],
    ["f64", true, "f64"],
  ] as const)("%s with %s is %s", (dtype, value, expected) => {
    expect(S.add(of(dtype), value).dtype).toBe(expected);
    expect(S.add(value, of(dtype)).dtype).toBe(expected);
  });

  it("keep f64 exact and sides apart", () => {
    expect(S.tensor(1, { dtype: "f64" }).add(0.1).item()).toBe(1.1);
    expect(S.sub(3, S.tensor([1])).toArray()).toEqual([2]);
    expect(S.div(1, S.tensor([4], { dtype: "i32" })).toArray()).toEqual([0.25]);
    expect(S.greater(2, S.tensor([1, 3])).toArray()).toEqual([1, 0]);
    expect(S.add(1, 2).item()).toBe(3);
    expect(S.add(1, 2).dtype).toBe("f32");
  });

  it("the value of maskedFill takes the tensor's dtype", () => {
    expect(S.maskedFill(of("i32"), of("bool"), 3).dtype).toBe("i32");
    expect(S.maskedFill(of("f64"), of("bool"), Number.NEGATIVE_INFINITY).dtype).toBe("f64");
  });
});

describe("functions of floats take anything", () => {
  it.each([
    "sqrt",
    "exp",
    "sigmoid",
    "gelu",
    "silu",
    "softplus",
    "softmax",
    "mean",
    "std",
    "logsumexp",
    "norm",
  ] as const)("%s", (name) => {
    for (const dtype of dtypes) expect(of(dtype)[name]().dtype).toBe(float(dtype));
  });

  it("sums of bools count", () => {
    expect(S.tensor([true, true, false]).sum().toArray()).toBe(2);
    expect(S.tensor([true, true]).prod().dtype).toBe("i32");
    expect(S.tensor([2, 0], { dtype: "i32" }).any().dtype).toBe("bool");
  });
});

describe("broadcasting", () => {
  it("gives the common shape, whichever comes first", () => {
    fc.assert(
      fc.property(
        shapes().chain((shape) => fc.tuple(fc.constant(shape), broadcastPartners(shape))),
        ([shape, [a, b]]) => {
          const sum = S.add(S.zeros(a), S.ones(b));
          expect(sum.shape).toEqual(S.add(S.ones(b), S.zeros(a)).shape);
          expect(sum.rank).toBe(Math.max(a.length, b.length));
          expect(sum.shape).toEqual(S.broadcastShapes("test", a, b));
          expect(sum.size <= shape.reduce((n, side) => n * side, 1)).toBe(true);
        },
      ),
    );
  });
});
