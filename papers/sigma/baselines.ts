// What a sequence model has to beat: popularity, which sees no order, and the counts of which item followed which.

/** Scores of all items (entry 0: the padding, never ranked) after a history. */
export type Scorer = (history: readonly number[]) => Float64Array;

/** How often each item occurs in training. `items` counts the padding id. */
export function popularity(train: readonly (readonly number[])[], items: number): Scorer {
  const counts = new Float64Array(items);
  for (const sequence of train) for (const item of sequence) counts[item] += 1;
  return () => counts;
}

/**
 * First-order Markov: how often each item followed the last one in training. Items that never did are ordered by popularity, below
 * those that did.
 */
export function markov(train: readonly (readonly number[])[], items: number): Scorer {
  const followed = new Map<number, Map<number, number>>();
  for (const sequence of train) {
    for (let i = 1; i < sequence.length; i++) {
      let own = followed.get(sequence[i - 1]);
      if (own === undefined) followed.set(sequence[i - 1], (own = new Map()));
      own.set(sequence[i], (own.get(sequence[i]) ?? 0) + 1);
    }
  }
  const popular = popularity(train, items)([]);
  const total = popular.reduce((sum, count) => sum + count, 1);
  return (history) => {
    const scores = popular.map((count) => count / total);
    for (const [item, count] of followed.get(history[history.length - 1]) ?? []) scores[item] += count;
    return scores;
  };
}
