// What claims and tables compare: numbers by seed, over seeds, and over learning rates.

import type { PaperResult } from "../paper.ts";
import { finished, mean, standardError } from "../statistics.ts";
import { backcopyTask, type GatedAttentionPaperConfig, languageTask, learningRates } from "./config.ts";
import type { VariantName } from "./variants.ts";

export type Result = PaperResult<GatedAttentionPaperConfig>;

/** Values of a scalar by seed. */
export type BySeed = ReadonlyMap<number, number>;

/** A scalar of the finished trials of an arm, by seed. */
export function bySeed(result: Result, task: string, arm: VariantName, name: string): BySeed {
  const found = finished(result, task, arm).flatMap(({ seed, scalars }) =>
    scalars[name] === undefined ? [] : [[seed, scalars[name]] as const],
  );
  return new Map(found);
}

/** A scalar of task A at a learning rate. */
export const language = (result: Result, arm: VariantName, lr: number, name: string): BySeed =>
  bySeed(result, languageTask(lr), arm, name);

/** A scalar of task B. */
export const backcopy = (result: Result, arm: VariantName, name: string): BySeed =>
  bySeed(result, backcopyTask, arm, name);

/** Something of two values, for each seed that has both. */
export function pairs(first: BySeed, second: BySeed, of: (a: number, b: number) => number): number[] {
  return [...first].flatMap(([seed, a]) => {
    const b = second.get(seed);
    return b === undefined ? [] : [of(a, b)];
  });
}

export const minus = (a: number, b: number): number => a - b;

export const meanOf = (values: BySeed): number => mean([...values.values()]);

/** Above by more than one standard error; never with one seed, which has none. */
export const clearlyAbove = (values: readonly number[], than = 0): boolean =>
  mean(values) - than > standardError(values);

export interface Rate {
  readonly lr: number;
  readonly losses: BySeed;
}

/** Validation losses of an arm at each learning rate of the sweep that it was trained with. */
export const sweep = (result: Result, arm: VariantName): Rate[] =>
  learningRates
    .map((lr) => ({ lr, losses: language(result, arm, lr, "validation loss") }))
    .filter(({ losses }) => losses.size > 0);

/** The learning rate with the lowest mean validation loss over the seeds; undefined without any. */
export function bestRate(result: Result, arm: VariantName): Rate | undefined {
  const [first, ...others] = sweep(result, arm);
  if (first === undefined) return undefined;
  return others.reduce((best, one) => (meanOf(one.losses) < meanOf(best.losses) ? one : best), first);
}

export const fixed = (value: number, digits = 3): string => value.toFixed(digits);

/** "0.110 ± 0.011": mean and standard error; one value alone. */
export const withError = (values: readonly number[], digits = 3): string =>
  values.length < 2
    ? `${fixed(mean(values), digits)} (1 seed)`
    : `${fixed(mean(values), digits)} ± ${fixed(standardError(values), digits)}`;
