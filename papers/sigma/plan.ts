// Which trials a run has: seeds outermost, each task's arms for as many seeds as they get.

import type { TrialPlan } from "../paper.ts";
import { type ArmName, isModel } from "./arms.ts";
import { fixedCutArms, logNames, type Seeds, type SigmaPaperConfig, type TrainingConfig, taskNames } from "./config.ts";

export function plan(config: SigmaPaperConfig, seeds: readonly number[]): TrialPlan[] {
  const { earlyKey, sessions, logs, fixedCut, time } = config;
  return seeds.flatMap((seed, i) => {
    const named = <Name extends string>(task: string, arms: Seeds<Name>, steps: (arm: Name) => number): TrialPlan[] =>
      (Object.keys(arms) as Name[])
        .filter((arm) => i < (arms[arm] ?? 0))
        .map((arm) => ({ task, arm, seed, steps: steps(arm) }));
    const sequences = (task: string, { arms, steps }: TrainingConfig): TrialPlan[] =>
      named<ArmName>(task, arms, (arm) => (isModel(arm) ? steps : 1));
    const once = (task: string, arms: readonly string[], steps: number): TrialPlan[] =>
      i > 0 ? [] : arms.map((arm) => ({ task, arm, seed, steps }));
    return [
      ...once(taskNames.fixedCut, fixedCutArms, fixedCut.maxLength),
      ...named(taskNames.earlyKey, earlyKey.arms, () => earlyKey.steps),
      ...sequences(taskNames.sessions, sessions),
      ...logNames(logs).flatMap((log) => {
        const own = logs[log];
        return own === undefined ? [] : sequences(taskNames[log], own);
      }),
      // Last: the time left is estimated from the trials before, and these steps are like no others.
      ...once(taskNames.time, time.models, 2 * time.repeats),
    ];
  });
}
