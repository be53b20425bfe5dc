// G-Mamba, the mixer of SIGMA: gated PF-Mamba and FE-GRU, weighed by three trained numbers.

import { softmax, type Tensor } from "../../../engine/index.ts";
import { Linear, Module, parameter } from "../../../nn/index.ts";
import type { Focus, Histories } from "./extent.ts";
import { type FeatureExtract, FeatureGRU } from "./feature-gru.ts";
import { type Directions, type GateName, gates, type SelectiveGate } from "./gate.ts";
import { PFMamba, type PFMambaOptions, read } from "./pf-mamba.ts";

/** What mixes the positions of histories: [B, L, size] -> the same at the wanted positions. */
export type Mixer = Module<[histories: Histories, focus: Focus], Tensor>;

export interface GMambaOptions extends PFMambaOptions {
  /** Default "paper". */
  readonly gate?: GateName;
  /** Of the gate; default 0.2. */
  readonly gateDropout?: number;
  /** Default true. */
  readonly deltaTied?: boolean;
  /** Default "gru". */
  readonly featureExtract?: FeatureExtract;
  /** "raw": the three numbers themselves (what the release computes); "softmax" of them. Default "raw". */
  readonly mixNorm?: "raw" | "softmax";
  /** Whether a linear projection follows; default true. */
  readonly projection?: boolean;
}

/** First weights of Z forwards, Z flipped and FE-GRU. */
const firstWeights = [0.8, 0.1, 0.1];

/** The parts of a mix, before they are weighed: [B, L, size] or [B, 1, size] each. */
export interface GMambaBranches extends Directions<Tensor> {
  readonly features: Tensor | undefined;
  /** The factors Dg; undefined without a gate. */
  readonly gate: Directions<Tensor> | undefined;
}

/** The mixer of SIGMA, with its variants as options. */
export class GMamba extends Module<[histories: Histories, focus: Focus], Tensor> {
  readonly pfMamba: PFMamba;
  readonly gate: SelectiveGate | undefined;
  readonly features: FeatureGRU | undefined;
  /** a1, a2, a3; without FE-GRU the last is left out. */
  readonly mix: Tensor;
  readonly mixNorm: "raw" | "softmax";
  readonly projection: Linear | undefined;

  constructor(size: number, options: GMambaOptions = {}) {
    super();
    const { gate = "paper", gateDropout, deltaTied, featureExtract = "gru", mixNorm = "raw", ...rest } = options;
    const { projection = true, ...pfMamba } = rest;
    const { dtype } = options;
    this.pfMamba = new PFMamba(size, pfMamba);
    this.gate = gates[gate](size, { dropout: gateDropout, deltaTied, dtype });
    this.features = featureExtract === "off" ? undefined : new FeatureGRU(size, featureExtract, { dtype });
    const branches = this.features === undefined ? 2 : 3;
    let drawn = 0;
    this.mix = parameter([branches], () => firstWeights[drawn++ % branches], { dtype });
    this.mixNorm = mixNorm;
    this.projection = projection ? new Linear(size, size, { dtype }) : undefined;
  }

  /** Z = Dg * M + M of both directions, and F. */
  branches(histories: Histories, focus: Focus): GMambaBranches {
    const { inputs, outputs } = this.pfMamba.forward(histories, focus);
    const gate = this.gate?.forward(inputs, focus);
    const gated = (direction: keyof typeof outputs): Tensor => {
      const m = outputs[direction];
      return gate === undefined ? m : gate[direction].mul(m).add(m);
    };
    const features = this.features?.forward(histories, focus);
    return { forwards: gated("forwards"), flipped: gated("flipped"), features, gate };
  }

  /** The three weights as they are used: [3], or [2] without FE-GRU. */
  weights(): Tensor {
    return this.mixNorm === "softmax" ? softmax(this.mix, -1) : this.mix;
  }

  /** a1 Z^f + a2 Z^b + a3 F, projected. */
  combine({ forwards, flipped, features }: Pick<GMambaBranches, "forwards" | "flipped" | "features">): Tensor {
    const weights = this.weights();
    const parts = [forwards, flipped, ...(features === undefined ? [] : [features])];
    const mixed = parts.map((part, i) => part.mul(weights.narrow(0, i, 1))).reduce((sum, part) => sum.add(part));
    return this.projection?.forward(mixed) ?? mixed;
  }

  override forward(histories: Histories, focus: Focus): Tensor {
    return this.combine(this.branches(histories, focus));
  }
}

/** Mamba4Rec's mixer: one Mamba, forwards. */
export class MambaMixer extends Module<[histories: Histories, focus: Focus], Tensor> {
  readonly mamba: PFMamba["mamba"];

  constructor(mamba: PFMamba["mamba"]) {
    super();
    this.mamba = mamba;
  }

  override forward({ x }: Histories, focus: Focus): Tensor {
    return read(this.mamba, x, focus);
  }
}
