// What attention can know of positions besides rotation: learned vectors, fixed waves, linear biases.

import { type DType, formatShape, indexSelect, iota, ShapeError, type Tensor, tensor } from "../engine/index.ts";
import { checkSizes } from "./checks.ts";
import { type Initializer, normal } from "./init.ts";
import { Module } from "./module.ts";
import { parameter } from "./parameter.ts";

/** x [..., T, size] + a trained vector per position; weight [length, size]. */
export class LearnedPositions extends Module<[x: Tensor, positions?: Tensor]> {
  readonly weight: Tensor;

  constructor(
    length: number,
    size: number,
    { init = normal(0, 0.02), dtype }: { readonly init?: Initializer; readonly dtype?: DType } = {},
  ) {
    super();
    checkSizes("LearnedPositions", { length, size });
    this.weight = parameter([length, size], init, { dtype });
  }

  /** @param positions i32 [T], each below `length`; default 0, 1, ... */
  override forward(x: Tensor, positions?: Tensor): Tensor {
    const [length, size] = this.weight.shape;
    const steps = x.shape.at(-2) ?? 0;
    if (x.shape.at(-1) !== size || (positions === undefined && steps > length))
      throw new ShapeError("LearnedPositions", `takes [..., T <= ${length}, ${size}], got ${formatShape(x.shape)}`);
    return x.add(positions === undefined ? this.weight.narrow(0, 0, steps) : indexSelect(this.weight, 0, positions));
  }
}

/** x [..., T, size] + sines and cosines of the position (Vaswani et al. 2017, section 3.5). */
export class SinusoidalPositions extends Module<[x: Tensor, positions?: Tensor]> {
  override forward(x: Tensor, positions?: Tensor): Tensor {
    const [steps, size] = x.shape.slice(-2);
    if (x.rank < 2 || size % 2 !== 0)
      throw new ShapeError("SinusoidalPositions", `takes [..., T, an even size], got ${formatShape(x.shape)}`);
    const at = (positions ?? iota([steps])).cast("f64").unsqueeze(-1);
    // Feature 2 i is the sine, 2 i + 1 the cosine of one frequency: a cosine is a sine a quarter turn on.
    const rates = Array.from({ length: size }, (_, i) => 10_000 ** ((-2 * Math.floor(i / 2)) / size));
    const turns = Array.from({ length: size }, (_, i) => (i % 2 === 0 ? 0 : Math.PI / 2));
    const waves = at
      .mul(tensor(rates, { dtype: "f64" }))
      .add(tensor(turns, { dtype: "f64" }))
      .sin();
    return x.add(waves.cast(x.dtype));
  }
}

/** ALiBi's slope of each head (Press et al. 2022): a geometric series, filled up between powers of two. */
export function alibiSlopes(heads: number): number[] {
  checkSizes("alibiSlopes", { heads });
  const series = (count: number): number[] => Array.from({ length: count }, (_, i) => 2 ** ((-8 * (i + 1)) / count));
  const power = 2 ** Math.floor(Math.log2(heads));
  const between = series(2 * power).filter((_, i) => i % 2 === 0);
  return [...series(power), ...between.slice(0, heads - power)];
}

/** ALiBi's bias of the scores, -slope * distance: [heads, queries, keys] from positions [queries] and [keys]. */
export function alibiBias(heads: number, queries: Tensor, keys: Tensor, dtype: DType): Tensor {
  const distance = queries.unsqueeze(-1).sub(keys.unsqueeze(0)).abs().cast(dtype);
  return distance.mul(
    tensor(
      alibiSlopes(heads).map((slope) => [[-slope]]),
      { dtype },
    ),
  );
}
