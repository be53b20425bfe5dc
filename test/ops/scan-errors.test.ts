// scan and associativeScan: what they refuse and how they say it; prefixes of well-known operations.

import { describe, expect, it } from "vitest";
import * as S from "../../engine/index.ts";
import { valuesOf } from "../../testing/index.ts";

describe("errors", () => {
  const x = S.ones([3, 2]);
  const h = S.zeros([2]);

  it("name what does not fit", () => {
    expect(() => S.scan((c: S.Tensor, y: S.Tensor) => [S.stack([c, y]), null], h, x)).toThrow(
      /scan: tensor 0 of the state has shape \[2\] before a step, \[2, 2\] after/,
    );
    expect(() => S.scan((c: S.Tensor) => [S.cast(c, "f64"), null], h, x)).toThrow(
      /tensor 0 of the state is f32 before a step and f64 after/,
    );
    expect(() => S.scan((c: S.Tensor) => [c, null], h, [x, S.ones([4])])).toThrow(
      /xs must have 3 elements along their first axis, got \[3, 2\], \[4\]/,
    );
    expect(() => S.scan((c: S.Tensor) => [c, null], h, S.tensor(1))).toThrow(S.ShapeError);
    expect(() => S.scan((c: S.Tensor) => [c, null], h, null)).toThrow(/needs options.length/);
    const odd = (c: S.Tensor): [S.Tensor, null] => [[c, c] as unknown as S.Tensor, null];
    expect(() => S.scan(odd, h, x)).toThrow(/a state like init, tensor, got \[tensor, tensor\]/);
    expect(() => S.associativeScan(S.add as (a: S.Tensor, b: S.Tensor) => S.Tensor, x, { axis: 2 })).toThrow(
      S.ShapeError,
    );
    expect(() => S.associativeScan((a: S.Tensor[]) => a, [x, S.ones([2, 2])])).toThrow(
      /sides along axis 0 differ: \[3, 2\], \[2, 2\]/,
    );
  });

  it("a step neither reads, nor assigns, nor draws", () => {
    expect(() => S.scan((c: S.Tensor, y: S.Tensor) => (S.sum(y).item() > 0 ? [c, null] : [y, null]), h, x)).toThrow(
      /cannot be read/,
    );
    const counter = S.zeros([2]);
    const assigning = (c: S.Tensor): [S.Tensor, null] => {
      S.assign(counter, S.add(counter, 1));
      return [c, null];
    };
    expect(() => S.scan(assigning, h, x)).toThrow(/the step assigns to a tensor or draws random numbers/);
    expect(() => S.scan((c: S.Tensor) => [S.add(c, S.rand([2])), null], h, x)).toThrow(/draws random numbers/);
  });
});

it("associativeScan of addition is cumsum, of maximum cummax", () => {
  const x = S.tensor(valuesOf("real", 33, 1), { dtype: "f64" });
  const [sum, max] = [S.add, S.maximum].map((op) => S.associativeScan((a: S.Tensor, b: S.Tensor) => op(a, b), x));
  for (const [found, wanted] of [
    [sum, S.cumsum(x)],
    [max, S.cummax(x).values],
  ]) {
    const values = wanted.dataSync();
    found.dataSync().forEach((value, i) => {
      expect(value).toBeCloseTo(values[i], 12);
    });
  }
});
