// How parameters start: each initialiser says which distribution, with fans given, never guessed from a layout.

import type { Stream } from "./stream.ts";

/** Draws one value of a parameter from its stream. */
export type Initializer = (stream: Stream) => number;

/** Both fans of a weight: how many numbers a unit reads, how many units read a number. */
export interface Fans {
  readonly fanIn: number;
  readonly fanOut: number;
}

export const constant =
  (value: number): Initializer =>
  () =>
    value;

export const zeros: Initializer = constant(0);
export const ones: Initializer = constant(1);

/** Uniform in [low, high). */
export const uniform =
  (low: number, high: number): Initializer =>
  (stream) =>
    stream.uniform(low, high);

/** Normal with the given mean and standard deviation. */
export const normal =
  (mean = 0, deviation = 1): Initializer =>
  (stream) =>
    stream.normal(mean, deviation);

const symmetric = (bound: number): Initializer => uniform(-bound, bound);

/** Uniform with variance gain^2 * 2 / (fanIn + fanOut) (Glorot & Bengio 2010). */
export const xavierUniform = ({ fanIn, fanOut }: Fans, gain = 1): Initializer =>
  symmetric(gain * Math.sqrt(6 / (fanIn + fanOut)));

/** Normal with variance gain^2 * 2 / (fanIn + fanOut) (Glorot & Bengio 2010). */
export const xavierNormal = ({ fanIn, fanOut }: Fans, gain = 1): Initializer =>
  normal(0, gain * Math.sqrt(2 / (fanIn + fanOut)));

export const glorotUniform: typeof xavierUniform = xavierUniform;
export const glorotNormal: typeof xavierNormal = xavierNormal;

/** Uniform with variance gain^2 / fanIn; the default gain suits ReLU (He et al. 2015). */
export const kaimingUniform = (fanIn: number, gain: number = Math.SQRT2): Initializer =>
  symmetric(gain * Math.sqrt(3 / fanIn));

/** Normal with variance gain^2 / fanIn; the default gain suits ReLU (He et al. 2015). */
export const kaimingNormal = (fanIn: number, gain: number = Math.SQRT2): Initializer =>
  normal(0, gain / Math.sqrt(fanIn));
