// EarlyKey-v1, a probe: the first item alone decides what comes after a run of distractors.

import type { Example } from "./interactions.ts";
import { Mulberry } from "./mulberry.ts";

/** Keys are 1..20, distractors 21..50. */
const keys = 20;
const distractors = 30;
/** Ids, padding included. */
export const earlyKeyItems = keys + distractors + 1;

export interface EarlyKey {
  readonly train: readonly Example[];
  readonly test: readonly Example[];
}

/**
 * A key, 14 to 29 distractors, and the key's image under one fixed permutation as the target. Draws: the permutation, then
 * for each sequence the key, the number of distractors, the distractors; training sequences first.
 */
export function makeEarlyKey(seed: number, train: number, test: number): EarlyKey {
  const random = new Mulberry(seed);
  const images = random.permutation(keys);
  const draw = (): Example => {
    const key = random.integer(keys);
    const length = 14 + random.integer(16);
    const history = [1 + key];
    for (let i = 0; i < length; i++) history.push(1 + keys + random.integer(distractors));
    return { history, target: 1 + images[key] };
  };
  return {
    train: Array.from({ length: train }, draw),
    test: Array.from({ length: test }, draw),
  };
}
