// Rotary position embedding (Su et al. 2021), rotate-half layout, with YaRN's stretching (Peng et al. 2023).

import { ArgumentError, concat, formatShape, ShapeError, type Tensor, tensor } from "../engine/index.ts";
import { checkSizes } from "./checks.ts";
import { Module } from "./module.ts";

/** Stretches positions beyond the trained length: slow rotations are interpolated, fast ones kept. */
export interface YarnOptions {
  /** How many times longer the context becomes. */
  readonly factor: number;
  /** Length of the context in training. */
  readonly originalLength: number;
  /** Rotations over that length from which on a frequency is kept; default 32. */
  readonly betaFast?: number;
  /** Rotations up to which a frequency is fully interpolated; default 1. */
  readonly betaSlow?: number;
  /** Factor of the rotated vectors; default 0.1 ln(factor) + 1. */
  readonly attentionFactor?: number;
}

export interface RotaryOptions {
  /** Base of the frequencies; default 10,000. */
  readonly theta?: number;
  readonly yarn?: YarnOptions;
}

/** theta^(-2 i / size) for i < size / 2. */
const plainFrequencies = (size: number, theta: number): number[] =>
  Array.from({ length: size / 2 }, (_, i) => theta ** ((-2 * i) / size));

/** YaRN's frequencies (Peng et al. 2023, equations 17-23, with the bounds rounded to whole dimensions). */
function yarnFrequencies(size: number, theta: number, yarn: YarnOptions): number[] {
  const { factor, originalLength, betaFast = 32, betaSlow = 1 } = yarn;
  if (!(factor >= 1)) throw new ArgumentError("RotaryEmbedding", `YaRN's factor must be at least 1, got ${factor}`);
  checkSizes("RotaryEmbedding", { originalLength });
  /** The dimension pair that turns so often over the original length. */
  const pairOf = (turns: number): number =>
    (size * Math.log(originalLength / (turns * 2 * Math.PI))) / (2 * Math.log(theta));
  const low = Math.max(Math.floor(pairOf(betaFast)), 0);
  const high = Math.min(Math.ceil(pairOf(betaSlow)), size - 1);
  const width = Math.max(high - low, 0.001);
  return plainFrequencies(size, theta).map((frequency, i) => {
    const slow = Math.min(Math.max((i - low) / width, 0), 1);
    return (frequency / factor) * slow + frequency * (1 - slow);
  });
}

/** Rotates the features of queries and keys by angles that grow with position: products depend on distance alone. */
export class RotaryEmbedding extends Module<[x: Tensor, positions: Tensor]> {
  readonly size: number;
  /** Radians per position, one per pair of features. */
  readonly frequencies: readonly number[];
  /** Factor of the result: 1 but for YaRN. */
  readonly scale: number;

  /** @param size features of a head, an even number */
  constructor(size: number, { theta = 10_000, yarn }: RotaryOptions = {}) {
    super();
    checkSizes("RotaryEmbedding", { size });
    if (size % 2 !== 0) throw new ArgumentError("RotaryEmbedding", `size must be even, got ${size}`);
    if (!(theta > 1)) throw new ArgumentError("RotaryEmbedding", `theta must be above 1, got ${theta}`);
    this.size = size;
    this.frequencies = yarn === undefined ? plainFrequencies(size, theta) : yarnFrequencies(size, theta, yarn);
    this.scale = yarn === undefined ? 1 : (yarn.attentionFactor ?? 0.1 * Math.log(yarn.factor) + 1);
  }

  /** x [..., T, size], positions [T] (or any shape that broadcasts to x's axes but the last). */
  override forward(x: Tensor, positions: Tensor): Tensor {
    if (x.shape.at(-1) !== this.size)
      throw new ShapeError("RotaryEmbedding", `takes [..., T, ${this.size}], got ${formatShape(x.shape)}`);
    // In f64: an f32 angle of a far position is off by more than a radian's last digits.
    const frequencies = tensor([...this.frequencies], { dtype: "f64" });
    const half = positions.cast("f64").unsqueeze(-1).mul(frequencies);
    const [cos, sin] = [half.cos(), half.sin()].map((part) => part.mul(this.scale).cast(x.dtype));
    const [first, second] = x.split(this.size / 2, -1);
    return concat([first.mul(cos).sub(second.mul(sin)), second.mul(cos).add(first.mul(sin))], -1);
  }
}
