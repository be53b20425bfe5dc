// The trial that a paper sees while it runs: checks and records numbers, reports steps, and lets Ctrl-C through.
import { setImmediate } from "node:timers/promises";
import { NonFiniteError } from "./errors.ts";
import type { Json, Trial, TrialPlan, TrialRecord } from "./paper.ts";

/** After this long without a turn of the event loop, a step waits for one, so that signals and timers are served. */
const TURN_MS = 50;

interface GrowingSeries {
  readonly steps: number[];
  readonly values: number[];
}

/** What a step tells the progress display. */
export interface StepReport {
  readonly step: number;
  readonly metric: string | undefined;
  readonly value: number | undefined;
}

export class Recorder implements Trial {
  readonly task: string;
  readonly arm: string;
  readonly seed: number;
  readonly steps: number;
  readonly #series: Record<string, GrowingSeries> = {};
  readonly #scalars: Record<string, number> = {};
  readonly #data: Record<string, Json> = {};
  readonly #signal: AbortSignal;
  readonly #onStep: (report: StepReport) => void;
  readonly #start = performance.now();
  #lastTurn = performance.now();

  constructor(plan: TrialPlan, signal: AbortSignal, onStep: (report: StepReport) => void) {
    this.task = plan.task;
    this.arm = plan.arm;
    this.seed = plan.seed;
    this.steps = plan.steps;
    this.#signal = signal;
    this.#onStep = onStep;
  }

  async step(step: number, metrics: Readonly<Record<string, number>> = {}): Promise<void> {
    for (const [name, value] of Object.entries(metrics)) {
      if (!Number.isFinite(value)) throw new NonFiniteError(name, value, step);
      this.#series[name] ??= { steps: [], values: [] };
      this.#series[name].steps.push(step);
      this.#series[name].values.push(value);
    }
    const [metric] = Object.keys(metrics);
    this.#onStep({ step, metric, value: metric === undefined ? undefined : metrics[metric] });
    if (performance.now() - this.#lastTurn > TURN_MS) {
      await setImmediate();
      this.#lastTurn = performance.now();
    }
    this.#signal.throwIfAborted();
  }

  scalar(name: string, value: number): void {
    if (!Number.isFinite(value)) throw new NonFiniteError(name, value);
    this.#scalars[name] = value;
  }

  keep(name: string, value: Json): void {
    this.#data[name] = value;
  }

  /** Everything recorded so far. */
  record(status: TrialRecord["status"]): TrialRecord {
    return {
      task: this.task,
      arm: this.arm,
      seed: this.seed,
      steps: this.steps,
      status,
      seconds: (performance.now() - this.#start) / 1000,
      scalars: this.#scalars,
      data: this.#data,
      series: this.#series,
    };
  }
}
