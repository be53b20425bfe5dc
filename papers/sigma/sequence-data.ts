// The data of tasks B and C as all arms see them: a split, the test histories by groups, and for task B the truth.

import { type Example, type Interactions, leaveLastOut, type Split } from "./interactions.ts";
import { type LogName, loadLog } from "./logs.ts";
import { type LongShort, makeLongShort, oracleScores } from "./long-short.ts";

/** Some test examples under a name. */
export interface Group {
  readonly label: string;
  readonly examples: readonly Example[];
}

export interface SequenceData extends Interactions {
  readonly split: Split;
  /** What items are called, in recorded logs: item i is names[i - 1]. */
  readonly names?: readonly string[];
  /** Test histories by length, or cut to their last items. */
  readonly groups: readonly Group[];
  /** The true chances of each test target, where the data are generated. */
  readonly oracle?: (test: number) => Float64Array;
}

/** The groups of history lengths; in them sequences have one item more. */
export const lengthGroups = [
  { label: "4-7", from: 4, to: 7 },
  { label: "8-19", from: 8, to: 19 },
  { label: "20 or more", from: 20, to: Number.POSITIVE_INFINITY },
] as const;

const byLength = (test: readonly Example[]): Group[] =>
  lengthGroups.map(({ label, from, to }) => ({
    label,
    examples: test.filter(({ history }) => history.length >= from && history.length <= to),
  }));

/** Histories of which only the end is known: for logs without short ones. */
const lastItems = [5, 10, 20] as const;
const cut = (test: readonly Example[]): Group[] => [
  ...lastItems.map((count) => ({
    label: `last ${count}`,
    examples: test.map(({ history, target }) => ({ history: history.slice(-count), target })),
  })),
  { label: "all", examples: test },
];

/** Task B's sessions of a seed. */
export function sessionsOf(seed: number, users: number): SequenceData {
  const made: LongShort = makeLongShort(seed, users);
  const split = leaveLastOut(made.sequences);
  return {
    ...made,
    split,
    groups: byLength(split.test),
    oracle: (test) => oracleScores(made, made.clusters[test], split.test[test].history),
  };
}

/** A recorded log: the same for every seed. */
export async function logOf(name: LogName): Promise<SequenceData> {
  const log = await loadLog(name);
  const split = leaveLastOut(log.sequences);
  return { ...log, split, groups: name === "movielens" ? cut(split.test) : byLength(split.test) };
}
