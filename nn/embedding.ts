// Embedding: a table of vectors, looked up by whole numbers.

import { ArgumentError, type DType, DTypeError, indexSelect, operation, type Tensor } from "../engine/index.ts";
import { checkSizes } from "./checks.ts";
import { type Initializer, normal } from "./init.ts";
import { Module } from "./module.ts";
import { parameter } from "./parameter.ts";

export interface EmbeddingOptions {
  /** Default: standard normal, as in PyTorch. */
  readonly init?: Initializer;
  readonly dtype?: DType;
  /** An id that stands for nothing: its vector is zero whatever its row holds, and its row gets no gradient. */
  readonly padding?: number;
}

const rowsOf = operation("Embedding", indexSelect, "ids");

/** ids [...] i32, each in [0, count) -> [..., size]; weight [count, size]. */
export class Embedding extends Module<[ids: Tensor]> {
  readonly weight: Tensor;
  readonly padding: number | undefined;

  constructor(count: number, size: number, { init = normal(), dtype, padding }: EmbeddingOptions = {}) {
    super();
    checkSizes("Embedding", { count, size });
    if (padding !== undefined && !(Number.isInteger(padding) && padding >= 0 && padding < count))
      throw new ArgumentError("Embedding", `padding must be an id in [0, ${count}), got ${padding}`);
    this.padding = padding;
    this.weight = parameter([count, size], init, { dtype });
  }

  override forward(ids: Tensor): Tensor {
    if (ids.dtype !== "i32") throw new DTypeError("Embedding", `ids must be i32, got ${ids.dtype}`);
    const vectors = rowsOf(this.weight, 0, ids);
    return this.padding === undefined ? vectors : vectors.maskedFill(ids.equal(this.padding).unsqueeze(-1), 0);
  }

  /** Scores of all ids by the same table: x [..., size] -> x W^T [..., count]. The output layer of a tied model. */
  attend(x: Tensor): Tensor {
    return x.matmul(this.weight.transpose(0, 1));
  }
}
