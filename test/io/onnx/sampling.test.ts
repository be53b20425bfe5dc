// Sampling at places, quantised arithmetic and tensor products of the ONNX table against loops.

import fc from "fast-check";
import { beforeAll, expect, test } from "vitest";
import { setBackend } from "../../../engine/index.ts";
import { loadOnnx } from "../../../engine/io/onnx/index.ts";
import { type Given, given, model, node, runNode, runOne, whole } from "./build.ts";
import { expectClose, expectEqual, forAll, numbers, shapeOf, side } from "./check.ts";
import { at, atOr, build, type Plain, range, sum } from "./plain.ts";

beforeAll(() => setBackend("wasm"));

const small = (max: number) => fc.integer({ min: 1, max });

/** Places a little inside and outside [-1, 1], never on a border between two elements. */
const places = (shape: readonly number[]): fc.Arbitrary<Given> => {
  const length = shape.reduce((a, b) => a * b, 1);
  return fc.array(fc.integer({ min: -70, max: 70 }), { minLength: length, maxLength: length }).map((list) =>
    given(
      shape,
      list.map((n) => Math.fround((n + 0.317) / 50)),
    ),
  );
};

const cubic = (d: number): number => {
  const [x, a] = [Math.abs(d), -0.75];
  if (x <= 1) return (a + 2) * x ** 3 - (a + 3) * x ** 2 + 1;
  return x < 2 ? a * x ** 3 - 5 * a * x ** 2 + 8 * a * x - 4 * a : 0;
};
const linear = (d: number): number => Math.max(0, 1 - Math.abs(d));

/** Walks from the border it left back inside, turning at each border. */
function mirrored(i: number, n: number, aligned: boolean): number {
  const [low, high] = aligned ? [0, n - 1] : [-0.5, n - 0.5];
  if (low === high) return 0;
  let x = i;
  while (x < low || x > high) x = x < low ? 2 * low - x : 2 * high - x;
  return x;
}

test("GridSample: nearest, linear and cubic; zeros, borders and reflections; both meanings of the ends", () =>
  forAll(
    fc
      .tuple(
        small(4),
        small(4),
        small(3),
        fc.constantFrom("nearest", "linear", "cubic"),
        fc.constantFrom("zeros", "border", "reflection"),
        fc.boolean(),
      )
      .chain(([h, w, count, mode, padding, aligned]) =>
        fc.tuple(numbers([2, 2, h, w]), places([2, 1, count, 2]), fc.constant({ mode, padding, aligned })),
      ),
    async ([x, grid, { mode, padding, aligned }]) => {
      const [, , ...sides] = x.shape;
      const pixel = (n: number, c: number, index: number[]): number => {
        if (padding === "zeros") return atOr(x, [n, c, ...index], 0);
        const inside = index.map((i, axis) => {
          const moved = padding === "reflection" ? mirrored(i, sides[axis], aligned) : i;
          return Math.min(Math.max(moved, 0), sides[axis] - 1);
        });
        return at(x, n, c, ...inside);
      };
      const want = build([2, 2, 1, grid.shape[2]], ([n, c, , p]) => {
        const point = sides.map((length, axis) => {
          const v = at(grid, n, 0, p, 1 - axis);
          return aligned ? ((v + 1) / 2) * (length - 1) : ((v + 1) * length - 1) / 2;
        });
        if (mode === "nearest") return pixel(n, c, point.map(Math.round));
        const weight = mode === "cubic" ? cubic : linear;
        const taps = point.map((v) => range(6).map((i) => Math.floor(v) - 2 + i));
        return sum(
          taps[0].flatMap((i) => taps[1].map((j) => weight(i - point[0]) * weight(j - point[1]) * pixel(n, c, [i, j]))),
        );
      });
      const attributes = { mode, padding_mode: padding, align_corners: Number(aligned) };
      expectClose(await runOne("GridSample", [x, grid], { opset: 20, attributes }), want, 2e-4);
    },
    40,
  ));

test("AffineGrid: the map of the place of each element, along two or three axes", () =>
  forAll(
    fc
      .tuple(fc.array(fc.integer({ min: 2, max: 4 }), { minLength: 2, maxLength: 3 }), fc.boolean())
      .chain(([sides, aligned]) =>
        fc.tuple(numbers([2, sides.length, sides.length + 1]), fc.constant({ sides, aligned })),
      ),
    async ([theta, { sides, aligned }]) => {
      const d = sides.length;
      const place = (i: number, n: number): number => (aligned ? (2 * i) / (n - 1) - 1 : (2 * i + 1) / n - 1);
      const want = build([2, ...sides, d], (index) => {
        const [n, row] = [index[0], index[d + 1]];
        const point = [...sides.map((length, axis) => place(index[1 + axis], length)).reverse(), 1];
        return sum(point.map((value, k) => at(theta, n, row, k) * value));
      });
      const options = { opset: 20, attributes: { align_corners: Number(aligned) } };
      expectClose(await runOne("AffineGrid", [theta, whole(2, 1, ...sides)], options), want);
    },
  ));

test("QuantizeLinear rounds and saturates along an axis, DequantizeLinear goes back within half a step", () =>
  forAll(
    shapeOf(2, 3).chain((shape) =>
      fc.tuple(
        numbers(shape),
        fc.array(fc.constantFrom(0.0625, 0.25, 0.5), { minLength: shape[1], maxLength: shape[1] }),
        fc.array(fc.integer({ min: 0, max: 255 }), { minLength: shape[1], maxLength: shape[1] }),
      ),
    ),
    async ([x, steps, zeros]) => {
      const [scale, zero] = [given([steps.length], steps), given([zeros.length], zeros, "uint8")];
      const even = (v: number): number => {
        const low = Math.floor(v);
        return v - low > 0.5 || (v - low === 0.5 && low % 2 !== 0) ? low + 1 : low;
      };
      const want = build(x.shape, (index) => {
        const c = index[1];
        return Math.min(255, Math.max(0, even(at(x, ...index) / steps[c]) + zeros[c]));
      });
      const q = await runOne("QuantizeLinear", [x, scale, zero], { opset: 21, attributes: { axis: 1 } });
      expectEqual(q, want);
      expect(q.type).toBe("uint8");
      const back = await runOne("DequantizeLinear", [given(q.shape, q.data, "uint8"), scale, zero], {
        opset: 21,
        attributes: { axis: 1 },
      });
      expectClose(
        back,
        build(x.shape, (index) => (at(want, ...index) - zeros[index[1]]) * steps[index[1]]),
        0,
      );
    },
  ));

test("products of integers: exact, and quantised", () =>
  forAll(
    fc.tuple(side, side, side).chain(([m, k, n]) => {
      const bytes = (size: number) => fc.array(fc.nat(255), { minLength: size, maxLength: size });
      return fc.tuple(fc.constant([m, k, n]), bytes(m * k), bytes(k * n), fc.nat(255), fc.nat(255));
    }),
    async ([[m, k, n], a, b, za, zb]) => {
      const [A, B] = [given([m, k], a, "uint8"), given([k, n], b, "uint8")];
      const total: Plain = build([m, n], ([i, j]) => sum(range(k).map((l) => (at(A, i, l) - za) * (at(B, l, j) - zb))));
      const scalar = (value: number): Given => given([], [value], "uint8");
      expectEqual(await runOne("MatMulInteger", [A, B, scalar(za), scalar(zb)]), total);
      // A power of two as the scale: no sum falls between two halves by rounding.
      const one = given([], [1]);
      const inputs = [A, one, scalar(za), B, given([], [1 / 1024]), scalar(zb), one, scalar(128)];
      const got = await runOne("QLinearMatMul", inputs, { opset: 21 });
      got.data.forEach((value, i) => {
        const exact = Math.min(255, Math.max(0, total.data[i] / 1024 + 128));
        expect(Math.abs(value - exact)).toBeLessThanOrEqual(0.5);
      });
    },
  ));

test("Einsum: written out or not, with axes left open, repeated letters, spaces", () =>
  forAll(
    fc
      .tuple(side, side, side, side)
      .chain(([b, i, j, k]) => fc.tuple(numbers([b, i, j]), numbers([b, j, k]), numbers([i, i]))),
    async ([x, y, z]) => {
      const [b, i, j] = x.shape;
      const k = y.shape[2];
      const einsum = (equation: string, ...operands: Given[]) =>
        runOne("Einsum", operands, { attributes: { equation } });
      const product = build([b, i, k], ([n, r, c]) => sum(range(j).map((l) => at(x, n, r, l) * at(y, n, l, c))));
      expectClose(await einsum("...ij, ...jk -> ...ik", x, y), product, 1e-4);
      expectClose(
        await einsum("bij,bjk", x, y),
        build([i, k], ([r, c]) => sum(range(b).map((n) => at(product, n, r, c)))),
        1e-4,
      );
      expectClose(
        await einsum("ii->i", z),
        build([i], ([r]) => at(z, r, r)),
        0,
      );
      expectClose(
        await einsum("ba", z),
        build([i, i], ([r, c]) => at(z, c, r)),
        0,
      );
      expectClose(await einsum("bij->", x), { shape: [], data: [sum(x.data)] }, 1e-4);
    },
  ));

test("Det of batches, singular ones too", () =>
  forAll(
    fc.tuple(side, small(3)).chain(([batch, n]) => fc.tuple(numbers([batch, n, n]), fc.boolean())),
    async ([x, singular]) => {
      const n = x.shape[1];
      const used = singular ? { ...x, data: [...build(x.shape, ([b, , c]) => at(x, b, 0, c)).data] } : x;
      const minor = (rows: number[][]): number =>
        rows.length === 0
          ? 1
          : sum(rows[0].map((value, c) => (-1) ** c * value * minor(rows.slice(1).map((row) => row.toSpliced(c, 1)))));
      const want = build([x.shape[0]], ([b]) => minor(range(n).map((r) => range(n).map((c) => at(used, b, r, c)))));
      expectClose(await runOne("Det", [used], { opset: 22 }), want, 1e-4);
    },
  ));

test("constants: every attribute that gives one, whole numbers of any size", async () => {
  const value = async (attributes: Parameters<typeof node>[3]) => {
    const loaded = await loadOnnx(
      model({ nodes: [node("Constant", [], ["y"], attributes)], outputs: [{ name: "y" }] }),
    );
    return (await loaded.runValues({})).y;
  };
  expect([...(await (await value({ value_int: 2 ** 40 })).bigints())]).toEqual([2n ** 40n]);
  expect((await value({ value_ints: [3, -4] })).tensor.toArray()).toEqual([3, -4]);
  expect((await value({ value_float: { float: 0.5 } })).tensor.toArray()).toBe(0.5);
  expect((await value({ value_floats: { floats: [0.5, 2] } })).tensor.toArray()).toEqual([0.5, 2]);
  const [wide] = await runNode("ConstantOfShape", [whole(2, 2)]);
  expect([wide.shape, wide.data, wide.type]).toEqual([[2, 2], [0, 0, 0, 0], "float"]);
});
