// Embedding: a table of vectors, looked up by whole numbers.

import { ArgumentError, type DType, DTypeError, indexSelect, type Tensor } from "../engine/index.ts";
import { type Initializer, normal } from "./init.ts";
import { Module } from "./module.ts";
import { parameter } from "./parameter.ts";

export interface EmbeddingOptions {
  /** Default: standard normal, as in PyTorch. */
  readonly init?: Initializer;
  readonly dtype?: DType;
}

/** ids [...] i32, each in [0, count) -> [..., size]; weight [count, size]. */
export class Embedding extends Module<[ids: Tensor]> {
  readonly weight: Tensor;

  constructor(count: number, size: number, { init = normal(), dtype }: EmbeddingOptions = {}) {
    super();
    for (const side of [count, size]) {
      if (!Number.isInteger(side) || side < 1)
        throw new ArgumentError("Embedding", `a size must be at least 1, got ${side}`);
    }
    this.weight = parameter([count, size], init, { dtype });
  }

  override forward(ids: Tensor): Tensor {
    if (ids.dtype !== "i32") throw new DTypeError("Embedding", `ids must be i32, got ${ids.dtype}`);
    return indexSelect(this.weight, 0, ids);
  }
}
