// The claims and their acceptance rules, fixed before the runs that they judge.

import type { Claim, Evidence, PaperResult } from "../paper.ts";
import { finished, mean, type Paired, paired, scalars, standardError } from "../statistics.ts";
import { type CometPaperConfig, type GateName, recoveryArm, taskNames } from "./config.ts";

type Result = PaperResult<CometPaperConfig>;
type Judged = Evidence & { readonly holds: boolean };

const { pairs: A, recovery: B } = taskNames;

const of = (result: Result, gate: GateName, name: string): number[] => scalars(result, A, gate, name);

/** The first value of a series of each finished trial. */
const firsts = (result: Result, gate: GateName, name: string): number[] =>
  finished(result, A, gate)
    .map(({ series }) => series[name]?.values[0])
    .filter((value) => value !== undefined);

const fixed = (value: number): string => value.toFixed(3);

/** Differences first - second, so that above 0 the second is better. */
function better(difference: Paired, rule: (difference: Paired) => boolean): Judged {
  const { differences, positive } = difference;
  return {
    measured: `difference ${fixed(difference.mean)} ± ${fixed(difference.standardError)}; better in ${positive} of ${differences.length}`,
    numbers: { difference: difference.mean, standardError: difference.standardError, better: positive },
    holds: rule(difference),
  };
}

/** Part of the seeds that must agree: "at least 3 of 5", "at least 4 of 5". */
const atLeast = (count: number, share: number, of: number): boolean => count >= Math.ceil(share * of - 1e-9);

function sparsity(result: Result): Judged | undefined {
  const { nExperts, k } = result.config.pairs;
  const start = firsts(result, "comet", "support");
  const end = of(result, "comet", "support");
  const hardSupport = of(result, "comet", "hard support");
  if (start.length === 0 || end.length === 0) return undefined;
  const ratio = mean(of(result, "comet", "mse hard")) / mean(of(result, "comet", "mse"));
  const most = Math.max(...hardSupport);
  const over = mean(of(result, "comet", "over k"));
  return {
    measured:
      `support ${mean(start).toFixed(2)} at step 1, ${mean(end).toFixed(2)} at the end ` +
      `(${(100 * over).toFixed(0)} % of samples above ${k}); hard: at most ${most}, MSE ${ratio.toFixed(3)} of the soft one`,
    numbers: { start: mean(start), end: mean(end), hardSupport: most, hardRatio: ratio, overK: over },
    holds: start.every((s) => s === nExperts) && mean(end) <= 1.15 * k && most <= k && ratio <= 1.25,
  };
}

function againstHash(result: Result): Judged | undefined {
  const difference = paired(result, A, "hash", "comet", "mse");
  if (difference === undefined) return undefined;
  const comet = of(result, "comet", "mse");
  const ratios = of(result, "hash", "mse").map((value, i) => value / comet[i]);
  const ratio = mean(ratios);
  return {
    measured: `ratio ${ratio.toFixed(2)} (lowest ${Math.min(...ratios).toFixed(2)})`,
    numbers: { ratio },
    holds: ratio > 2,
  };
}

function recovery(result: Result): Judged | undefined {
  const recovered = result.config.recovery.arms.map(({ nExperts, preset }) => {
    const found = scalars(result, B, recoveryArm(nExperts, preset), "recovered");
    return { nExperts, preset, seeds: found.length, count: found.reduce((sum, one) => sum + one, 0) };
  });
  const warm = recovered
    .filter(({ preset, seeds }) => preset === "warm" && seeds > 0)
    .sort((a, b) => b.nExperts - a.nExperts)[0];
  if (warm === undefined) return undefined;
  return {
    measured: recovered
      .map((arm) => `${recoveryArm(arm.nExperts, arm.preset)}: ${arm.count} of ${arm.seeds}`)
      .join("; "),
    numbers: { recovered: warm.count, seeds: warm.seeds },
    holds: atLeast(warm.count, 0.8, warm.seeds),
  };
}

function localSearch(result: Result): Judged | undefined {
  const hash = paired(result, A, "hash", "hash+", "mse");
  if (hash === undefined) return undefined;
  const others = (["topk", "comet"] as const).flatMap((gate) => {
    const d = paired(result, A, gate, `${gate}+`, "mse");
    return d === undefined ? [] : [`${gate} - ${gate}+: ${fixed(d.mean)} ± ${fixed(d.standardError)}`];
  });
  const gain = hash.mean / mean(of(result, "hash", "mse"));
  const judged = better(hash, ({ positive, differences }) => atLeast(positive, 0.8, differences.length));
  return {
    ...judged,
    measured: [`hash - hash+: ${judged.measured} (${(100 * gain).toFixed(1)} %)`, ...others].join("; "),
    numbers: { ...judged.numbers, gain },
  };
}

function compute(result: Result): Judged | undefined {
  const { nExperts, k } = result.config.pairs;
  const start = firsts(result, "comet", "expert evaluations");
  const end = of(result, "comet", "evaluations");
  if (start.length === 0 || end.length === 0) return undefined;
  const error = Math.max(...of(result, "comet", "sparse error"));
  return {
    measured: `${mean(start).toFixed(2)} at the start, ${mean(end).toFixed(2)} at the end; largest difference ${error.toExponential(1)}`,
    numbers: { start: mean(start), end: mean(end), error },
    holds: mean(start) === nExperts && mean(end) <= 1.3 * k && error <= 1e-6,
  };
}

/** A comparison of two gates' validation losses by seed. */
const compare = (other: GateName, rule: (difference: Paired) => boolean) => (result: Result) => {
  const difference = paired(result, A, other, "comet", "mse");
  return difference === undefined ? undefined : better(difference, rule);
};

const clearly = ({ mean: average, standardError: error }: Paired): boolean => average > error;

export const claims: readonly Claim<CometPaperConfig>[] = [
  {
    id: "C1",
    paperSays: "The gate starts dense, becomes sparse, and respects k",
    statement: "Number of experts in use per sample, COMET, task A: at step 1, at the end, and in hard inference",
    rule: "all n at step 1; at the end at most 1.15 k on average; hard: at most k for every sample, and MSE at most 1.25 of the soft one",
    kind: "gated",
    evaluate: sparsity,
  },
  {
    id: "C2",
    paperSays: "COMET is better than Top-k",
    statement: "Validation MSE of Top-k minus that of COMET, by seed, task A",
    rule: "mean above 1 standard error, and COMET better in at least 3 of 5 seeds",
    kind: "gated",
    evaluate: compare("topk", (d) => clearly(d) && atLeast(d.positive, 0.6, d.differences.length)),
  },
  {
    id: "C3",
    paperSays: "COMET is better than DSelect-k",
    statement: "Validation MSE of DSelect-k minus that of COMET, by seed, task A",
    rule: "mean above 1 standard error",
    kind: "gated",
    evaluate: compare("dselect", clearly),
  },
  {
    id: "C4",
    paperSays: "Learned gates are better than hash routing",
    statement: "Validation MSE of Hash divided by that of COMET, task A",
    rule: "above 2 on average over the seeds",
    kind: "gated",
    evaluate: againstHash,
  },
  {
    id: "C5",
    paperSays: "Local search finds good expert placements",
    statement: "Exact recoveries of a shuffled gate, task B, warm temperatures, n = 8 (quick: n = 4)",
    rule: "at least 4 of 5 seeds; the official temperatures are reported beside it",
    kind: "gated",
    evaluate: recovery,
  },
  {
    id: "C6",
    paperSays: "Local search improves gates",
    statement: "Validation MSE with and without the search, task A",
    rule: "Hash+ better than Hash in at least 4 of 5 seeds; Top-k+ and COMET+ are reported only: experts that start alike leave a permutation nothing to fix",
    kind: "gated",
    evaluate: localSearch,
  },
  {
    id: "C7",
    paperSays: "Sparsity saves computation",
    statement: "Expert evaluations per sample when experts with g = 0 are skipped, COMET, task A",
    rule: "n at the start, at most 1.3 k at the end, outputs equal to the dense ones to 1e-6 of the largest output",
    kind: "gated",
    evaluate: compute,
  },
];

/** "0.110 (0.011)": mean and standard error. */
export const meanAndError = (values: readonly number[]): string =>
  values.length === 0
    ? "-"
    : values.length === 1
      ? fixed(values[0])
      : `${fixed(mean(values))} (${fixed(standardError(values))})`;
