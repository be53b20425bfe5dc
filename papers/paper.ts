// What a paper is to the runner: a plain object that plans trials, runs one at a time, and judges and draws what was recorded.
import type { Figure } from "./figures.ts";

/** How much to run: `quick` shows that it works (claims are reported, not judged), `default` judges them, `full` is the long version. */
export type Mode = "quick" | "default" | "full";

/** The engine backends that a reproduction can run on. */
export type BackendName = "wasm" | "reference";

/** What survives a trip through a JSON file. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

export interface Citation {
  readonly authors: string;
  readonly venue: string;
  readonly year: number;
  /** A link to the paper (a DOI or arXiv page). */
  readonly url?: string;
}

/** Where data come from; `substituteFor` names the data of the paper that these stand in for. */
export interface DataSource {
  readonly name: string;
  readonly detail: string;
  readonly substituteFor?: string;
}

/** One trial to run: an arm (what is compared) of a task (an experiment of the paper) with one seed. */
export interface TrialPlan {
  readonly task: string;
  readonly arm: string;
  readonly seed: number;
  /** How many steps it will report: at least 1; the time left is estimated from it. */
  readonly steps: number;
}

/** A trial while it runs: where a paper records what it measures. Every recorded number must be finite. */
export interface Trial extends TrialPlan {
  /**
   * Reports that step `step` (counted from 1) is done and adds `metrics` to the trial's series; the first metric is shown live.
   * Always await it: it lets Ctrl-C through and stops the trial then.
   * Throws `NonFiniteError`, with the step and the metric's name, when a metric is NaN or infinite.
   */
  step(step: number, metrics?: Readonly<Record<string, number>>): Promise<void>;
  /** Records one number of the whole trial, such as a final loss. */
  scalar(name: string, value: number): void;
  /** Keeps anything else that a figure or a claim needs: matrices, histograms, trees. */
  keep(name: string, value: Json): void;
}

/** What a paper is told about the run. */
export interface Context<Config extends object = object> {
  readonly config: Config;
  readonly mode: Mode;
  readonly seeds: readonly number[];
  readonly backend: BackendName;
  /** Aborted by Ctrl-C. `trial.step` checks it; check it yourself only in long work without steps. */
  readonly signal: AbortSignal;
  /** Prints a line above the progress bar. */
  log(message: string): void;
}

/** Numbers measured over a trial: `values[i]` at step `steps[i]`. */
export interface Series {
  readonly steps: readonly number[];
  readonly values: readonly number[];
}

/** What a trial recorded. An interrupted or failed trial keeps what it had; claims look at finished ones only. */
export interface TrialRecord extends TrialPlan {
  readonly status: "finished" | "interrupted" | "failed";
  readonly series: Readonly<Record<string, Series>>;
  readonly scalars: Readonly<Record<string, number>>;
  readonly data: Readonly<Record<string, Json>>;
  readonly seconds: number;
}

/** Everything that claims and figures are computed from; the same after a trip through result.json. */
export interface PaperResult<Config extends object = object> {
  readonly config: Config;
  readonly mode: Mode;
  readonly seeds: readonly number[];
  readonly trials: readonly TrialRecord[];
}

/** What a claim's rule saw: the measured numbers as a short text, and as data. */
export interface Evidence {
  readonly measured: string;
  readonly numbers?: Readonly<Record<string, number>>;
}

interface ClaimText {
  readonly id: string;
  /** The paper's claim, in short. */
  readonly paperSays: string;
  /** What is measured here. */
  readonly statement: string;
  /** The acceptance rule in words: exactly what `evaluate` computes. Fixed before the run. */
  readonly rule: string;
}

/** A claim that passes or fails by its rule. `evaluate` is pure; it returns undefined when the trials it needs did not finish. */
export interface GatedClaim<Config extends object = object> extends ClaimText {
  readonly kind: "gated";
  evaluate(result: PaperResult<Config>): (Evidence & { readonly holds: boolean }) | undefined;
}

/** A claim that is measured and reported, never judged (it's said why in `rule`). */
export interface ReportedClaim<Config extends object = object> extends ClaimText {
  readonly kind: "report-only";
  evaluate(result: PaperResult<Config>): (Evidence & { readonly holds?: boolean }) | undefined;
}

export type Claim<Config extends object = object> = GatedClaim<Config> | ReportedClaim<Config>;

/** One row of `describe`: a module with its output shape, parameter count and multiply-adds of one forward pass of one sample. */
export interface ModuleRow {
  readonly name: string;
  readonly type: string;
  readonly shape: string;
  readonly parameters: number;
  readonly multiplyAdds: number;
}

export interface ModelDescription {
  readonly models: readonly { readonly name: string; readonly note?: string; readonly modules: readonly ModuleRow[] }[];
}

/**
 * A paper. `plan`, `figures`, `describe` and the claims are pure; `run` is called once for each planned trial, in the plan's order
 * (put seeds outermost, so that an interrupted run has whole seeds).
 */
export interface Paper<Config extends object = object> {
  readonly name: string;
  readonly title: string;
  readonly citation: Citation;
  /** Two or three sentences: the paper's idea and what is reproduced. */
  readonly summary: string;
  readonly data: readonly DataSource[];
  readonly configs: Readonly<Record<Mode, Config>>;
  /** The seeds of each mode; `--seeds N` takes the first N, counting on from the last when there are fewer. */
  readonly seeds: Readonly<Record<Mode, readonly number[]>>;
  readonly claims: readonly Claim<Config>[];
  plan(config: Config, seeds: readonly number[]): readonly TrialPlan[];
  run(trial: Trial, context: Context<Config>): Promise<void>;
  figures(result: PaperResult<Config>): readonly Figure[];
  describe(config: Config): ModelDescription;
}
