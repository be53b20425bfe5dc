// DSelect-k (Hazimeh et al. 2021): k selectors that spell an expert's number in smooth binary digits.

import { concat, type DType, type Shape, softmax, type Tensor } from "../engine/index.ts";
import { init, parameter } from "../nn/index.ts";
import { linear } from "./comet-gate.ts";
import { checkInput, entropy, Gate, hardened, type Inference, type Routing } from "./gate.ts";
import { checkGamma, smoothStep } from "./smooth-step.ts";

export interface DSelectKConfig {
  readonly inputDim: number;
  readonly nExperts: number;
  /** The number of selectors. */
  readonly k: number;
  /** Width of the smooth-step's band; default 1. */
  readonly gamma?: number;
  /** lambda, the factor of the entropy term Omega; default 0. */
  readonly entropyReg?: number;
  /** zeta_d, the factor of the term that keeps probability on codes below n, where n is no power of two; default 1. */
  readonly reachReg?: number;
  readonly dtype?: DType;
}

const mixingRange = 0.05;

/**
 * Selector j gives expert i the product over the bits b of i (most significant first) of S(z_b) or 1 - S(z_b); the
 * selectors are mixed by a softmax: g_i = sum_j softmax(w)_j v_ij. Where n is no power of two some codes name no expert,
 * so the weights add up to 1 only as far as the selectors avoid them.
 */
export class DSelectKGate extends Gate {
  override readonly renormalizes = false;
  readonly inputDim: number;
  readonly gamma: number;
  readonly entropyReg: number;
  readonly reachReg: number;
  /** [m, k, p] and [m, k], m = ceil(log2 n): the bits of each selector, most significant first. */
  readonly bits: Tensor;
  readonly bitOffsets: Tensor;
  /** [1, k, p] and [1, k]: how the selectors are mixed. */
  readonly mixing: Tensor;
  readonly mixingOffsets: Tensor;

  /** @throws ArgumentError for n < 2, k > n, gamma <= 0 */
  constructor(config: DSelectKConfig) {
    super("DSelectKGate", config);
    const { inputDim, gamma = 1, entropyReg = 0, reachReg = 1, dtype } = config;
    checkGamma("DSelectKGate", gamma);
    this.inputDim = inputDim;
    this.gamma = gamma;
    this.entropyReg = entropyReg;
    this.reachReg = reachReg;
    const shapes = DSelectKGate.shapes(config);
    const small = init.uniform(-gamma / 100, gamma / 100);
    const mixing = init.uniform(-mixingRange, mixingRange);
    this.bits = parameter(shapes.bits, small, { dtype });
    this.bitOffsets = parameter(shapes.bitOffsets, small, { dtype });
    this.mixing = parameter(shapes.mixing, mixing, { dtype });
    this.mixingOffsets = parameter(shapes.mixingOffsets, mixing, { dtype });
  }

  static shapes({ inputDim: p, nExperts: n, k }: Pick<DSelectKConfig, "inputDim" | "nExperts" | "k">) {
    const m = Math.ceil(Math.log2(n));
    return {
      bits: [m, k, p],
      bitOffsets: [m, k],
      mixing: [1, k, p],
      mixingOffsets: [1, k],
    } satisfies Record<string, Shape>;
  }

  override route(x: Tensor, inference: Inference): Routing {
    checkInput("DSelectKGate", x, this.inputDim);
    const v = this.codes(linear(x, this.bits, this.bitOffsets));
    const mixed = softmax(linear(x, this.mixing, this.mixingOffsets), -1);
    const leafProbs = inference === "hard" ? hardened(v) : v;
    return { shares: leafProbs.mul(mixed), leafProbs, regLoss: this.penalty(v) };
  }

  /** z [B, m, k] -> [B, n, k]: the probability of each code below n. */
  private codes(z: Tensor): Tensor {
    const [batch, m, k] = z.shape;
    const [on, off] = [smoothStep(z, this.gamma), smoothStep(z.neg(), this.gamma)];
    let v = concat([off.narrow(1, 0, 1), on.narrow(1, 0, 1)], 1);
    for (let b = 1; b < m; b++) {
      const pair = concat([off.narrow(1, b, 1), on.narrow(1, b, 1)], 1);
      v = v
        .unsqueeze(2)
        .mul(pair.unsqueeze(1))
        .reshape([batch, 2 ** (b + 1), k]);
    }
    return v.narrow(1, 0, this.nExperts);
  }

  private penalty(v: Tensor): Tensor {
    const omega = entropy(v).mul(this.entropyReg);
    if (Number.isInteger(Math.log2(this.nExperts))) return omega;
    const reached = v.sum(1).add(1e-6);
    return omega.add(reached.reciprocal().sum().mul(this.reachReg));
  }
}
