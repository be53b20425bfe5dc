// COMET's gate: k trees with smooth-step routing whose leaves are the experts, and one softmax over all leaves.

import { type DType, type Shape, softmax, type Tensor } from "../engine/index.ts";
import { init, parameter } from "../nn/index.ts";
import { checkInput, entropy, Gate, hardened, type Inference, type Routing } from "./gate.ts";
import { checkGamma, smoothStep } from "./smooth-step.ts";
import { type TreeProbabilities, treeProbabilities } from "./tree.ts";

export interface COMETConfig {
  readonly inputDim: number;
  readonly nExperts: number;
  /** The number of trees: the most experts a sample uses once every tree has decided. */
  readonly k: number;
  /** Width of the smooth-step's band; default 1. */
  readonly gamma?: number;
  /** lambda, the factor of the entropy term Omega; default 0. */
  readonly entropyReg?: number;
  /** Whether the hyperplanes have a bias; default true. */
  readonly bias?: boolean;
  /** Hyperplanes start uniform in +-initRange; default gamma / 100, so that every node starts near 1/2. */
  readonly initRange?: number;
  readonly dtype?: DType;
}

/** Scores start uniform in +-this. */
const scoreRange = 0.05;

/**
 * The COMET gate (Ibrahim et al. 2023, section 2): each tree's leaf probabilities v are products of smooth-steps of
 * hyperplanes along the path, each leaf has a linear score a, and
 * g_i = sum_j exp(a_ij) v_ij / sum_j' sum_i' exp(a_i'j') v_i'j'. Leaves with v = 0 have weight exactly 0.
 */
export class COMETGate extends Gate {
  readonly inputDim: number;
  readonly gamma: number;
  readonly entropyReg: number;
  /** [n-1, k, p] and [n-1, k]: the internal nodes, by heap id. */
  readonly hyperplanes: Tensor;
  readonly offsets: Tensor | undefined;
  /** [n, k, p] and [n, k]: the leaves' scores, in the experts' order. */
  readonly scores: Tensor;
  readonly scoreOffsets: Tensor;

  /** @throws ArgumentError for n < 2, k > n, gamma <= 0 */
  constructor(config: COMETConfig) {
    super("COMETGate", config);
    const { inputDim, gamma = 1, entropyReg = 0, bias = true, initRange = gamma / 100, dtype } = config;
    checkGamma("COMETGate", gamma);
    this.inputDim = inputDim;
    this.gamma = gamma;
    this.entropyReg = entropyReg;
    const shapes = COMETGate.shapes(config);
    const small = init.uniform(-initRange, initRange);
    const score = init.uniform(-scoreRange, scoreRange);
    this.hyperplanes = parameter(shapes.hyperplanes, small, { dtype });
    this.offsets = bias ? parameter(shapes.offsets, small, { dtype }) : undefined;
    this.scores = parameter(shapes.scores, score, { dtype });
    this.scoreOffsets = parameter(shapes.scoreOffsets, score, { dtype });
  }

  /** The shapes of all parameters: (2n-1) k (p+1) numbers. */
  static shapes({ inputDim: p, nExperts: n, k }: Pick<COMETConfig, "inputDim" | "nExperts" | "k">) {
    return {
      hyperplanes: [n - 1, k, p],
      offsets: [n - 1, k],
      scores: [n, k, p],
      scoreOffsets: [n, k],
    } satisfies Record<string, Shape>;
  }

  override route(x: Tensor, inference: Inference): Routing {
    const v = this.trees(x).leaves;
    const leafProbs = inference === "hard" ? hardened(v) : v;
    const scores = linear(x, this.scores, this.scoreOffsets);
    return { shares: jointSoftmax(scores, leafProbs), leafProbs, regLoss: entropy(v).mul(this.entropyReg) };
  }

  /** Mean share of the samples x [B, p] that arrives at each node of each tree: [2n-1, k], by heap id. */
  nodeShares(x: Tensor): Tensor {
    return this.trees(x).nodes().mean(0);
  }

  private trees(x: Tensor): TreeProbabilities {
    checkInput("COMETGate", x, this.inputDim);
    const t = linear(x, this.hyperplanes, this.offsets);
    // 1 - S(t) as S(-t): exact near 0, and never negative.
    return treeProbabilities(smoothStep(t, this.gamma), smoothStep(t.neg(), this.gamma));
  }
}

/** x [B, p] times weights [r, k, p] plus offsets [r, k] -> [B, r, k]: one matrix product for all rows of all trees. */
export function linear(x: Tensor, weights: Tensor, offsets: Tensor | undefined): Tensor {
  const [rows, k, p] = weights.shape;
  const product = x.matmul(weights.reshape([rows * k, p]).t()).reshape([x.shape[0], rows, k]);
  return offsets === undefined ? product : product.add(offsets);
}

/**
 * exp(a) v normalised over all experts and trees jointly (COMET 2.4); exactly 0, with gradient 0, where v is 0.
 * @param scores a [B, n, k]; @param v [B, n, k]
 */
export function jointSoftmax(scores: Tensor, v: Tensor): Tensor {
  const [batch, n, k] = v.shape;
  const alive = v.greater(0);
  // log of 1 in place of log of 0: an infinity there would meet a zero in the gradient.
  const logits = alive.where(scores.add(alive.where(v, 1).log()), Number.NEGATIVE_INFINITY);
  return softmax(logits.reshape([batch, n * k]), -1).reshape([batch, n, k]);
}
