// LongShort-v1, generated sessions: next items follow the last item, the one before, the user's cluster, or popularity.

import type { Interactions } from "./interactions.ts";
import { Mulberry } from "./mulberry.ts";

const itemCount = 200;
/** Ids, padding included. */
export const longShortItems = itemCount + 1;
const clusters = 10;
const perCluster = itemCount / clusters;
const successorCount = 4;
/** The chances of the successors of an item. */
const successorShares = [0.4, 0.3, 0.2, 0.1] as const;
/** The chances of a next item's four kinds, summed up: successor of the last, of the one before, cluster; else popularity. */
const [toLast, toPrevious, toCluster] = [0.45, 0.65, 0.9] as const;

export interface LongShort extends Interactions {
  /** The cluster of each user, 0..9. */
  readonly clusters: readonly number[];
  /** The four successors of each item, likeliest first; entry 0 is empty. */
  readonly successors: readonly (readonly number[])[];
}

/** The item that `index` of `of` falls on, by its place in sums of chances. */
function fall(draw: number, sums: readonly number[]): number {
  const found = sums.findIndex((sum) => draw < sum);
  return found < 0 ? sums.length - 1 : found;
}

const sumsOf = (shares: readonly number[]): number[] => {
  let sum = 0;
  return shares.map((share) => {
    sum += share;
    return sum;
  });
};

// Written out: 0.4 + 0.3 + 0.2 is not the double that 0.9 is.
const successorSums = [0.4, 0.7, 0.9, 1] as const;
const popularitySums = sumsOf(Array.from({ length: itemCount }, (_, i) => 1 / (i + 1)));
const popularityTotal = popularitySums[itemCount - 1];

/** Draws the sessions of `users`. The same numbers for the same seed on any machine: draws come in a fixed order. */
export function makeLongShort(seed: number, users: number): LongShort {
  const random = new Mulberry(seed);
  const successors: number[][] = [[]];
  for (let item = 1; item <= itemCount; item++) {
    const own: number[] = [];
    while (own.length < successorCount) {
      const other = 1 + random.integer(itemCount);
      if (other !== item && !own.includes(other)) own.push(other);
    }
    successors.push(own);
  }
  const after = (item: number): number => successors[item][fall(random.next(), successorSums)];
  const ofCluster = (cluster: number): number => 1 + cluster + clusters * random.integer(perCluster);
  const popular = (): number => {
    const draw = random.next() * popularityTotal;
    return 1 + popularitySums.findIndex((sum) => sum >= draw);
  };

  const sequences: number[][] = [];
  const ofUser: number[] = [];
  for (let user = 0; user < users; user++) {
    const cluster = random.integer(clusters);
    const kind = random.next();
    const length = kind < 0.4 ? 5 + random.integer(4) : kind < 0.8 ? 9 + random.integer(12) : 21 + random.integer(20);
    const items = [ofCluster(cluster)];
    while (items.length < length) {
      const draw = random.next();
      const last = items.length - 1;
      if (draw < toLast) items.push(after(items[last]));
      else if (draw < toPrevious) items.push(after(items[Math.max(0, last - 1)]));
      else if (draw < toCluster) items.push(ofCluster(cluster));
      else items.push(popular());
    }
    sequences.push(items);
    ofUser.push(cluster);
  }
  return { items: longShortItems, sequences, clusters: ofUser, successors };
}

/** The true chances of each item (entry 0: none) after a history of a user of this cluster: the best that can be known. */
export function oracleScores({ successors }: LongShort, cluster: number, history: readonly number[]): Float64Array {
  const scores = new Float64Array(longShortItems);
  const last = history[history.length - 1];
  const previous = history[Math.max(0, history.length - 2)];
  successorShares.forEach((share, i) => {
    scores[successors[last][i]] += toLast * share;
    scores[successors[previous][i]] += (toPrevious - toLast) * share;
  });
  for (let i = 1; i <= itemCount; i++) {
    if ((i - 1) % clusters === cluster) scores[i] += (toCluster - toPrevious) / perCluster;
    scores[i] += (1 - toCluster) / i / popularityTotal;
  }
  return scores;
}
