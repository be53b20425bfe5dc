// What is run: the settings of the three tasks, and which arms each mode compares. Fixed before any run.

/** The gates that tasks compare; "+" adds the local search. */
export type GateName = "comet" | "topk" | "dselect" | "softmax" | "hash" | "comet+" | "topk+" | "hash+";

/** Task A: pairs of basis experts. */
export interface PairsConfig {
  readonly gates: readonly GateName[];
  readonly steps: number;
  readonly batch: number;
  readonly validation: number;
  readonly nExperts: number;
  readonly k: number;
  readonly hidden: number;
  readonly lr: number;
  readonly gamma: number;
  /** Factor of the entropy term. */
  readonly lambda: number;
  /** The part of the steps that the local search lasts. */
  readonly searchShare: number;
  readonly logEvery: number;
  readonly evaluateEvery: number;
}

/** Task B: recovery of a permutation, one arm a number of experts and a temperature schedule. */
export interface RecoveryConfig {
  readonly arms: readonly { readonly nExperts: number; readonly preset: "official" | "warm" }[];
  readonly steps: number;
  readonly batch: number;
  readonly lr: number;
  readonly logEvery: number;
}

/** Task C: small MultiMNIST. */
export interface DigitsConfig {
  readonly gates: readonly GateName[];
  /** How many of the run's seeds it uses. */
  readonly seeds: number;
  readonly steps: number;
  readonly batch: number;
  readonly train: number;
  readonly test: number;
  readonly nExperts: number;
  readonly k: number;
  readonly lr: number;
  readonly gamma: number;
  readonly lambda: number;
  readonly logEvery: number;
  readonly evaluateEvery: number;
}

export interface CometPaperConfig {
  readonly pairs: PairsConfig;
  readonly recovery: RecoveryConfig;
  readonly digits: DigitsConfig;
}

export const taskNames = { pairs: "A: pairs of experts", recovery: "B: recovery", digits: "C: MultiMNIST" } as const;

/** The arm of task B: "n = 8, warm". */
export const recoveryArm = (nExperts: number, preset: "official" | "warm"): string => `n = ${nExperts}, ${preset}`;

const pairs: PairsConfig = {
  gates: ["comet", "topk", "dselect", "softmax", "hash", "hash+"],
  steps: 1500,
  batch: 128,
  validation: 2000,
  nExperts: 8,
  k: 2,
  hidden: 32,
  lr: 3e-3,
  gamma: 0.1,
  lambda: 0.03,
  searchShare: 0.1,
  logEvery: 25,
  evaluateEvery: 100,
};

const recovery: RecoveryConfig = {
  arms: [
    { nExperts: 8, preset: "warm" },
    { nExperts: 8, preset: "official" },
    { nExperts: 4, preset: "official" },
  ],
  steps: 300,
  batch: 256,
  lr: 1e-2,
  logEvery: 10,
};

const digits: DigitsConfig = {
  gates: ["comet", "topk"],
  seeds: 1,
  steps: 600,
  batch: 128,
  train: 6000,
  test: 2000,
  nExperts: 8,
  k: 2,
  lr: 2e-3,
  gamma: 0.1,
  lambda: 0.01,
  logEvery: 25,
  evaluateEvery: 100,
};

export const configs = {
  quick: {
    pairs: { ...pairs, gates: ["comet", "topk", "hash"], steps: 500 },
    recovery: { ...recovery, arms: [{ nExperts: 4, preset: "warm" }] },
    digits: { ...digits, gates: ["comet"], steps: 200 },
  },
  default: { pairs, recovery, digits },
  full: {
    pairs: { ...pairs, gates: ["comet", "topk", "dselect", "softmax", "hash", "hash+", "topk+", "comet+"] },
    recovery,
    digits: { ...digits, gates: ["comet", "topk", "dselect", "softmax"], seeds: 3 },
  },
} as const satisfies Record<string, CometPaperConfig>;

/** Fresh seeds: the settings above were chosen looking at others (0 and 1). */
export const seeds = { quick: [10, 11], default: [10, 11, 12, 13, 14], full: [10, 11, 12, 13, 14] } as const;
