// Schedules: pure functions from the step (0, 1, ...) to a value, so that a resumed run needs no state of theirs.

import { ArgumentError, type Tensor } from "../../engine/index.ts";

/** The value at a step: a learning rate, a temperature. */
export type Schedule = (step: number) => number;

function checkSteps(op: string, steps: number): void {
  if (!(Number.isInteger(steps) && steps >= 1)) throw new ArgumentError(op, `needs at least one step, got ${steps}`);
}

const progress = (step: number, steps: number): number => Math.min(Math.max(step / steps, 0), 1);
const halfCosine = (from: number, to: number, share: number): number =>
  to + ((from - to) * (1 + Math.cos(Math.PI * share))) / 2;

/** The same value always. */
export const constantSchedule =
  (value: number): Schedule =>
  () =>
    value;

/** From `from` to `to` in a straight line over `steps`, then `to`. */
export function linearSchedule(from: number, to: number, steps: number): Schedule {
  checkSteps("linearSchedule", steps);
  return (step) => from + (to - from) * progress(step, steps);
}

/** From `from` to `to` along half a cosine over `steps`, then `to` (Loshchilov & Hutter 2017). */
export function cosineSchedule(from: number, to: number, steps: number): Schedule {
  checkSteps("cosineSchedule", steps);
  return (step) => halfCosine(from, to, progress(step, steps));
}

/** `from`, multiplied by `gamma` after every `every` steps. */
export function stepSchedule(from: number, every: number, gamma = 0.1): Schedule {
  checkSteps("stepSchedule", every);
  return (step) => from * gamma ** Math.floor(step / every);
}

/** from * gamma^step, not below `least`: decay of a learning rate, annealing of a temperature. */
export const exponentialSchedule =
  (from: number, gamma: number, least = 0): Schedule =>
  (step) =>
    Math.max(least, from * gamma ** step);

/** From `from` to `to`, by equal factors, over `steps`; then `to`. Both positive. */
export function temperatureSchedule(from: number, to: number, steps: number): Schedule {
  checkSteps("temperatureSchedule", steps);
  if (!(from > 0 && to > 0))
    throw new ArgumentError("temperatureSchedule", `temperatures must be positive, got ${from} and ${to}`);
  return (step) => (step >= steps ? to : from * (to / from) ** progress(step, steps));
}

/** `schedule` after a climb: (step + 1) / (steps + 1) of its first value in the first `steps` steps. */
export function withWarmup(schedule: Schedule, steps: number): Schedule {
  checkSteps("withWarmup", steps);
  return (step) => (step < steps ? (schedule(0) * (step + 1)) / (steps + 1) : schedule(step - steps));
}

export interface OneCycleOptions {
  /** Share of the steps that climb; default 0.3. */
  readonly climb?: number;
  /** The first value is the highest over this; default 25. */
  readonly divide?: number;
  /** The last value is the first over this; default 1e4. */
  readonly finalDivide?: number;
}

/** Up from highest / divide to `highest`, down to almost nothing, along cosines (Smith & Topin 2018). */
export function oneCycleSchedule(highest: number, steps: number, options: OneCycleOptions = {}): Schedule {
  checkSteps("oneCycleSchedule", steps);
  const { climb = 0.3, divide = 25, finalDivide = 1e4 } = options;
  const first = highest / divide;
  const top = climb * steps - 1;
  const last = steps - 1;
  return (step) => {
    if (step < top) return halfCosine(first, highest, step / top);
    return halfCosine(highest, first / finalDivide, last <= top ? 1 : progress(step - top, last - top));
  };
}

/** Sets a leaf (`optimizer.lr`, a temperature) to what the schedule says; call it with the step before each step. */
export const follow =
  (leaf: Tensor, schedule: Schedule): ((step: number) => void) =>
  (step) =>
    leaf.copyFrom([schedule(step)]);
