// What is run: the settings of both tasks, and which arms each mode compares. Fixed before any run.

import type { VariantName } from "./variants.ts";

/** One arm at one learning rate, with the first so many seeds of the run. */
export interface LanguageRun {
  readonly arm: VariantName;
  readonly lr: number;
  readonly seeds: number;
}

/** Task A: a character model of the licence text. */
export interface LanguageConfig {
  readonly runs: readonly LanguageRun[];
  readonly steps: number;
  readonly batch: number;
  /** Characters of a window. */
  readonly length: number;
  readonly warmup: number;
  /** The cosine ends at this share of the highest learning rate. */
  readonly finalShare: number;
  readonly betas: readonly [number, number];
  /** Of matrices only. */
  readonly weightDecay: number;
  /** Of the norm of all gradients. */
  readonly clip: number;
  /** Characters that are predicted to measure the validation loss. */
  readonly targets: number;
  /** Queries before this one are left out of the late F-Attn: they have little else to attend to. */
  readonly firstQuery: number;
  readonly logEvery: number;
  readonly evaluateEvery: number;
  /** Context extension: these arms are measured at so many times the length, with plain RoPE and with YaRN. */
  readonly extension: { readonly arms: readonly VariantName[]; readonly factors: readonly number[] };
}

/** Task B: bigram-backcopy. */
export interface BackcopyConfig {
  readonly arms: readonly VariantName[];
  readonly steps: number;
  readonly batch: number;
  readonly lr: number;
  readonly warmup: number;
  readonly betas: readonly [number, number];
  /** Of matrices only. */
  readonly weightDecay: number;
  readonly clip: number;
  /** Sequences that are measured at the end. */
  readonly evaluation: number;
  /** Queries before this one are not measured. */
  readonly firstQuery: number;
  readonly logEvery: number;
}

export interface GatedAttentionPaperConfig {
  readonly language: LanguageConfig;
  readonly backcopy: BackcopyConfig;
}

/** The learning rates that both arms of the main comparison are swept over. */
export const learningRates = [4e-3, 1.5e-2, 5e-2] as const;
/** The one that single-rate rows use. */
export const middleRate = learningRates[1];
export const highRate = learningRates[2];

/** Task A at one learning rate. */
export const languageTask = (lr: number): string => `A: licence text, lr ${lr}`;
export const backcopyTask = "B: bigram-backcopy";

const language = {
  steps: 500,
  batch: 16,
  length: 64,
  warmup: 50,
  finalShare: 0.1,
  betas: [0.9, 0.95],
  weightDecay: 0.1,
  clip: 1,
  targets: 16_384,
  firstQuery: 8,
  logEvery: 5,
  evaluateEvery: 100,
  extension: { arms: ["baseline", "g1-elementwise"], factors: [2, 4] },
} as const;

const backcopy: BackcopyConfig = {
  arms: ["baseline", "g1-elementwise", "g1-headwise"],
  steps: 1200,
  batch: 32,
  lr: 3e-3,
  warmup: 50,
  betas: [0.9, 0.99],
  weightDecay: 1e-4,
  clip: 1,
  evaluation: 256,
  firstQuery: 8,
  logEvery: 25,
};

/** Baseline and gate at every learning rate, then the single-rate rows that claims need. */
const judged = (seeds: number): LanguageRun[] => [
  ...learningRates.flatMap((lr) => (["baseline", "g1-elementwise"] as const).map((arm) => ({ arm, lr, seeds }))),
  { arm: "ns-sigmoid", lr: middleRate, seeds },
  { arm: "sandwich", lr: highRate, seeds },
];

/** Arms that no claim is judged by: the other positions, and controls. */
const others: readonly VariantName[] = [
  "g2-elementwise",
  "g3-elementwise",
  "g4-elementwise",
  "g5-elementwise",
  "g1-shared",
  "g1-const",
  "g1-additive-silu",
  "g1-rmsnorm",
];

export const configs: Readonly<Record<"quick" | "default" | "full", GatedAttentionPaperConfig>> = {
  quick: {
    language: {
      ...language,
      runs: [
        { arm: "baseline", lr: middleRate, seeds: 1 },
        { arm: "g1-elementwise", lr: middleRate, seeds: 1 },
      ],
      steps: 250,
      extension: { arms: [], factors: [] },
    },
    backcopy,
  },
  default: { language: { ...language, runs: judged(2) }, backcopy },
  full: {
    language: {
      ...language,
      runs: [
        ...judged(3),
        { arm: "g1-headwise", lr: middleRate, seeds: 3 },
        ...others.map((arm) => ({ arm, lr: middleRate, seeds: 2 })),
      ],
    },
    backcopy: { ...backcopy, arms: [...backcopy.arms, "ns-sigmoid"] },
  },
};

/** The seeds of the protocol that the rules were written for. Task B uses all three; task A as many as its runs say. */
export const seeds = { quick: [0], default: [0, 1, 2], full: [0, 1, 2] } as const;
