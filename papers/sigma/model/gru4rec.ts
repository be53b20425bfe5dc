// GRU4Rec (Hidasi et al. 2016): the recurrent baseline.

import type { DType, Tensor } from "../../../engine/index.ts";
import { Dropout, GRU, init, Linear, redraw } from "../../../nn/index.ts";
import { Recommender } from "../recommender.ts";
import { focused } from "./extent.ts";
import { ItemTable } from "./item-table.ts";

export interface GRU4RecOptions {
  readonly items: number;
  /** Default 50. */
  readonly maxLength?: number;
  /** Features of an item; default 64. */
  readonly size?: number;
  /** Default 128. */
  readonly hidden?: number;
  /** Of the embeddings; default 0.3. */
  readonly dropout?: number;
  readonly padInSoftmax?: boolean;
  readonly dtype?: DType;
}

/** Table -> dropout -> GRU without bias -> linear -> read at the last item. Xavier initial values, no norms. */
export class GRU4Rec extends Recommender {
  readonly table: ItemTable;
  readonly dropout: Dropout;
  readonly gru: GRU;
  readonly linear: Linear;

  constructor(options: GRU4RecOptions) {
    const { items, maxLength = 50, size = 64, hidden = 128, dropout = 0.3, padInSoftmax, dtype } = options;
    super(items, maxLength);
    const tableInit = init.xavierNormal({ fanIn: size, fanOut: items });
    this.table = new ItemTable(items, size, { padInSoftmax, init: tableInit, dtype });
    this.dropout = new Dropout(dropout);
    this.gru = new GRU(size, hidden, { bias: false, dtype });
    for (const weight of this.gru.parameters()) {
      const [fanOut, fanIn] = weight.shape;
      redraw(weight, init.xavierUniform({ fanIn, fanOut }));
    }
    this.linear = new Linear(hidden, size, { dtype });
  }

  protected override represent(ids: Tensor, lengths: Tensor): Tensor {
    const { output } = this.gru.forward(this.dropout.forward(this.table.forward(ids)));
    return this.linear.forward(focused(output, { lengths })).squeeze(1);
  }
}
