// Strings that TypeScript checks: `npm run check` fails when one of the errors below is no error any more.

import { beforeAll, describe, expect, it } from "vitest";
import { einsum, ones, rearrange, reduce, setBackend } from "../../engine/index.ts";

beforeAll(() => setBackend("reference"));

const x = ones([2, 4]);

describe("einsum equations", () => {
  it("type-check where they are right", () => {
    expect(einsum("ab,bc->ac", x, ones([4, 3])).shape).toEqual([2, 3]);
    expect(einsum("ab -> ba", x).shape).toEqual([4, 2]);
    expect(einsum("...a,ab->...b", x, ones([4, 3])).shape).toEqual([2, 3]);
    const dynamic: string = "ab->a";
    expect(einsum(dynamic, x).shape).toEqual([2]);
  });

  it("do not compile where they are wrong", () => {
    // @ts-expect-error two operands, one given
    expect(() => einsum("ab,bc->ac", x)).toThrow(/takes 2 operands, got 1/);
    // @ts-expect-error one operand, two given
    expect(() => einsum("ab->a", x, x)).toThrow(/takes 1 operands, got 2/);
    // @ts-expect-error output letter z is in no operand
    expect(() => einsum("ab->az", x)).toThrow(/output letter z is in no operand/);
    // @ts-expect-error no output
    expect(() => einsum("ab", x)).toThrow(/not of the form/);
  });
});

describe("rearrange patterns", () => {
  it("type-check where they are right", () => {
    expect(rearrange("a (b c) -> b a c", x, { b: 2 }).shape).toEqual([2, 2, 2]);
    expect(rearrange("... b -> b ...", x).shape).toEqual([4, 2]);
    expect(rearrange("a b -> (a b) 1", x).shape).toEqual([8, 1]);
    expect(reduce("a (b c) -> a b", x, "sum", { c: 2 }).shape).toEqual([2, 2]);
    const dynamic: string = "a b -> b a";
    expect(rearrange(dynamic, x).shape).toEqual([4, 2]);
  });

  it("do not compile where they are wrong", () => {
    // @ts-expect-error the sizes of b or c are needed
    expect(() => rearrange("a (b c) -> a b c", x)).toThrow(/give the sizes of all but one of the axes b, c/);
    // @ts-expect-error axis c is on the right only
    expect(() => rearrange("a b -> a b c", x)).toThrow(/axis c is on the right only/);
    // @ts-expect-error axis b is on the left only
    expect(() => rearrange("a b -> a", x)).toThrow(/axis b is on the left only/);
    // @ts-expect-error no arrow
    expect(() => rearrange("a b", x)).toThrow(/not of the form/);
    // @ts-expect-error the size of one of three is not enough
    expect(() => rearrange("a (b c d) -> a b c d", x, { b: 2 })).toThrow(/all but one of the axes/);
  });
});

describe("methods", () => {
  it("have the functions' types", () => {
    const y = x.add(1).relu().sum(-1, { keepDims: true });
    expect(y.shape).toEqual([2, 1]);
    // @ts-expect-error axes are numbers
    expect(() => x.sum("a")).toThrow();
    // @ts-expect-error dtypes have names
    expect(x.cast).not.toBe(x.cat);
  });
});
