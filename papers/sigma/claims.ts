// The claims and their acceptance rules, fixed before the runs that they judge.

import type { Claim, Evidence, PaperResult } from "../paper.ts";
import { finished, scalars } from "../statistics.ts";
import { againstGru, againstMamba, eachPart, realLogs, shortHistories, sweepOfR } from "./claims-quality.ts";
import { crossing, slope, timesOf } from "./comparisons.ts";
import { type SigmaPaperConfig, taskNames } from "./config.ts";

type Result = PaperResult<SigmaPaperConfig>;
type Judged = Evidence & { readonly holds: boolean };

const { earlyKey: A, fixedCut: D, time: E } = taskNames;

const small = (value: number): string => Number(value.toPrecision(2)).toString();

const listed = (values: readonly number[]): string => values.map((value) => value.toFixed(3)).join(" ");

/** The first measured step at which each seed's HR@1 is at least 0.9; "-" for never. */
const reached = (result: Result, arm: string): string =>
  finished(result, A, arm)
    .map(({ series: { "HR@1": hits } }) => hits?.steps[hits.values.findIndex((value) => value >= 0.9)] ?? "-")
    .join(" ");

function earlyItems(result: Result): Judged | undefined {
  const hits = (arm: string): number[] => scalars(result, A, arm, "HR@1");
  const flipped = hits("flip only, r = 3");
  const without = (["no flip", "Mamba4Rec"] as const).map((arm) => [arm, hits(arm)] as const);
  const found = without.filter(([, values]) => values.length > 0);
  if (flipped.length === 0 || found.length === 0) return undefined;
  return {
    measured:
      `flip ${listed(flipped)}; ${found.map(([arm, values]) => `${arm} ${listed(values)}`).join("; ")}; chance 0.050; ` +
      `0.9 is first reached at step ${reached(result, "flip only, r = 3")} with the flip, ${reached(result, "no flip")} without`,
    numbers: { flip: Math.min(...flipped), without: Math.max(...found.flatMap(([, values]) => values)) },
    holds: flipped.every((value) => value >= 0.9) && found.every(([, values]) => values.every((value) => value <= 0.3)),
  };
}

function linearCost(result: Result): Judged | undefined {
  const slopes: Record<string, number> = {};
  for (const model of ["SIGMA", "Mamba4Rec", "SASRec"]) {
    const times = timesOf(result, E, model, "forward");
    if (times === undefined) return undefined;
    slopes[model] = slope(times, 3);
  }
  const { SIGMA: sigma, Mamba4Rec: mamba, SASRec: attention } = slopes;
  return {
    measured: Object.entries(slopes)
      .map(([model, value]) => `${model} ${value.toFixed(2)}`)
      .join(", "),
    numbers: slopes,
    holds: Math.max(sigma, mamba) <= 1.25 && attention >= Math.max(sigma, mamba) + 0.3,
  };
}

/** Spread over users by length, the largest or smallest over the seeds. */
function spreads(result: Result, arm: string, pick: (...values: number[]) => number): Map<number, number> | undefined {
  const found = finished(result, D, arm).map(({ series }) => series.spread);
  if (found.length === 0) return undefined;
  return new Map(found[0].steps.map((length, i) => [length, pick(...found.map(({ values }) => values[i]))]));
}

function fixedCut(result: Result): Judged | undefined {
  const { maxLength, kept } = result.config.fixedCut;
  const most = spreads(result, "padded", Math.max);
  const least = spreads(result, "padded", Math.min);
  const valid = spreads(result, "valid", Math.min);
  if (most === undefined || least === undefined || valid === undefined) return undefined;
  const blind = Math.floor((maxLength - kept) / 2);
  const within = (spread: Map<number, number>, from: number, to: number): number[] =>
    [...spread].filter(([length]) => length >= from && length <= to).map(([, value]) => value);
  const short = Math.max(...within(most, 1, blind));
  const long = Math.min(...within(least, 30, maxLength));
  const always = Math.min(...within(valid, kept + 1, maxLength));
  return {
    measured:
      `fixed cut: at most ${small(short)} up to ${blind} items, at least ${small(long)} from 30 on; ` +
      `'valid': at least ${small(always)} from ${kept + 1} on`,
    numbers: { short, long, valid: always },
    holds: short === 0 && long > 0 && always > 0,
  };
}

function crossingPoint(result: Result): Judged | undefined {
  const sigma = timesOf(result, E, "SIGMA", "training");
  const attention = timesOf(result, E, "SASRec", "training");
  if (sigma === undefined || attention === undefined) return undefined;
  const from = crossing(sigma, attention);
  const last = sigma.lengths.length - 1;
  const ratio = attention.milliseconds[last] / sigma.milliseconds[last];
  return {
    measured:
      `slope over all lengths: SIGMA ${slope(sigma).toFixed(2)}, SASRec ${slope(attention).toFixed(2)}; ` +
      `${from === undefined ? "SASRec is faster at every length" : `SIGMA is faster from length ${from.toFixed(0)} on`}; ` +
      `at ${sigma.lengths[last]}: SIGMA ${sigma.milliseconds[last].toFixed(0)} ms, SASRec ${attention.milliseconds[last].toFixed(0)} ms`,
    numbers: { ratio, ...(from === undefined ? {} : { crossing: from }) },
    holds: from !== undefined,
  };
}

const supportedRule =
  "supported: mean difference above 1 standard error over the seeds; not supported: below -1; else inconclusive";

export const claims: readonly Claim<SigmaPaperConfig>[] = [
  {
    id: "C1",
    paperSays: "The partial flip brings early items near the read-out",
    statement: "HR@1 where only the first of 15 to 30 items matters (task A), without GRU, r = 3, after 540 steps",
    rule: "at least 0.9 with the flip and at most 0.3 without it and for Mamba4Rec, each seed. With r = 3 the flip brings the first item into reach of Mamba's convolution of 4 taps; without it only the state can carry it",
    kind: "gated",
    evaluate: earlyItems,
  },
  {
    id: "C2",
    paperSays: "Time is linear in the length of histories",
    statement: "Slope of log time over log length of a forward pass at the three longest lengths, batch 4, d = 32",
    rule: "at most 1.25 for SIGMA and Mamba4Rec, and SASRec's at least 0.3 above both; each time is the fastest of 7, taken in turns over the lengths",
    kind: "gated",
    evaluate: linearCost,
  },
  {
    id: "C3",
    paperSays: "The flip gives short histories a second view (the released code cuts at a fixed position)",
    statement: "Spread over random users of the flipped Mamba's output where scores are read, L = 50, r = 5, untrained",
    rule: "fixed cut: exactly 0 up to (L - r) / 2 = 22 items, above 0 from 30 on; flip by true length: above 0 at every length above r",
    kind: "gated",
    evaluate: fixedCut,
  },
  {
    id: "C4",
    paperSays: "SIGMA beats Mamba4Rec",
    statement: "NDCG@10 of SIGMA minus that of Mamba4Rec by seed, task B",
    rule: `${supportedRule}. Reported only: generated sessions of 1,500 users stand in for logs of 22,000, and a prototype did not support it`,
    kind: "report-only",
    evaluate: againstMamba,
  },
  {
    id: "C5",
    paperSays: "Each part helps: partial flip, gate, FE-GRU",
    statement: "NDCG@10 of SIGMA minus that without the part by seed, task B",
    rule: `${supportedRule}. Reported only: effects in a prototype were far below the spread of seeds`,
    kind: "report-only",
    evaluate: eachPart,
  },
  {
    id: "C6",
    paperSays: "The gain is largest for short histories",
    statement:
      "NDCG@10 of SIGMA minus that of Mamba4Rec by length of the history, task B, with 95 % bootstrap intervals over users",
    rule: "supported: the gain of the shortest group minus that of the longest is above 0 with its interval; not supported: below 0 with it. Reported only, as C4",
    kind: "report-only",
    evaluate: shortHistories,
  },
  {
    id: "C7",
    paperSays: "State-space models beat GRU4Rec",
    statement: "NDCG@10 of Mamba4Rec and of SIGMA minus that of GRU4Rec by seed, task B",
    rule: `${supportedRule}, for both. Reported only, as C4`,
    kind: "report-only",
    evaluate: againstGru,
  },
  {
    id: "C8",
    paperSays: "The choice of r matters little on real logs (the released logs show a flat sweep)",
    statement: "NDCG@10 of SIGMA over r, task B, one seed; HR@1 over r, task A",
    rule: "flat: the range over r is at most two standard errors of one run over its test users. Reported only: one seed",
    kind: "report-only",
    evaluate: sweepOfR,
  },
  {
    id: "C9",
    paperSays: "SIGMA is best on real logs",
    statement:
      "NDCG@10 of SIGMA, Mamba4Rec and first-order Markov on real logs (default mode: one; full: two), all items ranked",
    rule: "supported: SIGMA above both on all of them. Reported only: one seed, small logs (670 test users of MovieLens have a standard error of about one point of HR@10)",
    kind: "report-only",
    evaluate: realLogs,
  },
  {
    id: "C10",
    paperSays: "SIGMA trains faster than attention on long histories",
    statement:
      "Time of a step of training against length, 50 to 2,000: slopes, and the length from which SIGMA is faster than SASRec",
    rule: "supported: there is such a length. Reported only: it depends on the machine and on how attention is computed",
    kind: "report-only",
    evaluate: crossingPoint,
  },
];
