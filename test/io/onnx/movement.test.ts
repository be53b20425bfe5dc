// Operators of the ONNX table that move, choose and write elements, against loops.

import fc from "fast-check";
import { beforeAll, expect, test } from "vitest";
import { setBackend } from "../../../engine/index.ts";
import { type Given, given, runNode, runOne, whole } from "./build.ts";
import { expectClose, expectEqual, forAll, numbers, shapeOf, side } from "./check.ts";
import { at, build, flatOf, type Plain, places, range } from "./plain.ts";

beforeAll(() => setBackend("wasm"));

test("Slice: any starts, ends, steps and axes, as Python slices", () =>
  forAll(
    shapeOf(1, 4).chain((shape) =>
      fc.tuple(
        numbers(shape),
        fc
          .subarray(range(shape.length))
          .chain((axes) =>
            fc.tuple(
              ...axes.map((axis) =>
                fc.tuple(
                  fc.constant(axis),
                  fc.integer({ min: -7, max: 7 }),
                  fc.oneof(fc.integer({ min: -7, max: 7 }), fc.constantFrom(2 ** 62, -(2 ** 62))),
                  fc.constantFrom(1, 2, 3, -1, -2),
                ),
              ),
            ),
          ),
      ),
    ),
    async ([x, cuts]) => {
      const chosen = x.shape.map((side, axis) => {
        const cut = cuts.find(([which]) => which === axis);
        if (cut === undefined) return range(side);
        const [, start, end, step] = cut;
        const resolve = (i: number, low: number, high: number): number =>
          Math.min(Math.max(i < 0 ? i + side : i, low), high);
        const list: number[] = [];
        if (step > 0) for (let i = resolve(start, 0, side); i < resolve(end, 0, side); i += step) list.push(i);
        else for (let i = resolve(start, -1, side - 1); i > resolve(end, -1, side - 1); i += step) list.push(i);
        return list;
      });
      const want = build(
        chosen.map((list) => list.length),
        (index) => at(x, ...index.map((i, axis) => chosen[axis][i])),
      );
      const column = (k: number): Given => whole(...cuts.map((cut) => cut[k]));
      if (cuts.length === 0) return;
      expectEqual(await runOne("Slice", [x, column(1), column(2), column(0), column(3)]), want);
    },
  ));

test("Pad: constants, edges, reflections and wraps, on some axes", () =>
  forAll(
    fc
      .array(fc.integer({ min: 2, max: 4 }), { minLength: 1, maxLength: 3 })
      .chain((shape) =>
        fc.tuple(
          numbers(shape),
          fc.array(fc.nat(3), { minLength: 2 * shape.length, maxLength: 2 * shape.length }),
          fc.constantFrom("constant", "edge", "reflect", "wrap"),
        ),
      ),
    async ([x, widths, mode]) => {
      const axes = range(x.shape.length).reverse();
      const before = (axis: number): number => widths[axes.indexOf(axis)];
      const after = (axis: number): number => widths[axes.length + axes.indexOf(axis)];
      const source = (i: number, side: number): number => {
        if (mode === "edge") return Math.min(Math.max(i, 0), side - 1);
        if (mode === "wrap") return ((i % side) + side) % side;
        const at = Math.abs(i) % (2 * side - 2);
        return at < side ? at : 2 * side - 2 - at;
      };
      const shape = x.shape.map((side, axis) => before(axis) + side + after(axis));
      const want = build(shape, (index) => {
        const inner = index.map((i, axis) => i - before(axis));
        const inside = inner.every((i, axis) => i >= 0 && i < x.shape[axis]);
        if (mode === "constant" && !inside) return 2.5;
        return at(x, ...inner.map((i, axis) => source(i, x.shape[axis])));
      });
      expectEqual(
        await runOne("Pad", [x, whole(...widths), given([], [2.5]), whole(...axes)], { attributes: { mode } }),
        want,
      );
    },
  ));

/** x with an index of k coordinates per row of `rows`, negative ones counted from the end. */
const indexed = shapeOf(1, 4).chain((shape) =>
  fc
    .integer({ min: 1, max: shape.length })
    .chain((k) =>
      fc
        .integer({ min: 1, max: 4 })
        .chain((rows) =>
          fc.tuple(
            numbers(shape),
            fc.tuple(
              ...range(rows).map(() =>
                fc.tuple(...range(k).map((axis) => fc.integer({ min: -shape[axis], max: shape[axis] - 1 }))),
              ),
            ),
            numbers([rows, ...shape.slice(k)]),
          ),
        ),
    ),
);

const resolved = (index: readonly number[], shape: readonly number[]): number[] =>
  index.map((i, axis) => (i < 0 ? i + shape[axis] : i));

test("GatherND reads and ScatterND writes where index vectors point, with every reduction", () =>
  forAll(
    indexed,
    async ([x, index, updates]) => {
      const k = index[0].length;
      const points = given([index.length, k], index.flat(), "int64");
      const found = build(updates.shape, ([row, ...rest]) => at(x, ...resolved(index[row], x.shape), ...rest));
      expectEqual(await runOne("GatherND", [x, points]), found);
      const reductions: Readonly<Record<string, (a: number, b: number) => number>> = {
        none: (_, b) => b,
        add: (a, b) => a + b,
        mul: (a, b) => a * b,
        max: Math.max,
        min: Math.min,
      };
      for (const [reduction, fn] of Object.entries(reductions)) {
        const data = [...x.data];
        for (const [row, ...rest] of places(updates.shape)) {
          const target = flatOf(x.shape, [...resolved(index[row], x.shape), ...rest]);
          data[target] = fn(data[target], at(updates, row, ...rest));
        }
        const got = await runOne("ScatterND", [x, points, updates], { opset: 18, attributes: { reduction } });
        expectClose(got, { shape: x.shape, data });
      }
    },
    12,
  ));

test("GatherElements reads and ScatterElements writes along an axis", () =>
  forAll(
    shapeOf(1, 3).chain((shape) =>
      fc
        .nat(shape.length - 1)
        .chain((axis) =>
          fc.tuple(
            numbers(shape),
            fc.constant(axis),
            fc.array(fc.integer({ min: -shape[axis], max: shape[axis] - 1 }), { minLength: 20, maxLength: 20 }),
            numbers(shape.with(axis, 2)),
          ),
        ),
    ),
    async ([x, axis, picks, updates]) => {
      const shape = x.shape.with(axis, 2);
      const index = build(shape, (place) => picks[flatOf(shape, place) % picks.length]);
      const number = (place: number[]): number => resolved([at(index, ...place)], [x.shape[axis]])[0];
      const points = given(shape, [...index.data], "int64");
      expectEqual(
        await runOne("GatherElements", [x, points], { attributes: { axis } }),
        build(shape, (place) => at(x, ...place.with(axis, number(place)))),
      );
      const data = [...x.data];
      for (const place of places(shape))
        data[flatOf(x.shape, place.with(axis, number(place)))] += at(updates, ...place);
      const got = await runOne("ScatterElements", [x, points, updates], { attributes: { axis, reduction: "add" } });
      expectClose(got, { shape: x.shape, data });
    },
  ));

test("TopK: the largest or smallest in order, and where they were", () =>
  forAll(
    fc
      .tuple(side, fc.integer({ min: 1, max: 8 }), fc.boolean())
      .chain(([rows, n, largest]) =>
        fc.tuple(
          fc.array(fc.shuffledSubarray(range(n), { minLength: n }), { minLength: rows, maxLength: rows }),
          fc.integer({ min: 0, max: n }),
          fc.constant(largest),
        ),
      ),
    async ([orders, k, largest]) => {
      const n = orders[0].length;
      const x = given([orders.length, n], orders.flat());
      const sorted = (row: number): number[] => [...orders[row]].sort((a, b) => (largest ? b - a : a - b));
      const want = build([orders.length, k], ([row, i]) => sorted(row)[i]);
      const where = build(want.shape, ([row, i]) => orders[row].indexOf(sorted(row)[i]));
      const [values, positions] = await runNode("TopK", [x, whole(k)], {
        outputs: 2,
        attributes: { largest: Number(largest) },
      });
      expectEqual(values, want);
      expectEqual(positions, where);
    },
  ));

test("Unique: sorted or as met, with first places, inverse and counts", () =>
  forAll(fc.tuple(fc.array(fc.nat(4), { minLength: 1, maxLength: 12 }), fc.boolean()), async ([list, sorted]) => {
    const distinct = [...new Set(list)];
    if (sorted) distinct.sort((a, b) => a - b);
    const found = await runNode("Unique", [given([list.length], list)], {
      outputs: 4,
      attributes: { sorted: Number(sorted) },
    });
    expect(found.map(({ data }) => data)).toEqual([
      distinct,
      distinct.map((value) => list.indexOf(value)),
      list.map((value) => distinct.indexOf(value)),
      distinct.map((value) => list.filter((other) => other === value).length),
    ]);
  }));

test("OneHot: any axis; indices from the end, and beyond it nothing", () =>
  forAll(
    fc.tuple(shapeOf(1, 2), fc.integer({ min: 1, max: 4 })).chain(([shape, depth]) =>
      fc.tuple(
        fc.array(fc.integer({ min: -depth - 1, max: depth + 1 }), {
          minLength: shape.reduce((a, b) => a * b, 1),
          maxLength: shape.reduce((a, b) => a * b, 1),
        }),
        fc.constant({ shape, depth }),
        fc.nat(shape.length),
      ),
    ),
    async ([index, { shape, depth }, axis]) => {
      const want = build(shape.toSpliced(axis, 0, depth), (place) => {
        const number = index[flatOf(shape, place.toSpliced(axis, 1))];
        return (number < 0 ? number + depth : number) === place[axis] ? 5 : -1;
      });
      const inputs = [given(shape, index, "int64"), whole(depth), given([2], [-1, 5])];
      expectEqual(await runOne("OneHot", inputs, { attributes: { axis } }), want);
    },
  ));

test("DepthToSpace undoes SpaceToDepth", () =>
  forAll(
    fc
      .tuple(side, side, fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 3 }))
      .chain(([n, c, h, w, b]) => fc.tuple(numbers([n, c, h * b, w * b]), fc.constant(b))),
    async ([x, blocksize]) => {
      const deep = await runOne("SpaceToDepth", [x], { opset: 13, attributes: { blocksize } });
      const [n, c, height, width] = x.shape;
      // Channel of the block at (i, j): (i * b + j) * C + c.
      const want: Plain = build([n, c * blocksize ** 2, height / blocksize, width / blocksize], ([b, k, y, z]) => {
        const block = Math.floor(k / c);
        return at(x, b, k % c, y * blocksize + Math.floor(block / blocksize), z * blocksize + (block % blocksize));
      });
      expectEqual(deep, want);
      expectEqual(
        await runOne("DepthToSpace", [given(deep.shape, deep.data)], { opset: 13, attributes: { blocksize } }),
        x,
      );
    },
  ));
