// What every recommender here is: item ids of a batch of histories in, a score for each item as the next one out.

import { DTypeError, formatShape, iota, ShapeError, type Tensor } from "../../engine/index.ts";
import { crossEntropy, Module } from "../../nn/index.ts";
import { type ItemTable, paddingId } from "./model/item-table.ts";

export { paddingId } from "./model/item-table.ts";

/**
 * A next-item recommender over `items` ids, of which id 0 is padding: items are numbered from 1. Histories are padded on
 * the right to one length (see `padHistories`); scores are read at the last real item.
 */
export abstract class Recommender extends Module<[ids: Tensor, lengths: Tensor]> {
  /** Ids, the padding id included: V. */
  readonly items: number;
  /** The longest history the model looks at; longer ones are cut to their most recent items. */
  readonly maxLength: number;
  /** Item vectors, in and out. */
  abstract readonly table: ItemTable;

  constructor(items: number, maxLength: number) {
    super();
    this.items = items;
    this.maxLength = maxLength;
  }

  /** What the model knows of each history: ids [B, L] and lengths [B] -> [B, size]. */
  protected abstract represent(ids: Tensor, lengths: Tensor): Tensor;

  /** Scores of all ids by what is known: [B, size] -> [B, V]. */
  protected score(known: Tensor): Tensor {
    return this.table.scores(known);
  }

  /** The same without padding, where that is not to be scored: its score is -Infinity. */
  scoresOf(known: Tensor): Tensor {
    const scores = this.score(known);
    if (this.training && this.table.padInSoftmax) return scores;
    return scores.maskedFill(iota([this.items]).equal(paddingId), Number.NEGATIVE_INFINITY);
  }

  /**
   * Scores (logits) of all ids as the next item, [B, V]. The padding id scores -Infinity, in training only where the
   * table leaves padding out of the softmax.
   * @param ids i32 [B, L], items first and zeros after; @param lengths i32 [B], each in [1, L]
   * @throws ShapeError, DTypeError; an id or length out of range when the program runs
   */
  override forward(ids: Tensor, lengths: Tensor): Tensor {
    checkBatch(this.constructor.name, ids, lengths, this.maxLength);
    return this.scoresOf(this.represent(ids, lengths));
  }

  /** Mean cross-entropy of the next items, i32 [B], over all items: what training minimises. */
  loss(ids: Tensor, lengths: Tensor, targets: Tensor): Tensor {
    return crossEntropy(this.forward(ids, lengths), targets);
  }
}

/** Throws unless ids are i32 [B, L] with L <= maxLength, and lengths i32 [B]. */
export function checkBatch(op: string, ids: Tensor, lengths: Tensor, maxLength: number): void {
  const given = `ids ${ids.dtype} ${formatShape(ids.shape)}, lengths ${lengths.dtype} ${formatShape(lengths.shape)}`;
  if (ids.dtype !== "i32" || lengths.dtype !== "i32")
    throw new DTypeError(op, `takes i32 ids and lengths, got ${given}`);
  const [batch, steps] = ids.shape;
  if (ids.rank !== 2 || lengths.rank !== 1 || lengths.shape[0] !== batch || steps < 1 || steps > maxLength) {
    throw new ShapeError(op, `takes ids [B, 1 to ${maxLength}] and lengths [B], got ${given}`);
  }
}
