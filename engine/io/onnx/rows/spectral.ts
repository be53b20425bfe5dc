// Fourier transforms. Complex numbers lie in a last axis of two, real ones in a last axis of one.

import { tensor } from "../../../ops/create.ts";
import { add, mul, sub } from "../../../ops/elementwise.ts";
import { stack } from "../../../ops/joining.ts";
import { matmul } from "../../../ops/linalg.ts";
import { moveAxis, reshape, unsqueeze } from "../../../ops/movement.ts";
import { pad, select, slice } from "../../../ops/slicing.ts";
import { resolveAxis } from "../../../shape.ts";
import type { Tensor } from "../../../tensor.ts";
import type { Row } from "../call.ts";

/** [rows, columns] of fn(2 pi j k / n): the product j k is reduced first, so that large angles lose nothing. */
function table(
  rows: number,
  columns: number,
  n: number,
  fn: (angle: number, row: number) => number,
  like: Tensor,
): Tensor {
  const values = Array.from({ length: rows * columns }, (_, i) => {
    const [row, column] = [Math.floor(i / columns), i % columns];
    return fn((2 * Math.PI * ((row * column) % n)) / n, row);
  });
  return tensor(Float64Array.from(values), { shape: [rows, columns], dtype: like.dtype });
}

/** Cut or padded with zeros to `length` along the last axis. */
const resized = (x: Tensor, length: number): Tensor =>
  pad(
    x,
    x.shape.map((side, i) => (i === x.rank - 1 ? ([0, length - side] as const) : ([0, 0] as const))),
  );

interface Complex {
  readonly real: Tensor;
  readonly imaginary: Tensor | undefined;
}

/** Along the last axis: sum over j of x_j e^(sign 2 pi i j k / n), for the first `outputs` k. */
function transform({ real, imaginary }: Complex, n: number, outputs: number, sign: 1 | -1): Required<Complex> {
  const [cos, sin] = [
    table(n, outputs, n, Math.cos, real),
    table(n, outputs, n, (angle) => sign * Math.sin(angle), real),
  ];
  const a = resized(real, n);
  if (imaginary === undefined) return { real: matmul(a, cos), imaginary: matmul(a, sin) };
  const b = resized(imaginary, n);
  return { real: sub(matmul(a, cos), matmul(b, sin)), imaginary: add(matmul(a, sin), matmul(b, cos)) };
}

/** Half a spectrum back to real numbers: each frequency but the first and (of an even n) the last stands for two. */
function realInverse({ real, imaginary }: Complex, n: number): Tensor {
  const half = Math.floor(n / 2) + 1;
  const share = (row: number): number => (row === 0 || 2 * row === n ? 1 : 2) / n;
  const cos = table(half, n, n, (angle, row) => share(row) * Math.cos(angle), real);
  const sin = table(half, n, n, (angle, row) => -share(row) * Math.sin(angle), real);
  const y = matmul(resized(real, half), cos);
  return imaginary === undefined ? y : add(y, matmul(resized(imaginary, half), sin));
}

const complexOf = (x: Tensor, axis: number): Complex => {
  const part = (i: number): Tensor => moveAxis(select(x, x.rank - 1, i), axis, -1);
  return { real: part(0), imaginary: x.shape[x.rank - 1] === 1 ? undefined : part(1) };
};

const dft: Row = async (call) => {
  const x = call.tensor(0);
  const given = call.optional(1) === undefined ? undefined : await call.scalar(1);
  const axis =
    call.opset < 20
      ? call.axis("axis", 1, x.rank)
      : resolveAxis(call.where, call.optional(2) === undefined ? -2 : await call.scalar(2), x.rank);
  const [inverse, onesided] = [call.flag("inverse"), call.flag("onesided")];
  const value = complexOf(x, axis);
  const side = x.shape[axis];
  if (inverse && onesided) {
    const y = realInverse(value, given ?? 2 * (side - 1));
    return call.as(0, unsqueeze(moveAxis(y, -1, axis), -1));
  }
  const n = given ?? side;
  const { real, imaginary } = transform(value, n, onesided ? Math.floor(n / 2) + 1 : n, inverse ? 1 : -1);
  const scale = inverse ? 1 / n : 1;
  const parts = [real, imaginary as Tensor].map((part) => mul(moveAxis(part, -1, axis), scale));
  return call.as(0, stack(parts, -1));
};

/** Frames of a signal [B, L, 1 or 2], each under the window, transformed: [B, frames, frequencies, 2]. */
const stft: Row = async (call) => {
  const x = call.tensor(0);
  const step = await call.scalar(1);
  const window = call.maybeTensor(2);
  const length = call.optional(3) === undefined ? (window?.shape[0] ?? x.shape[1]) : await call.scalar(3);
  const frames = 1 + Math.floor((x.shape[1] - length) / step);
  const parts = Array.from({ length: frames }, (_, i) => slice(x, [null, [i * step, i * step + length]]));
  const framed = stack(parts, 1);
  const weighed = window === undefined ? framed : mul(framed, reshape(window, [1, 1, window.shape[0], 1]));
  const outputs = call.flag("onesided", true) ? Math.floor(length / 2) + 1 : length;
  const { real, imaginary } = transform(complexOf(weighed, 2), length, outputs, -1);
  return call.as(0, stack([real, imaginary as Tensor], -1));
};

export const spectral: Readonly<Record<string, Row>> = { DFT: dft, STFT: stft };
