// Reductions over axes, and what is composed of them. `axis`: one, several, or all when left out; negative from the end.

import { customGradient } from "../autodiff.ts";
import { ArgumentError } from "../errors.ts";
import type { ReduceOp } from "../graph/vocabulary.ts";
import { operation } from "../operation.ts";
import { build } from "../primitives/index.ts";
import { formatShape, keepAxes, resolveAxes, resolveAxis } from "../shape.ts";
import { Tensor } from "../tensor.ts";
import {
  abs,
  cast,
  div,
  equal,
  exp,
  isFinite,
  isNaN,
  log,
  logicalOr,
  maximum,
  mul,
  pow,
  sqrt,
  square,
  sub,
  where,
} from "./elementwise.ts";
import { asFloat, checkTensor, countOf, positions } from "./operand.ts";

/** One axis, several, or (undefined) all of them. */
export type Axes = number | readonly number[];

export interface ReduceOptions {
  /** Reduced axes stay in the shape, as 1. */
  readonly keepDims?: boolean;
}

export interface VarianceOptions extends ReduceOptions {
  /** The sum of squares is divided by n - correction; default 1, as PyTorch. */
  readonly correction?: number;
}

export interface NormOptions extends ReduceOptions {
  /** The order: default 2 (Euclidean); 1, Infinity, or any positive number. */
  readonly p?: number;
}

function reduce(op: ReduceOp, name: string, x: Tensor, axis: Axes | undefined, { keepDims }: ReduceOptions): Tensor {
  const axes = resolveAxes(name, axis, x.shape);
  const result = build[op](x.node, axes);
  return new Tensor(keepDims === true ? build.reshape(result, keepAxes(x.shape, axes)) : result);
}

/** Sums and products of bools count in i32. */
const asNumber = (x: Tensor): Tensor => (x.dtype === "bool" ? cast(x, "i32") : x);

function checkNotEmpty(op: string, x: Tensor, axis: Axes | undefined): void {
  if (countOf(x.shape, resolveAxes(op, axis, x.shape)) === 0) {
    throw new ArgumentError(
      op,
      `nothing to choose from: shape ${formatShape(x.shape)} is empty along the axes reduced`,
    );
  }
}

/** Sum; 0 of nothing. bool counts in i32. */
export const sum = operation("sum", (x: Tensor, axis?: Axes, options: ReduceOptions = {}): Tensor => {
  checkTensor("sum", x);
  return reduce("sum", "sum", asNumber(x), axis, options);
});

/** Product; 1 of nothing. bool counts in i32. */
export const prod = operation("prod", (x: Tensor, axis?: Axes, options: ReduceOptions = {}): Tensor => {
  checkTensor("prod", x);
  return reduce("prod", "prod", asNumber(x), axis, options);
});

/** Largest element; NaN if there is one. Ties share the gradient evenly. Throws an ArgumentError where there is none. */
export const max = operation("max", (x: Tensor, axis?: Axes, options: ReduceOptions = {}): Tensor => {
  checkTensor("max", x);
  checkNotEmpty("max", x, axis);
  return reduce("max", "max", x, axis, options);
});

/** Smallest element; NaN if there is one. Ties share the gradient evenly. Throws an ArgumentError where there is none. */
export const min = operation("min", (x: Tensor, axis?: Axes, options: ReduceOptions = {}): Tensor => {
  checkTensor("min", x);
  checkNotEmpty("min", x, axis);
  return reduce("min", "min", x, axis, options);
});

/** Mean, as a float; NaN of nothing. */
export const mean = operation("mean", (x: Tensor, axis?: Axes, options: ReduceOptions = {}): Tensor => {
  checkTensor("mean", x);
  const value = asFloat(x);
  const count = countOf(x.shape, resolveAxes("mean", axis, x.shape));
  return div(reduce("sum", "mean", value, axis, options), count);
});

/** Whether any element is true (not zero); false of nothing. */
export const any = operation("any", (x: Tensor, axis?: Axes, options: ReduceOptions = {}): Tensor => {
  checkTensor("any", x);
  return reduce("max", "any", cast(x, "bool"), axis, options);
});

/** Whether all elements are true (not zero); true of nothing. */
export const all = operation("all", (x: Tensor, axis?: Axes, options: ReduceOptions = {}): Tensor => {
  checkTensor("all", x);
  return reduce("min", "all", cast(x, "bool"), axis, options);
});

function argExtremum(
  op: "max" | "min",
  name: string,
  x: Tensor,
  axis: number | undefined,
  options: ReduceOptions,
): Tensor {
  checkTensor(name, x);
  if (axis === undefined) {
    const flat = new Tensor(build.reshape(x.node, [x.size]));
    const found = argExtremum(op, name, flat, 0, {});
    return options.keepDims === true
      ? new Tensor(
          build.reshape(
            found.node,
            x.shape.map(() => 1),
          ),
        )
      : found;
  }
  const at = resolveAxis(name, axis, x.shape);
  checkNotEmpty(name, x, at);
  const best = reduce(op, name, x, at, { keepDims: true });
  // A NaN is the extremum, and equals nothing: it is found by its own test.
  const hit = logicalOr(equal(x, best), isNaN(x));
  const candidates = where(hit, positions(x.shape, at), x.shape[at]);
  return reduce("min", name, candidates, at, options);
}

/**
 * i32 position of the largest element along `axis` (of all elements, flat, when left out): the first of equals, the
 * first NaN if there is one. Throws an ArgumentError where there is none.
 */
export const argmax = operation("argmax", (x: Tensor, axis?: number, options: ReduceOptions = {}): Tensor => {
  return argExtremum("max", "argmax", x, axis, options);
});

/** i32 position of the smallest element; see `argmax`. */
export const argmin = operation("argmin", (x: Tensor, axis?: number, options: ReduceOptions = {}): Tensor => {
  return argExtremum("min", "argmin", x, axis, options);
});

/** Variance, in two passes (no cancellation); sum of squares over n - correction. NaN where n - correction <= 0. */
export const variance = operation("variance", (x: Tensor, axis?: Axes, options: VarianceOptions = {}): Tensor => {
  checkTensor("variance", x);
  const value = asFloat(x);
  const centred = sub(value, mean(value, axis, { keepDims: true }));
  const count = countOf(x.shape, resolveAxes("variance", axis, x.shape));
  const freedom = Math.max(0, count - (options.correction ?? 1));
  return div(reduce("sum", "variance", square(centred), axis, options), freedom);
});

/** Standard deviation: the square root of `variance`. */
export const std = operation("std", (x: Tensor, axis?: Axes, options: VarianceOptions = {}): Tensor => {
  return sqrt(variance(x, axis, options));
});

const finiteOrZero = (x: Tensor): Tensor => where(isFinite(x), x, 0);

/** log(sum(e^x)) without overflow; -Inf of nothing and of rows that are all -Inf, whose gradient is 0. */
export const logsumexp = operation("logsumexp", (x: Tensor, axis?: Axes, options: ReduceOptions = {}): Tensor => {
  checkTensor("logsumexp", x);
  const axes = resolveAxes("logsumexp", axis, x.shape);
  // The gradient is softmax(x), written as such: no gradient has to find its way through the maximum.
  const wide = customGradient(
    (input: Tensor) => {
      const shift = finiteOrZero(reduce("max", "logsumexp", input, axes, { keepDims: true }));
      return logPlus(reduce("sum", "logsumexp", exp(sub(input, shift)), axes, { keepDims: true }), shift);
    },
    (seed, output, input) => [mul(seed, exp(sub(input, finiteOrZero(output))))],
  )(asFloat(x));
  return options.keepDims === true
    ? wide
    : new Tensor(
        build.reshape(
          wide.node,
          x.shape.filter((_, i) => !axes.includes(i)),
        ),
      );
});

const logPlus = (total: Tensor, shift: Tensor): Tensor => new Tensor(build.add(log(total).node, shift.node));

/** The vector norm of order p over the axes; its gradient at 0 is 0. */
export const norm = operation("norm", (x: Tensor, axis?: Axes, options: NormOptions = {}): Tensor => {
  checkTensor("norm", x);
  const p = options.p ?? 2;
  if (!(p > 0)) throw new ArgumentError("norm", `the order p must be positive, got ${p}`);
  const size = abs(asFloat(x));
  if (p === 1) return reduce("sum", "norm", size, axis, options);
  if (p === Number.POSITIVE_INFINITY) return reduce("max", "norm", maximum(size, 0), axis, options);
  const total = reduce("sum", "norm", p === 2 ? square(asFloat(x)) : pow(size, p), axis, options);
  const zero = equal(total, 0);
  const safe = where(zero, 1, total);
  return where(zero, 0, p === 2 ? sqrt(safe) : pow(safe, 1 / p));
});
