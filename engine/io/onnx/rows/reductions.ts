// Reductions over axes, extremes and where they are, running sums and products.

import { roundTo } from "../../../dtype.ts";
import { cumprod, cumsum } from "../../../ops/cumulative.ts";
import { abs, div, log, maximum, sqrt, square, sub } from "../../../ops/elementwise.ts";
import { flip } from "../../../ops/movement.ts";
import { asFloat, countOf, filled } from "../../../ops/operand.ts";
import { all, any, argmax, argmin, logsumexp, max, mean, min, prod, sum } from "../../../ops/reduce.ts";
import { narrow, pad } from "../../../ops/slicing.ts";
import { keepAxes, resolveAxes, withoutAxes } from "../../../shape.ts";
import type { Tensor } from "../../../tensor.ts";
import type { Call, Row } from "../call.ts";

type Reduce = (x: Tensor, axes: readonly number[], keepDims: boolean) => Tensor;

/**
 * `empty`: what an extreme of nothing is. No axes means all of them, or (noop_with_empty_axes) none: then each element is reduced alone. `since`: the opset
 * from which the axes are an input.
 */
const reduction =
  (fn: Reduce, since = 18, empty?: number): Row =>
  async (call) => {
    const x = call.input(0).exact;
    const given = (await call.axes(1, since)) ?? [];
    const keepDims = call.flag("keepdims", true);
    const noop = call.flag("noop_with_empty_axes");
    const axes = given.length > 0 ? resolveAxes(call.where, given, x.shape) : noop ? [] : x.shape.map((_, i) => i);
    if (empty !== undefined && countOf(x.shape, axes) === 0) {
      const shape = keepDims ? keepAxes(x.shape, axes) : withoutAxes(x.shape, axes);
      return call.as(0, filled(shape, x.dtype, roundTo(x.dtype, x.dtype === "bool" ? Math.max(0, empty) : empty)));
    }
    return call.as(0, fn(x, axes, keepDims));
  };

const largest: Reduce = (x, axes, keepDims) =>
  x.dtype === "bool" ? any(x, axes, { keepDims }) : max(x, axes, { keepDims });
const smallest: Reduce = (x, axes, keepDims) =>
  x.dtype === "bool" ? all(x, axes, { keepDims }) : min(x, axes, { keepDims });

/** The first of equals, or the last. */
const extremum =
  (find: typeof argmax): Row =>
  (call) => {
    const x = call.tensor(0);
    const axis = call.axis("axis", 0, x.rank);
    const options = { keepDims: call.flag("keepdims", true) };
    if (!call.flag("select_last_index")) return call.int64(find(x, axis, options));
    return call.int64(sub(x.shape[axis] - 1, find(flip(x, axis), axis, options)));
  };

/** Running totals; "exclusive": of what comes before each element, from `start`. */
const running =
  (fn: typeof cumsum, start: number): Row =>
  async (call) => {
    const x = call.input(0).exact;
    const axis = await axisOf(call, x.rank);
    const [exclusive, reverse] = [call.flag("exclusive"), call.flag("reverse")];
    if (!exclusive || x.shape[axis] === 0) return call.as(0, fn(x, axis, { reverse }));
    const kept = narrow(x, axis, reverse ? 1 : 0, x.shape[axis] - 1);
    const widths = x.shape.map((_, i): [number, number] => (i !== axis ? [0, 0] : reverse ? [0, 1] : [1, 0]));
    return call.as(0, fn(pad(kept, widths, start), axis, { reverse }));
  };

async function axisOf(call: Call, rank: number): Promise<number> {
  const axis = await call.scalar(1);
  return resolveAxes(call.where, axis, rank)[0];
}

/** Mean 0 and variance 1 over the axes; 1e-9 keeps the deviation from 0. */
const meanVariance: Row = (call) => {
  const x = call.tensor(0);
  const axes = call.ints("axes", [0, 2, 3]);
  const keep = { keepDims: true };
  const centred = sub(x, mean(x, axes, keep));
  return call.as(0, div(centred, maximum(sqrt(mean(square(centred), axes, keep)), 1e-9)));
};

export const reductions: Readonly<Record<string, Row>> = {
  ArgMax: extremum(argmax),
  ArgMin: extremum(argmin),
  CumProd: running(cumprod, 1),
  CumSum: running(cumsum, 0),
  MeanVarianceNormalization: meanVariance,
  ReduceL1: reduction((x, axes, keepDims) => sum(abs(x), axes, { keepDims })),
  ReduceL2: reduction((x, axes, keepDims) => sqrt(sum(square(asFloat(x)), axes, { keepDims }))),
  ReduceLogSum: reduction((x, axes, keepDims) => log(sum(x, axes, { keepDims }))),
  ReduceLogSumExp: reduction((x, axes, keepDims) => logsumexp(x, axes, { keepDims })),
  ReduceMax: reduction(largest, 18, Number.NEGATIVE_INFINITY),
  ReduceMean: reduction((x, axes, keepDims) => mean(x, axes, { keepDims })),
  ReduceMin: reduction(smallest, 18, Number.POSITIVE_INFINITY),
  ReduceProd: reduction((x, axes, keepDims) => prod(x, axes, { keepDims })),
  ReduceSum: reduction((x, axes, keepDims) => sum(x, axes, { keepDims }), 13),
  ReduceSumSquare: reduction((x, axes, keepDims) => sum(square(x), axes, { keepDims })),
};
