// What is measured for the claims about recommendation quality, tasks B and C; none of them is gated.

import type { Evidence, PaperResult } from "../paper.ts";
import { finished, mean, scalars } from "../statistics.ts";
import type { ArmName } from "./arms.ts";
import {
  bootstrap,
  type Difference,
  difference,
  evidence,
  gain,
  ranksOf,
  tellInterval,
  userDifferences,
} from "./comparisons.ts";
import { logNames, type SigmaPaperConfig, taskNames } from "./config.ts";
import { lengthGroups } from "./sequence-data.ts";

type Result = PaperResult<SigmaPaperConfig>;
type Judged = Evidence & { readonly holds: boolean };

const { earlyKey: A, sessions: B } = taskNames;
const measure = "NDCG@10";

const ofSessions = (result: Result, arm: ArmName): number[] => scalars(result, B, arm, measure);

/** Differences of an arm from others in NDCG@10 on task B; those without a common seed are left out. */
function differences(
  result: Result,
  pairs: Readonly<Record<string, readonly [ArmName, ArmName]>>,
): Record<string, Difference> {
  const found: Record<string, Difference> = {};
  for (const [name, [arm, other]] of Object.entries(pairs)) {
    const value = difference(result, B, arm, other, measure);
    if (value !== undefined) found[name] = value;
  }
  return found;
}

/** Mean NDCG@10 on task B of the arms that ran: "SIGMA 0.292, ...". */
const standing = (result: Result, of: readonly ArmName[]): string =>
  of
    .map((arm) => [arm, ofSessions(result, arm)] as const)
    .filter(([, values]) => values.length > 0)
    .map(([arm, values]) => `${arm} ${mean(values).toFixed(4)}`)
    .join(", ");

export function againstMamba(result: Result): Judged | undefined {
  const found = evidence(differences(result, { "SIGMA - Mamba4Rec": ["SIGMA", "Mamba4Rec"] }));
  return (
    found && {
      ...found,
      measured: `${found.measured}; ${standing(result, ["SIGMA", "Mamba4Rec", "Markov", "Oracle"])}`,
    }
  );
}

export function eachPart(result: Result): Judged | undefined {
  return evidence(
    differences(result, {
      flip: ["SIGMA", "without flip"],
      gate: ["SIGMA", "without gate"],
      GRU: ["SIGMA", "without GRU"],
    }),
  );
}

export function shortHistories(result: Result): Judged | undefined {
  const byGroup = userDifferences(result, B, "SIGMA", "Mamba4Rec");
  const groups = lengthGroups.map(({ label }) => byGroup[label]);
  if (groups.some((group) => group === undefined)) return undefined;
  const intervals = groups.map((group) => bootstrap([group], ([value]) => value));
  const contrast = bootstrap([groups[0], groups[2]], ([short, long]) => short - long);
  const verdict = contrast.low > 0 ? "supported" : contrast.high < 0 ? "not supported" : "inconclusive";
  return {
    measured:
      `${lengthGroups.map(({ label }, i) => `${label}: ${tellInterval(intervals[i])}`).join("; ")}; ` +
      `shortest minus longest ${tellInterval(contrast)} (${verdict})`,
    numbers: { short: intervals[0].mean, middle: intervals[1].mean, long: intervals[2].mean, contrast: contrast.mean },
    holds: contrast.low > 0,
  };
}

export function againstGru(result: Result): Judged | undefined {
  const found = evidence(
    differences(result, { "Mamba4Rec - GRU4Rec": ["Mamba4Rec", "GRU4Rec"], "SIGMA - GRU4Rec": ["SIGMA", "GRU4Rec"] }),
  );
  const others = standing(result, ["GRU4Rec", "SASRec", "BERT4Rec", "Popularity", "Markov"]);
  return found && { ...found, measured: `${found.measured}; ${others}` };
}

const sweep = ["r = 0", "r = 1", "SIGMA", "r = 5", "r = 8", "r = L"] as const;
/** SIGMA itself has r = 3. */
export const sweepLabel = (arm: string): string => (arm === "SIGMA" ? "r = 3" : arm.replace("flip only, ", ""));

export function sweepOfR(result: Result): Judged | undefined {
  const trials = sweep.map((arm) => finished(result, B, arm)[0]);
  if (trials.some((trial) => trial === undefined)) return undefined;
  const values = trials.map(({ scalars: { [measure]: value } }) => value);
  const gains = Object.values(ranksOf(trials[2])).flat().map(gain);
  const average = mean(gains);
  const variance = mean(gains.map((value) => (value - average) ** 2));
  const error = Math.sqrt(variance / gains.length);
  const range = Math.max(...values) - Math.min(...values);
  const early = finishedArms(result, A, "flip only, r = ").map(
    ([arm, hits]) => `${sweepLabel(arm)} ${mean(hits).toFixed(3)}`,
  );
  return {
    measured:
      `sessions, seed ${trials[0].seed}: ${sweep.map((arm, i) => `${sweepLabel(arm)} ${values[i].toFixed(4)}`).join(", ")}; ` +
      `range ${range.toFixed(4)}, standard error of one ${error.toFixed(4)}${early.length > 0 ? `; early key, HR@1: ${early.join(", ")}` : ""}`,
    numbers: { range, standardError: error },
    holds: range <= 2 * error,
  };
}

/** The arms of a task whose names start so, with their HR@1. */
function finishedArms(result: Result, task: string, start: string): [string, number[]][] {
  const names = new Set(result.trials.filter((trial) => trial.task === task).map(({ arm }) => arm));
  return [...names]
    .filter((arm) => arm.startsWith(start))
    .map((arm): [string, number[]] => [arm, scalars(result, task, arm, "HR@1")])
    .filter(([, values]) => values.length > 0)
    .sort(([a], [b]) => a.localeCompare(b));
}

export function realLogs(result: Result): Judged | undefined {
  const logs = logNames(result.config.logs).map((log) => {
    const of = (arm: ArmName): number[] => scalars(result, taskNames[log], arm, measure);
    return { log, sigma: of("SIGMA"), mamba: of("Mamba4Rec"), markov: of("Markov") };
  });
  if (logs.length === 0 || logs.some(({ sigma, markov }) => sigma.length === 0 || markov.length === 0))
    return undefined;
  return {
    measured: logs
      .map(
        ({ log, sigma, mamba, markov }) =>
          `${log}: SIGMA ${mean(sigma).toFixed(4)}, Mamba4Rec ${mean(mamba).toFixed(4)}, Markov ${mean(markov).toFixed(4)}`,
      )
      .join("; "),
    holds: logs.every(({ sigma, mamba, markov }) => mean(sigma) > Math.max(mean(mamba), mean(markov))),
  };
}
