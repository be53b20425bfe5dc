// Ranks of the true next items under a model: all items ranked, in batches of one size, in one compiled program.

import { compile, type Tensor } from "../../engine/index.ts";
import { type Example, toBatch } from "./interactions.ts";
import { rankOfTarget } from "./metrics.ts";
import type { Recommender } from "./model/index.ts";

/** Scores examples of one list again and again, as a validation does. */
export class Ranker {
  readonly #model: Recommender;
  readonly #examples: readonly Example[];
  readonly #batches: readonly { readonly ids: Tensor; readonly lengths: Tensor }[];
  readonly #scores: (ids: Tensor, lengths: Tensor) => Tensor;

  /** @param batch how many histories are scored at a time */
  constructor(model: Recommender, examples: readonly Example[], batch = 512) {
    this.#model = model;
    this.#examples = examples;
    const starts = Array.from({ length: Math.ceil(examples.length / batch) }, (_, i) => i * batch);
    this.#batches = starts.map((from) => toBatch(examples.slice(from, from + batch), model.items, model.maxLength));
    this.#scores = compile((ids: Tensor, lengths: Tensor) => {
      model.eval();
      return model.forward(ids, lengths);
    });
  }

  /** The rank of each example's target, from 1; ties count half. Items of the history are ranked like others. */
  async ranks(): Promise<number[]> {
    const found: number[] = [];
    const { items } = this.#model;
    for (const { ids, lengths } of this.#batches) {
      const scores = await this.#scores(ids, lengths).data();
      for (let row = 0; row < lengths.shape[0]; row++) {
        const own = scores.subarray(row * items, (row + 1) * items);
        found.push(rankOfTarget(own, this.#examples[found.length].target));
      }
    }
    return found;
  }
}
