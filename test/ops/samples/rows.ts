// Samples of reductions, normalisations and orders: operations on lines of elements.

import fc from "fast-check";
import * as S from "../../../engine/index.ts";
import { shapes } from "../../../testing/index.ts";
import { fold, lines, type Nd, zip } from "../plain.ts";
import { along, front, type Sample } from "./sample.ts";

type Axes = number | readonly number[] | undefined;
type Reduction = (x: S.Tensor, axis?: Axes, options?: S.ReduceOptions) => S.Tensor;

const total = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0);
const average = (values: readonly number[]): number => total(values) / values.length;
const spread = (values: readonly number[], correction: number): number =>
  total(values.map((value) => (value - average(values)) ** 2)) / (values.length - correction);

/** All axes, some, or one from the end; kept or not. `minCount`: reduced elements there must be. */
const reduction =
  (run: Reduction, f: (values: number[]) => number, minCount = 0, truth = false): Sample =>
  (maxSize) =>
    shapes({ maxSize })
      .chain((shape) =>
        fc.tuple(
          fc.constant(shape),
          fc.oneof(
            fc.constant<Axes>(undefined),
            fc.subarray(shape.map((_, i) => i)),
            fc.subarray(shape.map((_, i) => i - shape.length)),
          ),
          fc.boolean(),
        ),
      )
      .filter(([shape, axis]) => {
        const axes = (axis ?? shape.map((_, i) => i)) as readonly number[];
        return axes.reduce((count, a) => count * shape[front(a, shape.length)], 1) >= minCount;
      })
      .map(([shape, axis, keepDims]) => {
        const axes = ((axis ?? shape.map((_, i) => i)) as readonly number[]).map((a) => front(a, shape.length));
        return {
          label: `[${shape}] axes ${axis} ${keepDims ? "kept" : ""}`,
          inputs: [{ shape, domain: truth ? ("integer" as const) : ("real" as const) }],
          run: (x) => run(x, axis, { keepDims }),
          expected: (x) => fold(x, axes, f, keepDims),
          flat: truth,
          // A standard deviation has no derivative where it is 0.
          distinct: minCount > 1,
        };
      });

const arg = (run: (x: S.Tensor, axis?: number) => S.Tensor, better: (a: number, b: number) => boolean): Sample =>
  along(
    1,
    (shape, axis) => ({
      run: (x) => run(x, axis),
      expected: (x) =>
        fold(x, [front(axis, shape.length)], (values) =>
          values.reduce((best, value, i) => (better(value, values[best]) ? i : best), 0),
        ),
      flat: true,
    }),
    "integer",
  );

const softmaxOf = (values: readonly number[]): number[] => {
  const powers = values.map(Math.exp);
  return powers.map((power) => power / total(powers));
};

const rowwise = (run: (x: S.Tensor, axis: number) => S.Tensor, f: (values: number[]) => number[]): Sample =>
  along(1, (shape, axis) => ({
    run: (x) => run(x, axis),
    expected: (x) => lines(x, front(axis, shape.length), shape[front(axis, shape.length)], f),
  }));

/** x [.., n, m], weight [n, m] and bias [m], normalised over the last two axes. */
const normalisation =
  (
    run: (x: S.Tensor, shape: readonly number[], options: S.NormalizeOptions) => S.Tensor,
    f: (values: number[], value: number) => number,
  ): Sample =>
  (maxSize) =>
    shapes({ maxSize, minRank: 2, maxRank: 3, minSide: 1 }).map((shape) => {
      const last = shape.slice(-2);
      return {
        label: `[${shape}]`,
        inputs: [
          { shape, domain: "real" },
          { shape: last, domain: "positive" },
          { shape: last.slice(1), domain: "real" },
        ],
        run: (x, weight, bias) => run(x, last, { weight, bias, eps: 1e-2 }),
        expected: (x: Nd, weight: Nd, bias: Nd) => {
          const size = last[0] * last[1];
          const data = x.data.map((value, i) => {
            const start = Math.floor(i / size) * size;
            return f(x.data.slice(start, start + size), value);
          });
          return zip((value, w, b) => value * w + b)({ shape: x.shape, data }, weight, bias);
        },
      };
    });

const order = (values: readonly number[], descending: boolean): number[] =>
  values.map((_, i) => i).sort((i, j) => (descending ? values[j] - values[i] : values[i] - values[j]) || i - j);

const sorted =
  (descending: boolean, k?: number) =>
  (x: Nd, axis: number): [Nd, Nd] => {
    const length = k ?? x.shape[axis];
    const indices = lines(x, axis, length, (values) => order(values, descending));
    const values = lines(x, axis, length, (line) => order(line, descending).map((i) => line[i]));
    return [values, indices];
  };

export const rows: Record<string, Sample> = {
  sum: reduction(S.sum, total),
  prod: reduction(S.prod, (values) => values.reduce((product, value) => product * value, 1)),
  max: reduction(S.max, (values) => Math.max(...values), 1),
  min: reduction(S.min, (values) => Math.min(...values), 1),
  mean: reduction(S.mean, average, 1),
  any: reduction(S.any, (values) => Number(values.some((value) => value !== 0)), 0, true),
  all: reduction(S.all, (values) => Number(values.every((value) => value !== 0)), 0, true),
  variance: reduction(S.variance, (values) => spread(values, 1), 2),
  std: reduction(
    (x, axis, options) => S.std(x, axis, { correction: 0, ...options }),
    (v) => Math.sqrt(spread(v, 0)),
    2,
  ),
  logsumexp: reduction(S.logsumexp, (values) => Math.log(total(values.map(Math.exp))), 1),
  norm: (maxSize) =>
    fc.oneof(
      reduction(S.norm, (values) => Math.hypot(...values))(maxSize),
      reduction(
        (x, axis, options) => S.norm(x, axis, { p: 1, ...options }),
        (v) => total(v.map(Math.abs)),
      )(maxSize),
      reduction(
        (x, axis, options) => S.norm(x, axis, { p: 3, ...options }),
        (values) => total(values.map((value) => Math.abs(value) ** 3)) ** (1 / 3),
      )(maxSize),
      reduction(
        (x, axis, options) => S.norm(x, axis, { p: Number.POSITIVE_INFINITY, ...options }),
        (values) => Math.max(0, ...values.map(Math.abs)),
        1,
      )(maxSize),
    ),
  argmax: arg(S.argmax, (a, b) => a > b),
  argmin: arg(S.argmin, (a, b) => a < b),

  softmax: rowwise(S.softmax, softmaxOf),
  logSoftmax: rowwise(S.logSoftmax, (values) => softmaxOf(values).map(Math.log)),
  layerNorm: normalisation(
    S.layerNorm,
    (values, value) => (value - average(values)) / Math.sqrt(spread(values, 0) + 1e-2),
  ),
  rmsNorm: normalisation(S.rmsNorm, (values, value) => value / Math.sqrt(average(values.map((v) => v * v)) + 1e-2)),

  argsort: along(
    0,
    (shape, axis) => ({
      run: (x) => [S.argsort(x, axis), S.argsort(x, axis, { descending: true })],
      expected: (x) => [false, true].map((descending) => sorted(descending)(x, front(axis, shape.length))[1]),
      flat: true,
    }),
    "integer",
  ),
  sort: along(0, (shape, axis) => ({
    run: (x) => S.sort(x, axis, { descending: shape.length % 2 === 0 }).values,
    expected: (x) => sorted(shape.length % 2 === 0)(x, front(axis, shape.length))[0],
  })),
  topk: along(1, (shape, axis) => {
    const k = Math.ceil(shape[front(axis, shape.length)] / 2);
    return {
      note: `k ${k}`,
      run: (x) => [S.topk(x, k, axis).values, S.topk(x, k, axis, { largest: false }).values],
      expected: (x) => [true, false].map((largest) => sorted(largest, k)(x, front(axis, shape.length))[0]),
    };
  }),
};
