// Ranks of the true next items under a model: all items ranked, in batches of one size, by one compiled program.

import { type Example, toBatch } from "./interactions.ts";
import { rankOfTarget } from "./metrics.ts";
import { type Recommender, scorerOf } from "./model/index.ts";

/** How many histories are scored at a time. */
const batch = 256;

/** The rank of each example's target, from 1; ties count half. Items of the history are ranked like others. */
export async function ranksUnder(model: Recommender, examples: readonly Example[]): Promise<number[]> {
  const { items, maxLength } = model;
  const scorer = scorerOf(model);
  const found: number[] = [];
  for (let from = 0; from < examples.length; from += batch) {
    const own = examples.slice(from, from + batch);
    // The last batch is filled up, so that one program serves all.
    const filled = Array.from({ length: batch }, (_, i) => own[i] ?? own[0]);
    const { ids, lengths } = toBatch(filled, items, maxLength);
    const scores = await scorer(ids, lengths).data();
    own.forEach(({ target }, row) => {
      found.push(rankOfTarget(scores.subarray(row * items, (row + 1) * items), target));
    });
  }
  return found;
}
