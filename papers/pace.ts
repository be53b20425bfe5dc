// Estimates the time left: each arm of each task has its own pace, learnt from the steps already done.
import type { TrialPlan } from "./paper.ts";

const key = (plan: TrialPlan): string => JSON.stringify([plan.task, plan.arm]);

export class Pace {
  readonly #plans: readonly TrialPlan[];
  readonly #done = new Map<string, { steps: number; seconds: number }>();

  constructor(plans: readonly TrialPlan[]) {
    this.#plans = plans;
  }

  /** Counts a trial that ended. */
  finish(plan: TrialPlan, seconds: number): void {
    const sum = this.#done.get(key(plan)) ?? { steps: 0, seconds: 0 };
    this.#done.set(key(plan), { steps: sum.steps + plan.steps, seconds: sum.seconds + seconds });
  }

  /** Seconds left when trial `index` has done `step` steps in `seconds`; undefined before the first step. */
  left(index: number, step: number, seconds: number): number | undefined {
    if (step === 0 && this.#done.size === 0) return undefined;
    const current = this.#plans[index];
    const known = new Map([...this.#done].map(([name, sum]) => [name, sum.seconds / sum.steps]));
    if (step > 0) known.set(key(current), seconds / step);
    const average = [...known.values()].reduce((sum, value) => sum + value, 0) / known.size;
    const cost = (plan: TrialPlan, steps: number): number => steps * (known.get(key(plan)) ?? average);
    let left = cost(current, Math.max(0, current.steps - step));
    for (const plan of this.#plans.slice(index + 1)) left += cost(plan, plan.steps);
    return left;
  }
}
