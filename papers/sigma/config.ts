// What is run: the settings of the tasks, and which arms each mode compares over how many seeds. Fixed before any run.

import type { ArmName, ModelName, Sizes } from "./arms.ts";
import type { LogName } from "./logs.ts";

/** How many of the run's seeds each arm of a task gets. */
export type Seeds<Name extends string> = Readonly<Partial<Record<Name, number>>>;

/** Training and its measure, for tasks of whole sequences. */
export interface TrainingConfig extends Sizes {
  readonly arms: Seeds<ArmName>;
  readonly steps: number;
  readonly batch: number;
  /** Training prefixes a user and epoch, at most. */
  readonly prefixes: number;
  readonly lr: number;
  /** What the learning rate falls to, in a straight line over the last quarter of the steps. */
  readonly lastLr: number;
  /** Steps from one validation (NDCG@10) to the next. */
  readonly validateEvery: number;
  /** Validations without gain that are borne before a run stops; the best weights are kept. */
  readonly patience: number;
}

/** Task A: EarlyKey-v1. */
export interface EarlyKeyConfig extends Sizes {
  readonly arms: Seeds<ModelName>;
  readonly train: number;
  readonly test: number;
  readonly steps: number;
  readonly batch: number;
  readonly lr: number;
  readonly testEvery: number;
}

/** Task B: LongShort-v1. */
export interface SessionsConfig extends TrainingConfig {
  readonly users: number;
}

/** Task C: recorded logs, those that are run. */
export type LogsConfig = Readonly<Partial<Record<LogName, TrainingConfig>>>;

/** Task D: what the flipped path tells users apart by, with untrained weights. */
export interface FixedCutConfig extends Sizes {
  /** Random users a length. */
  readonly users: number;
}

/** Task E: time against length. */
export interface TimeConfig extends Sizes {
  readonly models: readonly ModelName[];
  /** Lengths of forward passes, and of steps of training. */
  readonly forward: readonly number[];
  readonly training: readonly number[];
  readonly batch: number;
  readonly items: number;
  readonly warmUp: number;
  readonly repeats: number;
}

export interface SigmaPaperConfig {
  readonly earlyKey: EarlyKeyConfig;
  readonly sessions: SessionsConfig;
  readonly logs: LogsConfig;
  readonly fixedCut: FixedCutConfig;
  readonly time: TimeConfig;
}

export const taskNames = {
  earlyKey: "A: early key",
  sessions: "B: sessions",
  changelogs: "C: change logs",
  movielens: "C: MovieLens",
  fixedCut: "D: fixed cut",
  time: "E: time",
} as const;

/** The two ways to flip that task D compares. */
export const fixedCutArms = ["padded", "valid"] as const;

const sizes = { size: 32, states: 8, dropout: 0.2, kept: 3 } as const;

const earlyKey: EarlyKeyConfig = {
  ...sizes,
  maxLength: 32,
  arms: { "flip only, r = 3": 3, "no flip": 3, Mamba4Rec: 3 },
  train: 3000,
  test: 600,
  steps: 540,
  batch: 64,
  lr: 3e-3,
  testEvery: 30,
};

/** The logs of a configuration that are run. */
export const logNames = (logs: LogsConfig): LogName[] => Object.keys(logs) as LogName[];

/** 86 steps of 64 are about an epoch of task B. */
const epoch = 86;

const sessions: SessionsConfig = {
  ...sizes,
  maxLength: 16,
  arms: {
    SIGMA: 3,
    Mamba4Rec: 3,
    "without flip": 3,
    "without gate": 3,
    "without GRU": 3,
    GRU4Rec: 3,
    SASRec: 1,
    Popularity: 3,
    Markov: 3,
    Oracle: 3,
  },
  users: 1500,
  steps: 12 * epoch,
  batch: 64,
  prefixes: 4,
  lr: 3e-3,
  lastLr: 1e-3,
  validateEvery: epoch,
  patience: 10,
};

const movielens: TrainingConfig = {
  ...sizes,
  maxLength: 30,
  arms: { SIGMA: 1, Mamba4Rec: 1, SASRec: 1, GRU4Rec: 1, Popularity: 1, Markov: 1 },
  steps: 1200,
  batch: 64,
  prefixes: 4,
  lr: 3e-3,
  lastLr: 1e-3,
  validateEvery: 150,
  patience: 10,
};

/** Sessions of 24 files in the middle; they take more steps than movies to learn, and so get them. */
const changelogs: TrainingConfig = { ...movielens, maxLength: 20, steps: 3000, validateEvery: 300 };

const fixedCut: FixedCutConfig = { ...sizes, maxLength: 50, kept: 5, users: 32 };

const time: TimeConfig = {
  ...sizes,
  maxLength: 2000,
  models: ["SIGMA", "Mamba4Rec", "SASRec"],
  forward: [64, 128, 256, 512, 1024],
  training: [50, 100, 200, 500, 1000, 2000],
  batch: 4,
  items: 201,
  warmUp: 2,
  repeats: 7,
};

export const configs = {
  quick: {
    earlyKey: { ...earlyKey, arms: { "flip only, r = 3": 1, "no flip": 1 } },
    sessions: {
      ...sessions,
      arms: { SIGMA: 1, Mamba4Rec: 1, Popularity: 1, Markov: 1, Oracle: 1 },
      steps: 4 * epoch,
    },
    logs: {},
    fixedCut,
    time: { ...time, training: [], forward: [64, 128, 256, 512] },
  },
  default: {
    earlyKey,
    sessions,
    logs: { changelogs: { ...changelogs, arms: { SIGMA: 1, Mamba4Rec: 1, Popularity: 1, Markov: 1 } } },
    fixedCut,
    time,
  },
  full: {
    earlyKey: {
      ...earlyKey,
      arms: {
        ...earlyKey.arms,
        SIGMA: 1,
        "flip only, r = 0": 1,
        "flip only, r = 1": 1,
        "flip only, r = 5": 1,
        "flip only, r = 8": 1,
      },
    },
    sessions: {
      ...sessions,
      arms: {
        ...sessions.arms,
        SIGMA: 5,
        Mamba4Rec: 5,
        "scalar gate": 1,
        BERT4Rec: 1,
        "r = 0": 1,
        "r = 1": 1,
        "r = 5": 1,
        "r = 8": 1,
        "r = L": 1,
        Popularity: 5,
        Markov: 5,
        Oracle: 5,
      },
      steps: 20 * epoch,
    },
    logs: { changelogs, movielens },
    fixedCut,
    time,
  },
} as const satisfies Record<string, SigmaPaperConfig>;

/** Seeds of data and of models; the settings come from a prototype that was run on seed 0. */
export const seeds = { quick: [1], default: [1, 2, 3], full: [1, 2, 3, 4, 5] } as const;
