// What is compared: the models and the variants of SIGMA by name, with the same sizes and training for all.

import { BERT4Rec, GRU4Rec, Mamba4Rec, type Recommender, SASRec, Sigma, type SigmaOptions } from "./model/index.ts";

/** The sizes that all arms of a task share. */
export interface Sizes {
  /** Features of an item, d. */
  readonly size: number;
  /** States a channel of Mamba, N. */
  readonly states: number;
  /** The longest history looked at, L. */
  readonly maxLength: number;
  readonly dropout: number;
  /** How many items at the end the flip leaves in place, r. */
  readonly kept: number;
}

/** Makes a recommender of ids 0 .. items - 1. */
type Make = (items: number, sizes: Sizes) => Recommender;

const sigma =
  (variant: Partial<SigmaOptions>): Make =>
  (items, sizes) =>
    new Sigma({ items, ...sizes, gateDropout: sizes.dropout, ...variant });

/** SIGMA without the GRU, as the early-key probe has it, with some r. */
const flipOnly = (kept: number): Make => sigma({ featureExtract: "off", kept });

/** Heads and inner features of the Transformers, for d = 32. */
const transformer = { heads: 2, inner: 128, layers: 2 } as const;

/** Longer than any history: with this r, nothing is flipped. */
export const keepAll = 1_000_000;

export const arms = {
  SIGMA: sigma({}),
  "without flip": sigma({ flipMode: "off" }),
  "without gate": sigma({ gate: "off" }),
  "without GRU": sigma({ featureExtract: "off" }),
  "scalar gate": sigma({ gate: "scalar" }),
  "r = 0": sigma({ kept: 0 }),
  "r = 1": sigma({ kept: 1 }),
  "r = 3": sigma({ kept: 3 }),
  "r = 5": sigma({ kept: 5 }),
  "r = 8": sigma({ kept: 8 }),
  "r = L": sigma({ kept: keepAll }),
  "flip only, r = 0": flipOnly(0),
  "flip only, r = 1": flipOnly(1),
  "flip only, r = 3": flipOnly(3),
  "flip only, r = 5": flipOnly(5),
  "flip only, r = 8": flipOnly(8),
  "no flip": sigma({ featureExtract: "off", flipMode: "off" }),
  Mamba4Rec: (items, sizes) => new Mamba4Rec({ items, ...sizes }),
  SASRec: (items, { kept: _, states: __, ...sizes }) => new SASRec({ items, ...sizes, ...transformer }),
  GRU4Rec: (items, { size, maxLength }) => new GRU4Rec({ items, size, maxLength, hidden: 2 * size }),
  BERT4Rec: (items, { size, maxLength }) => new BERT4Rec({ items, size, maxLength, ...transformer }),
} satisfies Record<string, Make>;

export type ModelName = keyof typeof arms;

/** Arms that are counted, not trained; the oracle is of the generated sessions only. */
export type CountedName = "Popularity" | "Markov" | "Oracle";

export type ArmName = ModelName | CountedName;

export const isModel = (name: ArmName): name is ModelName => Object.hasOwn(arms, name);

/** The model of an arm with its first weights: the same for the same seed. */
export const makeModel = (name: ModelName, items: number, sizes: Sizes, seed: number): Recommender =>
  arms[name](items, sizes).initialize(seed);
