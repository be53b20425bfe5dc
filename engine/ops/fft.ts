// Fast Fourier transforms of any length, primes included. A complex tensor is a real one whose last axis holds the pair
// (real part, imaginary part), as PyTorch's view_as_real and ONNX's DFT have it; axes are counted without that axis.

import { promote } from "../dtype.ts";
import { ArgumentError, ShapeError } from "../errors.ts";
import { operation } from "../operation.ts";
import { broadcastParts, formatShape, maxElements, resolveAxis, type Shape, sizeOf } from "../shape.ts";
import type { Tensor } from "../tensor.ts";
import { cast } from "./elementwise.ts";
import { realOf, times, transformed, transformedReal } from "./fourier.ts";
import type { Pairs, Sign } from "./fourier-tables.ts";
import { moveAxis, reshape } from "./movement.ts";
import { checkTensor } from "./operand.ts";
import { narrow, pad, select } from "./slicing.ts";

/** Which direction is divided by n: the inverse ("backward", the default), both by sqrt(n) ("ortho"), or the forward. */
export type FftNorm = "backward" | "ortho" | "forward";

export interface FftOptions {
  /** Length of the signal: the axis is cut off or filled up with zeros to it first. */
  readonly n?: number;
  readonly norm?: FftNorm;
}

export interface Fft2Options {
  /** Lengths of the signal along the two axes; see `n` of FftOptions. */
  readonly s?: readonly [number, number];
  readonly norm?: FftNorm;
}

const float = (x: Tensor): Tensor => cast(x, promote(x.dtype, "f32"));

function checkComplex(op: string, x: Tensor): Tensor {
  checkTensor(op, x);
  if (x.rank < 2 || x.shape[x.rank - 1] !== 2) {
    throw new ShapeError(
      op,
      `needs complex numbers, [..., n, 2] with real and imaginary parts last, got ${formatShape(x.shape)}`,
    );
  }
  return float(x);
}

function checkReal(op: string, x: Tensor): Tensor {
  checkTensor(op, x);
  return float(x);
}

function lengthOf(op: string, n: number, shape: Shape, axis: number): number {
  if (Number.isInteger(n) && n >= 1 && n <= maxElements) return n;
  throw new ArgumentError(
    op,
    `needs a whole length n in 1..${maxElements} along axis ${axis} of ${formatShape(shape)}, got ${n}`,
  );
}

function scaleOf(op: string, norm: FftNorm, n: number, sign: Sign): number {
  switch (norm) {
    case "backward":
      return sign === -1 ? 1 : 1 / n;
    case "forward":
      return sign === -1 ? 1 / n : 1;
    case "ortho":
      return 1 / Math.sqrt(n);
    default:
      throw new ArgumentError(op, `norm must be "backward", "ortho" or "forward", got ${String(norm)}`);
  }
}

/** The axis cut off or filled up with zeros. */
function fitted(x: Tensor, axis: number, n: number): Tensor {
  const side = x.shape[axis];
  if (n <= side) return narrow(x, axis, 0, n);
  return pad(
    x,
    x.shape.map((_, i): [number, number] => [0, i === axis ? n - side : 0]),
  );
}

/** Lines [outer, n, inner] along an axis of a complex tensor, the pairs just before or after the axis. */
function linesOf(x: Tensor, axis: number, pairs: Pairs): Tensor {
  const [outer, n, inner] = [sizeOf(x.shape.slice(0, axis)), x.shape[axis], sizeOf(x.shape.slice(axis + 1, -1))];
  const [at, sides] = pairs === "after" ? [axis + 1, [n, 2]] : [axis, [2, n]];
  return reshape(moveAxis(x, -1, at), [outer, ...sides, inner]);
}

/** The other way round, for lines of any length in place of an axis of `shape`: the pairs go last. */
function fromLines(lines: Tensor, shape: Shape, axis: number, pairs: Pairs): Tensor {
  const sides = [...shape.slice(0, axis), ...lines.shape.slice(1, 3), ...shape.slice(axis + 1)];
  return moveAxis(reshape(lines, sides), pairs === "after" ? axis + 1 : axis, -1);
}

interface Request {
  readonly axis: number;
  readonly n: number | undefined;
  readonly norm: FftNorm | undefined;
  /** Where pairs lie in memory, if that is known: results are right either way, but this way nothing is moved. */
  readonly pairs: Pairs;
}

function complexAlong(op: string, x: Tensor, { axis, n, norm, pairs }: Request, sign: Sign): Tensor {
  const at = resolveAxis(op, axis, x.rank - 1, `${formatShape(x.shape)}: axis`);
  const length = lengthOf(op, n ?? x.shape[at], x.shape, axis);
  const scale = scaleOf(op, norm ?? "backward", length, sign);
  const whole = fitted(x, at, length);
  return fromLines(transformed(linesOf(whole, at, pairs), pairs, sign, scale), whole.shape.slice(0, -1), at, "after");
}

function realAlong(op: string, x: Tensor, { axis, n, norm, pairs }: Request): Tensor {
  const at = resolveAxis(op, axis, x.shape);
  const length = lengthOf(op, n ?? x.shape[at], x.shape, axis);
  const scale = scaleOf(op, norm ?? "backward", length, -1);
  const whole = fitted(x, at, length);
  const lines = reshape(whole, [sizeOf(whole.shape.slice(0, at)), length, sizeOf(whole.shape.slice(at + 1))]);
  return fromLines(transformedReal(lines, pairs, -1, scale), whole.shape, at, pairs);
}

function toRealAlong(op: string, x: Tensor, { axis, n, norm, pairs }: Request): Tensor {
  const at = resolveAxis(op, axis, x.rank - 1, `${formatShape(x.shape)}: axis`);
  const length = lengthOf(op, n ?? 2 * (x.shape[at] - 1), x.shape, axis);
  const scale = scaleOf(op, norm ?? "backward", length, 1);
  const half = fitted(x, at, Math.floor(length / 2) + 1);
  return reshape(realOf(linesOf(half, at, pairs), pairs, length, 1, scale), half.shape.slice(0, -1).with(at, length));
}

/**
 * X_k = sum over j of x_j e^(-2 pi i jk/n) along an axis of a complex tensor [..., n, ..., 2]; the shape stays. Lengths
 * with small factors are the fastest. In f32 its error is below 1e-6 of the result's root mean square. Throws a
 * ShapeError where the last axis is not 2, an ArgumentError for a length of 0.
 */
export const fft = operation("fft", (x: Tensor, axis = -1, options: FftOptions = {}): Tensor => {
  return complexAlong("fft", checkComplex("fft", x), { axis, n: options.n, norm: options.norm, pairs: "after" }, -1);
});

/** The inverse of `fft`: x_j = 1/n sum over k of X_k e^(2 pi i jk/n). */
export const ifft = operation("ifft", (x: Tensor, axis = -1, options: FftOptions = {}): Tensor => {
  return complexAlong("ifft", checkComplex("ifft", x), { axis, n: options.n, norm: options.norm, pairs: "after" }, 1);
});

/** `fft` of real numbers: only k = 0 .. n/2, the rest being their conjugates: [..., n, ...] -> [..., n/2 + 1, ..., 2]. */
export const rfft = operation("rfft", (x: Tensor, axis = -1, options: FftOptions = {}): Tensor => {
  return realAlong("rfft", checkReal("rfft", x), { axis, n: options.n, norm: options.norm, pairs: "after" });
});

/**
 * The inverse of `rfft`: [..., n/2 + 1, ..., 2] -> [..., n, ...]. `n` is even where it is not given. The imaginary parts
 * of k = 0 and (n even) k = n/2 play no part.
 */
export const irfft = operation("irfft", (x: Tensor, axis = -1, options: FftOptions = {}): Tensor => {
  return toRealAlong("irfft", checkComplex("irfft", x), { axis, n: options.n, norm: options.norm, pairs: "after" });
});

type Axes2 = readonly [number, number];

/** Both axes from the front. */
function twoAxes(op: string, axes: Axes2, shape: Shape, rank: number, s: readonly number[] | undefined): Axes2 {
  for (const [what, list] of Object.entries({ axes, s: s ?? axes })) {
    if (list.length !== 2) throw new ArgumentError(op, `${what} must be two numbers, got [${list.join(", ")}]`);
  }
  const [first, second] = axes.map((axis) => resolveAxis(op, axis, rank, `${formatShape(shape)}: axis`));
  if (first === second) throw new ArgumentError(op, `needs two axes, got ${axes[0]} twice`);
  return [first, second];
}

function complexAlongBoth(op: string, x: Tensor, axes: Axes2, { s, norm }: Fft2Options, sign: Sign): Tensor {
  const whole = checkComplex(op, x);
  const [first, second] = twoAxes(op, axes, whole.shape, whole.rank - 1, s);
  const once = complexAlong(op, whole, { axis: first, n: s?.[0], norm, pairs: "after" }, sign);
  return complexAlong(op, once, { axis: second, n: s?.[1], norm, pairs: "before" }, sign);
}

/** `fft` along two axes of a complex tensor [..., h, w, 2]. */
export const fft2 = operation("fft2", (x: Tensor, axes: Axes2 = [-2, -1], options: Fft2Options = {}): Tensor => {
  return complexAlongBoth("fft2", x, axes, options, -1);
});

/** The inverse of `fft2`. */
export const ifft2 = operation("ifft2", (x: Tensor, axes: Axes2 = [-2, -1], options: Fft2Options = {}): Tensor => {
  return complexAlongBoth("ifft2", x, axes, options, 1);
});

/** `fft2` of real numbers, half of it along the second axis: [..., h, w] -> [..., h, w/2 + 1, 2]. */
export const rfft2 = operation("rfft2", (x: Tensor, axes: Axes2 = [-2, -1], options: Fft2Options = {}): Tensor => {
  const whole = checkReal("rfft2", x);
  const [first, second] = twoAxes("rfft2", axes, whole.shape, whole.rank, options.s);
  const { s, norm } = options;
  const half = realAlong("rfft2", whole, { axis: second, n: s?.[1], norm, pairs: "before" });
  return complexAlong("rfft2", half, { axis: first, n: s?.[0], norm, pairs: "after" }, -1);
});

/** The inverse of `rfft2`: [..., h, w/2 + 1, 2] -> [..., h, w], w even where `s` does not give it. */
export const irfft2 = operation("irfft2", (x: Tensor, axes: Axes2 = [-2, -1], options: Fft2Options = {}): Tensor => {
  const half = checkComplex("irfft2", x);
  const [first, second] = twoAxes("irfft2", axes, half.shape, half.rank - 1, options.s);
  const { s, norm } = options;
  const columns = complexAlong("irfft2", half, { axis: first, n: s?.[0], norm, pairs: "after" }, 1);
  return toRealAlong("irfft2", columns, { axis: second, n: s?.[1], norm, pairs: "before" });
});

/** The product of complex numbers, element by element; shapes before the last axis broadcast. */
export const complexMul = operation("complexMul", (x: Tensor, y: Tensor): Tensor => {
  const [a, b] = [x, y].map((z) => {
    checkTensor("complexMul", z);
    if (z.rank === 0 || z.shape[z.rank - 1] !== 2) {
      throw new ShapeError(
        "complexMul",
        `needs real and imaginary parts in a last axis of 2, got ${formatShape(z.shape)}`,
      );
    }
    return { re: select(z, -1, 0), im: select(z, -1, 1) };
  });
  broadcastParts("complexMul", [x.shape.slice(0, -1), y.shape.slice(0, -1)], [x.shape, y.shape]);
  // Whole rows of real parts beside rows of imaginary ones: neighbours stay neighbours, here and in transforms after it.
  const rank = Math.max(x.rank, y.rank);
  const at = Math.max(0, rank - 2);
  return moveAxis(times(a, b, at), at, -1);
});
