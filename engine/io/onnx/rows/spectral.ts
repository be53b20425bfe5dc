// Fourier transforms. Complex numbers lie in a last axis of two, real ones in a last axis of one.

import { mul } from "../../../ops/elementwise.ts";
import { fft, ifft, irfft, rfft } from "../../../ops/fft.ts";
import { stack } from "../../../ops/joining.ts";
import { reshape, squeeze, unsqueeze } from "../../../ops/movement.ts";
import { narrow, pad, slice } from "../../../ops/slicing.ts";
import { resolveAxis } from "../../../shape.ts";
import type { Tensor } from "../../../tensor.ts";
import type { Row } from "../call.ts";

/** With an imaginary part of 0 where there is none. */
const complexOf = (x: Tensor): Tensor =>
  x.shape[x.rank - 1] === 2
    ? x
    : pad(
        x,
        x.shape.map((_, i) => (i === x.rank - 1 ? ([0, 1] as const) : ([0, 0] as const))),
      );

/** All frequencies of n points along an axis, or those up to the middle. */
function forward(x: Tensor, axis: number, n: number, onesided: boolean): Tensor {
  const real = x.shape[x.rank - 1] === 1;
  if (onesided && real) return rfft(squeeze(x, -1), axis, { n });
  const all = fft(complexOf(x), axis, { n });
  return onesided ? narrow(all, axis, 0, Math.floor(n / 2) + 1) : all;
}

/** The axis is an attribute before opset 20. The inverse of half a spectrum is real. */
const dft: Row = async (call) => {
  const x = call.tensor(0);
  const given = call.optional(1) === undefined ? undefined : await call.scalar(1);
  const late = call.opset < 20 || call.optional(2) === undefined ? -2 : await call.scalar(2);
  const axis = call.opset < 20 ? call.axis("axis", 1, x.rank) : resolveAxis(call.where, late, x.shape);
  const [inverse, onesided] = [call.flag("inverse"), call.flag("onesided")];
  const side = x.shape[axis];
  if (!inverse) return call.as(0, forward(x, axis, given ?? side, onesided));
  if (!onesided) return call.as(0, ifft(complexOf(x), axis, { n: given }));
  return call.as(0, unsqueeze(irfft(complexOf(x), axis, { n: given ?? 2 * (side - 1) }), -1));
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
  return call.as(0, forward(weighed, 2, length, call.flag("onesided", true)));
};

export const spectral: Readonly<Record<string, Row>> = { DFT: dft, STFT: stft };
