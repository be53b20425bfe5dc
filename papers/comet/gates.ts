// The gates that are compared, by name, with the same settings for all.

import { NumericError, type Tensor } from "../../engine/index.ts";
import {
  COMETGate,
  DSelectKGate,
  type Gate,
  HashGate,
  PermutationSearch,
  SoftmaxGate,
  TopKGate,
} from "../../moe/index.ts";
import type { GateName } from "./config.ts";

export interface GateSettings {
  readonly inputDim: number;
  readonly nExperts: number;
  readonly k: number;
  readonly gamma: number;
  readonly lambda: number;
  /** Steps of the local search, for "+" arms. */
  readonly searchSteps: number;
  /** How many ids a hash gate sees. */
  readonly ids: number;
}

/** A gate and, for "+" arms, its local search. */
export interface NamedGate {
  readonly gate: Gate;
  readonly search: PermutationSearch | undefined;
  /** The gate inside, without the search. */
  readonly plain: Gate;
}

/** Makes a gate; its parameters depend on the seed alone, with or without the search around it. */
export function makeGate(name: GateName, settings: GateSettings, seed: number): NamedGate {
  const { inputDim, nExperts, k, gamma, lambda: entropyReg, searchSteps } = settings;
  const plain = ((): Gate => {
    switch (name) {
      case "comet":
      case "comet+":
        return new COMETGate({ inputDim, nExperts, k, gamma, entropyReg });
      case "topk":
      case "topk+":
        return new TopKGate({ inputDim, nExperts, k });
      case "dselect":
        return new DSelectKGate({ inputDim, nExperts, k, gamma, entropyReg });
      case "softmax":
        return new SoftmaxGate({ inputDim, nExperts });
      case "hash":
      case "hash+":
        return new HashGate({ nIds: settings.ids, nExperts, seed });
    }
  })();
  plain.initialize(seed);
  if (!name.endsWith("+")) return { gate: plain, search: undefined, plain };
  // The schedules of the table that the settings come from: hash gates recover only with the warm one.
  const preset = name === "hash+" ? "warm" : "official";
  const search = new PermutationSearch({ nExperts, iterations: searchSteps, preset }).initialize(seed);
  return { gate: search.wrap(plain), search, plain };
}

/** Whether the gate looks at ids instead of x. */
export const usesIds = (name: GateName): boolean => name.startsWith("hash");

/** Throws a NumericError that names the step and the first tensor that is not finite. In order of computation. */
export function checkFinite(step: number, scalars: Readonly<Record<string, Tensor>>, loss: number): void {
  if (Number.isFinite(loss)) return;
  const found = Object.entries(scalars).find(([, value]) => !Number.isFinite(value.item()));
  const culprit = found?.[0] ?? "loss";
  throw new NumericError(
    "comet",
    `the loss became ${loss} at step ${step}; the first tensor that is not finite is "${culprit}"`,
  );
}
