// Running sums, products and extremes, and linear recurrences: along any axis, in either direction, differentiable to
// any order.

import { customGradient } from "../autodiff.ts";
import { isFloat } from "../dtype.ts";
import { ShapeError } from "../errors.ts";
import { operation } from "../operation.ts";
import { formatShape, resolveAxis, type Shape, sameShape } from "../shape.ts";
import { Tensor } from "../tensor.ts";
import {
  add,
  cast,
  equal,
  exp,
  isFinite,
  isInf,
  isNaN,
  log,
  logicalAnd,
  logicalOr,
  mul,
  neg,
  sub,
  where,
} from "./elementwise.ts";
import { unsqueeze } from "./movement.ts";
import { align, asFloat, checkTensor, positions, primitive } from "./operand.ts";
import { narrow, pad } from "./slicing.ts";

export interface CumulativeOptions {
  /** From the last element to the first. */
  readonly reverse?: boolean;
}

/** A running extreme and where it was met. */
export interface RunningExtreme {
  readonly values: Tensor;
  /** i32: values = takeAlongAxis(x, indices, axis). Of equals the latest counts, of NaNs too. */
  readonly indices: Tensor;
}

/** Sums and extremes of bools count in i32. */
const asNumber = (x: Tensor): Tensor => (x.dtype === "bool" ? cast(x, "i32") : x);

/** The first element along an axis in the order of the scan, others `fill`. */
const onlyFirst = (x: Tensor, axis: number, reverse: boolean, fill: number): Tensor => {
  const side = x.shape[axis];
  const first = narrow(x, axis, reverse ? side - 1 : 0, 1);
  const widths = x.shape.map((_, i): [number, number] =>
    i !== axis ? [0, 0] : reverse ? [side - 1, 0] : [0, side - 1],
  );
  return pad(first, widths, fill);
};

/** Each element is the one before it in the order of the scan; the first is `fill`. */
function delayed(x: Tensor, axis: number, reverse: boolean, fill: number): Tensor {
  const side = x.shape[axis];
  if (side === 0) return x;
  const kept = narrow(x, axis, reverse ? 1 : 0, side - 1);
  return pad(
    kept,
    x.shape.map((_, i): [number, number] => (i !== axis ? [0, 0] : reverse ? [0, 1] : [1, 0])),
    fill,
  );
}

/** Sum of the elements up to each, along `axis`. bool counts in i32. */
export const cumsum = operation("cumsum", (x: Tensor, axis = -1, options: CumulativeOptions = {}): Tensor => {
  checkTensor("cumsum", x);
  const at = resolveAxis("cumsum", axis, x.shape);
  return primitive("cumsum", [asNumber(x)], { axis: at, reverse: options.reverse === true });
});

/**
 * Product of the elements up to each, along `axis`. Its gradient divides by nothing, so it is right where elements are
 * 0, to any order.
 */
export const cumprod = operation("cumprod", (x: Tensor, axis = -1, options: CumulativeOptions = {}): Tensor => {
  checkTensor("cumprod", x);
  const at = resolveAxis("cumprod", axis, x.shape);
  const reverse = options.reverse === true;
  const value = asNumber(x);
  if (value.shape[at] === 0) return value;
  // -0 is what changes nothing when it is added, 0 included.
  const first = onlyFirst(value, at, reverse, isFloat(value.dtype) ? -0 : 0);
  return primitive("recurrence", [value, first], { axis: at, reverse, lag: false });
});

/** Largest element up to each, along `axis`, NaN from the first NaN on; the gradient goes to the element at `indices`. */
export const cummax = operation("cummax", (x: Tensor, axis = -1, options: CumulativeOptions = {}): RunningExtreme => {
  checkTensor("cummax", x);
  const value = asNumber(x);
  const attrs = { axis: resolveAxis("cummax", axis, x.shape), reverse: options.reverse === true };
  const values = primitive("cummax", [value], attrs);
  return { values, indices: placesOf(value, values, attrs) };
});

/** Smallest element up to each; see `cummax`. */
export const cummin = operation("cummin", (x: Tensor, axis = -1, options: CumulativeOptions = {}): RunningExtreme => {
  checkTensor("cummin", x);
  const value = asNumber(x);
  const attrs = { axis: resolveAxis("cummin", axis, x.shape), reverse: options.reverse === true };
  // -1 - x turns the order of all i32 around; -x does not, since the smallest has no negative.
  const turned = (v: Tensor): Tensor => (isFloat(v.dtype) ? neg(v) : sub(-1, v));
  const values = turned(primitive("cummax", [turned(value)], attrs));
  return { values, indices: placesOf(value, values, attrs) };
});

/** The latest place at which the running extreme was attained. */
function placesOf(x: Tensor, extreme: Tensor, attrs: { readonly axis: number; readonly reverse: boolean }): Tensor {
  const { axis, reverse } = attrs;
  const hit = logicalOr(equal(x, extreme), isNaN(x));
  // "Latest" is the largest position, or the smallest where the scan runs backward.
  const place = positions(x.shape, axis);
  const ranked = reverse ? sub(-1, place) : place;
  const latest = primitive("cummax", [where(hit, ranked, -(2 ** 31))], attrs);
  return reverse ? sub(-1, latest) : latest;
}

/** log(sum(e^x)) of the elements up to each, along `axis`, without overflow; -Inf while all elements are. */
export const logcumsumexp = operation(
  "logcumsumexp",
  (x: Tensor, axis = -1, options: CumulativeOptions = {}): Tensor => {
    checkTensor("logcumsumexp", x);
    const at = resolveAxis("logcumsumexp", axis, x.shape);
    const reverse = options.reverse === true;
    return customGradient(
      (input: Tensor) => {
        // s_t e^(m_t) is the sum, m_t the running maximum: all coefficients and terms are in [0, 1].
        const largest = primitive("cummax", [input], { axis: at, reverse });
        const shift = finiteOrZero(largest);
        const scale = exp(gap(delayed(largest, at, reverse, Number.NEGATIVE_INFINITY), largest));
        const terms = exp(sub(input, shift));
        return add(shift, log(primitive("recurrence", [scale, terms], { axis: at, reverse, lag: false })));
      },
      (seed, output, input) => {
        // dx_i = e^(x_i - y_i) q_i with q_i = g_i + e^(y_i - y_next) q_next: y never falls, so nothing overflows.
        const next = delayed(output, at, !reverse, Number.POSITIVE_INFINITY);
        const flow = primitive("recurrence", [exp(gap(output, next)), seed], {
          axis: at,
          reverse: !reverse,
          lag: false,
        });
        return [mul(exp(sub(input, finiteOrZero(output))), flow)];
      },
    )(asFloat(x));
  },
);

const finiteOrZero = (x: Tensor): Tensor => where(isFinite(x), x, 0);

/** low - high, 0 where both are the same infinity. */
const gap = (low: Tensor, high: Tensor): Tensor => where(logicalAnd(equal(low, high), isInf(low)), 0, sub(low, high));

export interface RecurrenceOptions extends CumulativeOptions {
  /** What comes before the first element: the shape of a and b without `axis`; default 0. */
  readonly h0?: Tensor;
}

/**
 * h_t = a_t * h_(t-1) + b_t along `axis`, elementwise in the other axes; a and b broadcast. Without h0 the first h is
 * its b. Throws a ShapeError where a, b and h0 do not fit.
 */
export const linearRecurrence = operation(
  "linearRecurrence",
  (a: Tensor, b: Tensor, axis = -1, options: RecurrenceOptions = {}): Tensor => {
    checkTensor("linearRecurrence", a, "a");
    checkTensor("linearRecurrence", b, "b");
    const { h0 } = options;
    const reverse = options.reverse === true;
    if (h0 !== undefined) checkTensor("linearRecurrence", h0, "h0");
    const [x, y] = align("linearRecurrence", [a, b], "i32").map((node) => new Tensor(node));
    const at = resolveAxis("linearRecurrence", axis, x.shape);
    const attrs = { axis: at, reverse, lag: false };
    if (h0 === undefined) return primitive("recurrence", [x, y], attrs);
    const start = x.shape.filter((_, i) => i !== at);
    checkStart(h0, start, x.shape, at);
    if (x.shape[at] === 0) return y;
    const first = mul(narrow(x, at, reverse ? x.shape[at] - 1 : 0, 1), unsqueeze(cast(h0, x.dtype), at));
    const widths = x.shape.map((side, i): [number, number] =>
      i !== at ? [0, 0] : reverse ? [side - 1, 0] : [0, side - 1],
    );
    return primitive("recurrence", [x, add(y, pad(first, widths, -0))], attrs);
  },
);

function checkStart(h0: Tensor, expected: Shape, shape: Shape, axis: number): void {
  if (sameShape(h0.shape, expected)) return;
  throw new ShapeError(
    "linearRecurrence",
    `h0 must be ${formatShape(expected)} for ${formatShape(shape)} along axis ${axis}, got ${formatShape(h0.shape)}`,
  );
}
