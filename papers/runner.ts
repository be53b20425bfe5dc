// Runs a paper's trials one after the other and keeps what they recorded, however the run ends.
import { type ClaimOutcome, judge } from "./claims.ts";
import { messageOf } from "./errors.ts";
import { Pace } from "./pace.ts";
import type { BackendName, Context, Mode, Paper, PaperResult, TrialPlan, TrialRecord } from "./paper.ts";
import { Recorder } from "./recorder.ts";

export interface RunOptions {
  readonly mode: Mode;
  readonly backend: BackendName;
  /** How many seeds; the mode's own number when absent. */
  readonly seedCount?: number;
  readonly signal: AbortSignal;
  readonly onProgress: (event: ProgressEvent) => void;
  readonly log: (message: string) => void;
}

/** One step of one trial, for the live display. */
export interface ProgressEvent {
  readonly plan: TrialPlan;
  readonly index: number;
  readonly trials: number;
  readonly step: number;
  readonly metric: string | undefined;
  readonly value: number | undefined;
  readonly stepsPerSecond: number;
  /** Of the whole run; undefined before the first step. */
  readonly secondsLeft: number | undefined;
}

/** A run and its outcome. `error` is the one that ended a failed run. */
export interface Run {
  readonly paper: Paper;
  readonly result: PaperResult;
  readonly backend: BackendName;
  readonly status: "completed" | "interrupted" | "failed";
  readonly error: unknown;
  readonly planned: number;
  readonly claims: readonly ClaimOutcome[];
  readonly startedAt: Date;
  readonly seconds: number;
}

/** The first `count` seeds of a list, counting on from its last when it has fewer. */
export function takeSeeds(seeds: readonly number[], count = seeds.length): number[] {
  const last = seeds[seeds.length - 1] ?? -1;
  return Array.from({ length: count }, (_, i) => seeds[i] ?? last + 1 + i - seeds.length);
}

/** Runs every planned trial. Never throws for what a trial throws: the run is then `failed`, or `interrupted` when aborted. */
export async function runPaper(paper: Paper, options: RunOptions): Promise<Run> {
  const { mode, backend, signal, log } = options;
  const startedAt = new Date();
  const start = performance.now();
  const config = paper.configs[mode];
  const seeds = takeSeeds(paper.seeds[mode], options.seedCount);
  const context: Context = { config, mode, seeds, backend, signal, log };
  const plans = paper.plan(config, seeds);
  const pace = new Pace(plans);
  const trials: TrialRecord[] = [];
  let status: Run["status"] = "completed";
  let error: unknown;

  for (const [index, plan] of plans.entries()) {
    if (signal.aborted) status = "interrupted";
    if (status !== "completed") break;
    const outcome = await runTrial(paper, context, plan, index, plans.length, pace, options.onProgress);
    trials.push(outcome.record);
    pace.finish(plan, outcome.record.seconds);
    if (outcome.record.status !== "finished") status = outcome.record.status;
    error = outcome.error;
  }

  const result: PaperResult = { config, mode, seeds, trials };
  let claims: ClaimOutcome[] = [];
  try {
    claims = judge(paper, result, status === "completed");
  } catch (problem) {
    status = "failed";
    error ??= problem;
  }
  const seconds = (performance.now() - start) / 1000;
  return { paper, result, backend, status, error, planned: plans.length, claims, startedAt, seconds };
}

async function runTrial(
  paper: Paper,
  context: Context,
  plan: TrialPlan,
  index: number,
  trials: number,
  pace: Pace,
  onProgress: RunOptions["onProgress"],
): Promise<{ record: TrialRecord; error?: unknown }> {
  const start = performance.now();
  const recorder = new Recorder(plan, context.signal, ({ step, metric, value }) => {
    const seconds = (performance.now() - start) / 1000;
    const secondsLeft = pace.left(index, step, seconds);
    onProgress({ plan, index, trials, step, metric, value, stepsPerSecond: step / seconds, secondsLeft });
  });
  try {
    await paper.run(recorder, context);
    return { record: recorder.record("finished") };
  } catch (problem) {
    if (context.signal.aborted) return { record: recorder.record("interrupted") };
    const where = `${plan.task} / ${plan.arm}, seed ${plan.seed}`;
    context.log(`${where}: ${messageOf(problem)}`);
    return { record: recorder.record("failed"), error: problem };
  }
}
