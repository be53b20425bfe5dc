// Elementwise operators, reductions and products of the ONNX table against plain formulas, over shapes and attributes.

import fc from "fast-check";
import { beforeAll, expect, test } from "vitest";
import { broadcastShapes, setBackend } from "../../../engine/index.ts";
import { type Given, given, runNode, runOne, whole } from "./build.ts";
import { expectClose, expectEqual, forAll, numbers, shapeOf, side } from "./check.ts";
import { at, build, type Plain, range, rows, softmax, sum } from "./plain.ts";

beforeAll(() => setBackend("wasm"));

/** x at a place of the shape it broadcasts to. */
const spread = (x: Plain, index: readonly number[]): number => {
  const lead = index.length - x.shape.length;
  return at(x, ...x.shape.map((side, i) => (side === 1 ? 0 : index[lead + i])));
};

const partners = shapeOf(0, 4).chain((shape) =>
  fc
    .tuple(...[0, 1].map(() => fc.tuple(fc.nat(shape.length), fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }))))
    .chain((cuts) =>
      fc.tuple(
        ...cuts.map(([cut, ones]) => numbers(shape.map((side, i) => (ones[i] ? 1 : side)).slice(Math.min(cut, 2)))),
      ),
    ),
);

const binaries: Readonly<Record<string, (x: number, y: number) => number>> = {
  Add: (x, y) => x + y,
  Sub: (x, y) => x - y,
  Mul: (x, y) => x * y,
  Max: Math.max,
  Min: Math.min,
  Less: (x, y) => Number(x < y),
  LessOrEqual: (x, y) => Number(x <= y),
  Greater: (x, y) => Number(x > y),
  GreaterOrEqual: (x, y) => Number(x >= y),
  Equal: (x, y) => Number(x === y),
};

test.each(Object.entries(binaries))("%s broadcasts", (op, fn) =>
  forAll(partners, async ([x, y]) => {
    const shape = broadcastShapes("test", x.shape, y.shape);
    expectClose(
      await runOne(op, [x, y]),
      build(shape, (index) => fn(spread(x, index), spread(y, index))),
    );
  }),
);

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
const unaries: Readonly<Record<string, (x: number) => number>> = {
  Acosh: (x) => Math.acosh(x),
  Asinh: Math.asinh,
  Atan: Math.atan,
  Cosh: Math.cosh,
  Elu: (x) => (x > 0 ? x : Math.expm1(x)),
  HardSigmoid: (x) => Math.min(1, Math.max(0, Math.fround(0.2) * x + 0.5)),
  HardSwish: (x) => x * Math.min(1, Math.max(0, x / 6 + 0.5)),
  Mish: (x) => x * Math.tanh(Math.log1p(Math.exp(x))),
  Selu: (x) => 1.0507009873554805 * (x > 0 ? x : 1.6732632423543772 * Math.expm1(x)),
  Shrink: (x) => (x < -0.5 || x > 0.5 ? x : 0),
  Sinh: Math.sinh,
  Softsign: (x) => x / (1 + Math.abs(x)),
  Swish: (x) => x * sigmoid(x),
  ThresholdedRelu: (x) => (x > 1 ? x : 0),
};

test.each(Object.entries(unaries))("%s with its default attributes", (op, fn) =>
  forAll(shapeOf(0, 3).chain(numbers), async (x) => {
    expectClose(await runOne(op, [x], { opset: 28 }), { shape: x.shape, data: x.data.map(fn) }, 4e-5);
  }),
);

test("inverse trigonometric functions over their whole domain", async () => {
  const unit = Array.from({ length: 201 }, (_, i) => Math.fround(i / 100 - 1));
  const wide = [0, 1e-30, 1e-4, 0.41, 0.42, 1, 1.0001, 2.5, 1e4, 1e30, Number.POSITIVE_INFINITY].flatMap((x) => [
    x,
    -x,
  ]);
  for (const [op, fn, domain] of [
    ["Asin", Math.asin, unit],
    ["Acos", Math.acos, unit],
    ["Atanh", Math.atanh, unit],
    ["Atan", Math.atan, wide.map(Math.fround)],
  ] as const) {
    expectClose(
      await runOne(op, [given([domain.length], domain)]),
      { shape: [domain.length], data: domain.map(fn) },
      1e-6,
    );
  }
});

test("integers divide towards zero, and take the remainder of either sign", () =>
  forAll(
    fc.array(fc.tuple(fc.integer({ min: -99, max: 99 }), fc.integer({ min: 1, max: 9 }), fc.boolean()), {
      minLength: 1,
    }),
    async (list) => {
      const x = given(
        [list.length],
        list.map(([a]) => a),
        "int64",
      );
      const y = given(
        [list.length],
        list.map(([, b, negative]) => (negative ? -b : b)),
        "int64",
      );
      const pairs = x.data.map((a, i): [number, number] => [a, y.data[i]]);
      const want = (fn: (a: number, b: number) => number): Plain => ({
        shape: x.shape,
        data: pairs.map(([a, b]) => fn(a, b) + 0),
      });
      expectEqual(
        await runOne("Div", [x, y]),
        want((a, b) => Math.trunc(a / b)),
      );
      expectEqual(
        await runOne("Mod", [x, y]),
        want((a, b) => a - b * Math.floor(a / b)),
      );
      expectEqual(
        await runOne("Mod", [x, y], { attributes: { fmod: 1 } }),
        want((a, b) => a % b),
      );
    },
  ));

test("softmaxes: along an axis, and before opset 13 of the matrix the axis cuts", () =>
  forAll(
    shapeOf(2, 4).chain((shape) => fc.tuple(numbers(shape), fc.nat(shape.length - 1))),
    async ([x, axis]) => {
      const along = build(x.shape, (index) => {
        const line = range(x.shape[axis]).map((i) => at(x, ...index.with(axis, i)));
        return softmax(line)[index[axis]];
      });
      const width = x.shape.slice(axis).reduce((a, b) => a * b, 1);
      const matrix = {
        shape: x.shape,
        data: rows({ shape: [x.data.length / width, width], data: x.data }).flatMap(softmax),
      };
      for (const [opset, want] of [
        [13, along],
        [11, matrix],
      ] as const) {
        expectClose(await runOne("Softmax", [x], { opset, attributes: { axis } }), want);
        // The default axis is the last, and was the second.
        const usual = opset === 13 ? x.shape.length - 1 : 1;
        if (axis === usual) expectClose(await runOne("Softmax", [x], { opset }), want);
        const logs = { shape: want.shape, data: want.data.map(Math.log) };
        expectClose(await runOne("LogSoftmax", [x], { opset, attributes: { axis } }), logs, 1e-4);
      }
    },
  ));

const reductions: Readonly<Record<string, (values: number[]) => number>> = {
  ReduceSum: sum,
  ReduceMean: (values) => sum(values) / values.length,
  ReduceMax: (values) => Math.max(...values),
  ReduceMin: (values) => Math.min(...values),
  ReduceL1: (values) => sum(values.map(Math.abs)),
  ReduceL2: (values) => Math.hypot(...values),
  ReduceSumSquare: (values) => sum(values.map((x) => x * x)),
  ReduceLogSumExp: (values) => Math.log(sum(values.map(Math.exp))),
};

test.each(Object.entries(reductions))("%s: axes as an attribute or an input, kept or not, none of them", (op, fn) =>
  forAll(
    shapeOf(1, 4).chain((shape) =>
      fc.tuple(numbers(shape), fc.subarray(range(shape.length)), fc.boolean(), fc.boolean(), fc.constantFrom(11, 18)),
    ),
    async ([x, axes, keep, noop, opset]) => {
      const early = opset < (op === "ReduceSum" ? 13 : 18);
      const reduced = axes.length > 0 ? axes : noop && !early ? [] : range(x.shape.length);
      const kept = x.shape.map((side, axis) => (reduced.includes(axis) ? 1 : side));
      const want = build(kept, (index) => {
        const inner = build(
          x.shape.map((side, axis) => (reduced.includes(axis) ? side : 1)),
          (j) => at(x, ...index.map((i, axis) => (reduced.includes(axis) ? j[axis] : i))),
        );
        return fn([...inner.data]);
      });
      const shape = keep ? kept : x.shape.filter((_, axis) => !reduced.includes(axis));
      const attributes = { keepdims: Number(keep) };
      const got = early
        ? await runOne(op, [x], { opset, attributes: axes.length === 0 ? attributes : { ...attributes, axes } })
        : await runOne(op, [x, whole(...axes)], {
            opset,
            attributes: { ...attributes, noop_with_empty_axes: Number(noop) },
          });
      expectClose(got, { shape, data: want.data }, 1e-4);
    },
  ),
);

test("positions of extremes: the first of equals or the last", () =>
  forAll(fc.tuple(fc.array(fc.nat(3), { minLength: 1, maxLength: 9 }), fc.boolean()), async ([line, last]) => {
    const x = given([line.length], line);
    const position = (value: number): number => (last ? line.lastIndexOf(value) : line.indexOf(value));
    const attributes = { select_last_index: Number(last), keepdims: 0 };
    expect((await runOne("ArgMax", [x], { attributes })).data).toEqual([position(Math.max(...line))]);
    expect((await runOne("ArgMin", [x], { attributes })).data).toEqual([position(Math.min(...line))]);
  }));

test("running sums and products: in either direction, with or without the element itself", () =>
  forAll(
    shapeOf(1, 3).chain((shape) => fc.tuple(numbers(shape), fc.nat(shape.length - 1), fc.boolean(), fc.boolean())),
    async ([x, axis, exclusive, reverse]) => {
      const want = (start: number, fn: (a: number, b: number) => number): Plain =>
        build(x.shape, (index) => {
          const own = index[axis];
          const before = range(x.shape[axis]).filter((i) => (reverse ? i > own : i < own) || (i === own && !exclusive));
          return before.map((i) => at(x, ...index.with(axis, i))).reduce(fn, start);
        });
      const options = { opset: 26, attributes: { exclusive: Number(exclusive), reverse: Number(reverse) } };
      const at0 = { type: "int64", shape: [], data: [axis] } as const;
      expectClose(
        await runOne("CumSum", [x, at0], options),
        want(0, (a, b) => a + b),
      );
      expectClose(
        await runOne("CumProd", [x, at0], options),
        want(1, (a, b) => a * b),
        1e-4,
      );
    },
  ));

test("Gemm: both transposes, both factors, a broadcast addend", () =>
  forAll(
    fc
      .tuple(side, side, side, fc.boolean(), fc.boolean())
      .chain(([m, k, n, ta, tb]) =>
        fc.tuple(
          numbers(ta ? [k, m] : [m, k]),
          numbers(tb ? [n, k] : [k, n]),
          numbers([n]),
          fc.constant([ta, tb] as const),
        ),
      ),
    async ([a, b, c, [ta, tb]]) => {
      const [m, k] = ta ? [a.shape[1], a.shape[0]] : a.shape;
      const n = c.shape[0];
      const want = build([m, n], ([i, j]) => {
        const terms = range(k).map((l) => (ta ? at(a, l, i) : at(a, i, l)) * (tb ? at(b, j, l) : at(b, l, j)));
        return 0.5 * sum(terms) + 0.25 * c.data[j];
      });
      const attributes = { transA: Number(ta), transB: Number(tb), alpha: 0.5, beta: 0.25 };
      expectClose(await runOne("Gemm", [a, b, c], { attributes }), want);
    },
  ));

test("losses over classes: weights, ignored labels and every reduction", () =>
  forAll(
    fc
      .tuple(side, fc.integer({ min: 2, max: 5 }), side)
      .chain(([n, c, d]) =>
        fc.tuple(
          numbers([n, c, d]),
          fc.array(fc.nat(c - 1), { minLength: n * d, maxLength: n * d }),
          fc.array(fc.integer({ min: 1, max: 8 }), { minLength: c, maxLength: c }),
          fc.constantFrom("none", "sum", "mean"),
        ),
      ),
    async ([x, classes, weights, reduction]) => {
      const [n, c, d] = x.shape;
      const labels: Given = { type: "int64", shape: [n, d], data: classes };
      const terms = classes.map((label, i) => {
        const line = range(c).map((k) => at(x, Math.floor(i / d), k, i % d));
        return label === 0 ? [0, 0] : [-Math.log(softmax(line)[label]) * weights[label], weights[label]];
      });
      const losses = terms.map(([loss]) => loss);
      const total = sum(terms.map(([, weight]) => weight));
      const want = reduction === "none" ? losses : [reduction === "sum" ? sum(losses) : sum(losses) / total];
      const [loss, logs] = await runNode("SoftmaxCrossEntropyLoss", [x, labels, given([c], weights)], {
        outputs: 2,
        attributes: { reduction, ignore_index: 0 },
      });
      expectClose(loss, { shape: reduction === "none" ? [n, d] : [], data: want }, 1e-4);
      expectClose(
        logs,
        build(x.shape, ([i, k, j]) => Math.log(softmax(range(c).map((l) => at(x, i, l, j)))[k])),
        1e-4,
      );
    },
  ));
