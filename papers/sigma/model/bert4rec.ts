// BERT4Rec (Sun et al. 2019): the bidirectional Transformer baseline, trained to fill in masked items.

import { concat, iota, rand, type Tensor, takeAlongAxis, topk, where } from "../../../engine/index.ts";
import { crossEntropy, init, LayerNorm, Linear, parameter, redraw } from "../../../nn/index.ts";
import { checkBatch, paddingId, Recommender } from "../recommender.ts";
import { Encoder, type EncoderOptions } from "./encoder.ts";
import { focused, realPositions } from "./extent.ts";
import { tableInit } from "./initial.ts";
import { ItemTable } from "./item-table.ts";

export interface BERT4RecOptions extends EncoderOptions {
  readonly items: number;
  /** Default 50; the mask comes on top of it. */
  readonly maxLength?: number;
  /** Share of a sequence that is masked in training; default 0.2. */
  readonly maskRatio?: number;
  /** Share of the training samples that mask their last item only, as at test; default 0.5. */
  readonly lastRatio?: number;
}

/**
 * A sequence with masks, of id V -> encoder that sees both ways -> LN(GELU(linear)) -> scores with a bias per item. At
 * test a mask stands after the history. Dropout 0.3 by default.
 */
export class BERT4Rec extends Recommender {
  readonly table: ItemTable;
  readonly encoder: Encoder;
  readonly head: Linear;
  readonly headNorm: LayerNorm;
  readonly bias: Tensor;
  readonly maskRatio: number;
  readonly lastRatio: number;

  constructor(options: BERT4RecOptions) {
    const { items, maxLength = 50, size = 64, maskRatio = 0.2, lastRatio = 0.5, eps = 1e-5, dtype } = options;
    super(items, maxLength);
    this.table = new ItemTable(items + 1, size, { init: tableInit, dtype });
    this.encoder = new Encoder(maxLength + 1, false, { dropout: 0.3, ...options });
    this.head = new Linear(size, size, { dtype });
    redraw(this.head.weight, init.normal(0, 0.02));
    this.headNorm = new LayerNorm(size, { eps, dtype });
    this.bias = parameter([items], init.zeros, { dtype });
    this.maskRatio = maskRatio;
    this.lastRatio = lastRatio;
  }

  protected override represent(ids: Tensor, lengths: Tensor): Tensor {
    const all = lengths.add(1);
    const encoded = this.encoder.forward(this.table.forward(appended(ids, lengths, this.items)), all);
    return focused(encoded, { lengths: all }).squeeze(1);
  }

  protected override score(known: Tensor): Tensor {
    const h = this.headNorm.forward(this.head.forward(known).gelu());
    return this.table.scores(h, this.items).add(this.bias);
  }

  /**
   * Mean cross-entropy of the masked items of the histories with their next items: a share `maskRatio` of each sequence
   * (at least one item, rounded) at random, or in a share `lastRatio` of the samples the next item alone.
   */
  override loss(ids: Tensor, lengths: Tensor, targets: Tensor): Tensor {
    checkBatch("BERT4Rec", ids, lengths, this.maxLength);
    const sequence = appended(ids, lengths, targets.unsqueeze(1));
    const [batch, steps] = sequence.shape;
    const { at, counted } = this.draw(lengths, batch, steps);
    // A masked position is one that some counted draw names.
    const hits = iota([batch, 1, steps]).equal(at.unsqueeze(-1)).logicalAnd(counted.unsqueeze(-1)).any(1);
    const encoded = this.encoder.forward(this.table.forward(sequence.maskedFill(hits, this.items)), lengths.add(1));
    const read = takeAlongAxis(encoded, at.unsqueeze(-1), 1);
    const hidden = where(counted, takeAlongAxis(sequence, at, 1), paddingId);
    const scores = this.scoresOf(read.reshape([-1, read.shape[2]]));
    return crossEntropy(scores, hidden.flatten(), { ignoreIndex: paddingId });
  }

  /** Positions to mask, [B, K], of which each sample counts its own number. */
  private draw(lengths: Tensor, batch: number, steps: number): { readonly at: Tensor; readonly counted: Tensor } {
    const most = Math.max(1, Math.round(this.maskRatio * steps));
    const last = lengths.unsqueeze(1);
    const lastOnly = rand([batch, 1]).less(this.lastRatio);
    // The largest keys are masked: padding has none, and the last position wins where it alone is masked.
    const keys = rand([batch, steps]).maskedFill(realPositions(lengths.add(1), steps).squeeze(-1).logicalNot(), -1);
    const order = topk(where(iota([steps]).equal(last).logicalAnd(lastOnly), 2, keys), most, -1).indices;
    const share = last.add(1).cast("f32").mul(this.maskRatio).round().maximum(1);
    return {
      at: order,
      counted: iota([batch, most])
        .cast("f32")
        .less(where(lastOnly, 1, share)),
    };
  }
}

/** ids [B, L] with one more at each history's end: [B, L + 1]. */
function appended(ids: Tensor, lengths: Tensor, next: Tensor | number): Tensor {
  const longer = concat([ids, ids.narrow(1, 0, 1).mul(0)], 1);
  return where(iota([longer.shape[1]]).equal(lengths.unsqueeze(1)), next, longer);
}
