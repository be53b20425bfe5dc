// The item table of all models: one vector an item, looked up on the way in and compared with on the way out.

import { type DType, DTypeError, indexSelect, type Tensor, where } from "../../../engine/index.ts";
import { type init, Module, parameter } from "../../../nn/index.ts";

/** The id that stands for no item. */
export const paddingId = 0;

export interface ItemTableOptions {
  /**
   * Whether the padding id is scored in training, like an item that never comes (what the release does: its row is then
   * a trained vector, seen at padded positions). Default false: it is left out, and its row stays zero.
   */
  readonly padInSoftmax?: boolean;
  readonly init: init.Initializer;
  readonly dtype?: DType;
}

/** Zeros for the first `size` numbers drawn of every `count * size`: the row of the padding id. */
function zeroFirstRow(size: number, count: number, initial: init.Initializer): init.Initializer {
  let drawn = 0;
  return (stream) => {
    const value = initial(stream);
    return drawn++ % (size * count) < size ? 0 : value;
  };
}

/** ids [...] i32 -> [..., size]; weight [count, size]. */
export class ItemTable extends Module<[ids: Tensor]> {
  readonly weight: Tensor;
  readonly padInSoftmax: boolean;

  constructor(count: number, size: number, { padInSoftmax = false, init: initial, dtype }: ItemTableOptions) {
    super();
    this.padInSoftmax = padInSoftmax;
    this.weight = parameter([count, size], padInSoftmax ? initial : zeroFirstRow(size, count, initial), { dtype });
  }

  /** The padding id's row gets no gradient from being looked up (as PyTorch's `padding_idx`). */
  override forward(ids: Tensor): Tensor {
    if (ids.dtype !== "i32") throw new DTypeError("ItemTable", `ids must be i32, got ${ids.dtype}`);
    const vectors = indexSelect(this.weight, 0, ids);
    const padded = ids.equal(paddingId).unsqueeze(-1);
    return this.padInSoftmax
      ? where(padded, indexSelect(this.weight.detach(), 0, ids), vectors)
      : vectors.maskedFill(padded, 0);
  }

  /** Scores of the first `count` ids (default: all) for x [..., size]: x E^T. */
  scores(x: Tensor, count = this.weight.shape[0]): Tensor {
    const rows = count === this.weight.shape[0] ? this.weight : this.weight.narrow(0, 0, count);
    return x.matmul(rows.transpose(0, 1));
  }
}
