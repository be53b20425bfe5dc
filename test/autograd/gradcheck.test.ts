// The judge judged: gradcheck finds wrong gradients, and says where.

import { beforeAll, expect, it } from "vitest";
import * as S from "../../engine/index.ts";

beforeAll(() => S.setBackend("reference"));

const x = S.tensor(
  [
    [0.5, -1],
    [2, 0.1],
  ],
  { dtype: "f64" },
);

/** x^2 with a gradient that is right but for one element. */
const wrongAt = (row: number, column: number) =>
  S.customGradient(
    (a: S.Tensor) => S.square(a),
    (seed, _output, a) => {
      const spot = S.zeros([2, 2], { dtype: "f64" }).toArray() as number[][];
      spot[row][column] = 0.25;
      return [
        seed
          .mul(a)
          .mul(2)
          .add(S.tensor(spot, { dtype: "f64" })),
      ];
    },
  );

it("passes right gradients and counts them", () => {
  expect(S.gradcheck((a) => a.square().sum(0), [x])).toEqual({ ok: true, checked: 4, failures: [] });
  expect(S.gradcheck((a, b) => [a.mul(b), a.sin()], [x, x.slice([0])]).checked).toBe(6);
});

it("names the input, the element and both values", () => {
  expect(() => S.gradcheck(wrongAt(1, 0), [x])).toThrow(S.GradientError);
  expect(() => S.gradcheck(wrongAt(1, 0), [x])).toThrow(
    /1 of 4 .*\n.*input 0 \[2, 2\] at \[1, 0\]: gradient .*difference/,
  );
});

it("returns the report where it shall not throw", () => {
  const { ok, failures } = S.gradcheck(wrongAt(0, 1), [x], { throws: false });
  expect(ok).toBe(false);
  expect(failures).toHaveLength(1);
  expect(failures[0].element).toEqual([0, 1]);
});

it("a NaN fails", () => {
  expect(() => S.gradcheck((a) => a.log(), [S.tensor([-1], { dtype: "f64" })])).toThrow(S.GradientError);
});

it("finds a wrong second derivative", () => {
  const cube = S.customGradient(
    (a: S.Tensor) => a.pow(3),
    (seed, _output, a) => [seed.mul(a.square().detach()).mul(3)],
  );
  expect(S.gradcheck(cube, [x]).ok).toBe(true);
  expect(() => S.gradgradcheck(cube, [x])).toThrow(S.GradientError);
});

it("widens f32, passes indices through, refuses inputs without floats", () => {
  const index = S.tensor([1, 0], { dtype: "i32" });
  expect(S.gradcheck((a, i) => a.indexSelect(0, i), [x.cast("f32"), index]).checked).toBe(4);
  expect(() => S.gradcheck((i) => i.cast("f64"), [index])).toThrow(/float/);
  expect(() => S.gradcheck((a) => a.cast("f32"), [x])).toThrow(/must return f64/);
});
