// SASRec (Kang & McAuley 2018) in RecBole's form: the causal Transformer baseline.

import type { Tensor } from "../../../engine/index.ts";
import { Recommender } from "../recommender.ts";
import { Encoder, type EncoderOptions } from "./encoder.ts";
import { focused } from "./extent.ts";
import { tableInit } from "./initial.ts";
import { ItemTable } from "./item-table.ts";

export interface SASRecOptions extends EncoderOptions {
  readonly items: number;
  /** Default 50. */
  readonly maxLength?: number;
  readonly padInSoftmax?: boolean;
}

/** LN(E[ids] + P) -> dropout -> causal post-norm blocks -> read at the last item. Dropout 0.2 by default. */
export class SASRec extends Recommender {
  readonly table: ItemTable;
  readonly encoder: Encoder;

  constructor(options: SASRecOptions) {
    const { items, maxLength = 50, size = 64, padInSoftmax, dtype } = options;
    super(items, maxLength);
    this.table = new ItemTable(items, size, { padInSoftmax, init: tableInit, dtype });
    this.encoder = new Encoder(maxLength, true, options);
  }

  protected override represent(ids: Tensor, lengths: Tensor): Tensor {
    return focused(this.encoder.forward(this.table.forward(ids), lengths), { lengths }).squeeze(1);
  }
}
