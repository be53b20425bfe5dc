// The mixture-of-experts feed-forward of the 15A2B configuration: a softmax router over fine-grained SwiGLU experts.

import {
  ArgumentError,
  combineByExpert,
  type DType,
  dispatchByExpert,
  gatherByExpert,
  groupedMatmul,
  logsumexp,
  oneHot,
  type Shape,
  type Tensor,
  topk,
} from "../../engine/index.ts";
import { init, Linear, Module, parameter } from "../../nn/index.ts";

export interface ExpertsOptions {
  /** How many there are. */
  readonly experts: number;
  /** How many of them each token uses. */
  readonly topK: number;
  /** Hidden features of one expert. */
  readonly hidden: number;
}

/** What a router decided for T tokens: what the losses of 2.6 need. */
export interface Routing {
  /** [T, experts]. */
  readonly logits: Tensor;
  /** softmax of the logits. */
  readonly probabilities: Tensor;
  /** i32 [T, topK]: the experts chosen. */
  readonly chosen: Tensor;
}

export interface ExpertsOutput {
  /** [B, n, dModel]. */
  readonly output: Tensor;
  readonly routing: Routing;
}

/** Every token goes to its topK most probable experts, weighed by their probabilities divided by their sum. */
export class ExpertFeedForward extends Module<[x: Tensor], ExpertsOutput> {
  /** The router: weight [experts, dModel], no bias. */
  readonly gate: Linear;
  /** [experts, hidden, dModel]: an expert's matrix is laid out as a Linear's. */
  readonly gateProj: Tensor;
  readonly upProj: Tensor;
  /** [experts, dModel, hidden]. */
  readonly downProj: Tensor;
  readonly experts: number;
  readonly topK: number;

  /** @throws ArgumentError unless 1 <= topK <= experts */
  constructor(dModel: number, options: ExpertsOptions & { readonly initStd?: number; readonly dtype?: DType }) {
    super();
    const { experts, topK, hidden, initStd = 0.02, dtype } = options;
    if (!Number.isInteger(experts) || !Number.isInteger(topK) || topK < 1 || topK > experts)
      throw new ArgumentError("ExpertFeedForward", `topK must be from 1 to experts = ${experts}, got ${topK}`);
    const weightInit = init.normal(0, initStd);
    this.gate = new Linear(dModel, experts, { bias: false, weightInit, dtype });
    this.gateProj = parameter([experts, hidden, dModel], weightInit, { dtype });
    this.upProj = parameter([experts, hidden, dModel], weightInit, { dtype });
    this.downProj = parameter([experts, dModel, hidden], weightInit, { dtype });
    this.experts = experts;
    this.topK = topK;
  }

  /** The shapes of its parameters. */
  static shapes(dModel: number, { experts, hidden }: ExpertsOptions): Record<string, Shape> {
    return {
      gateProj: [experts, hidden, dModel],
      upProj: [experts, hidden, dModel],
      downProj: [experts, dModel, hidden],
      "gate.weight": [experts, dModel],
    };
  }

  /** x [B, n, dModel]. */
  override forward(x: Tensor): ExpertsOutput {
    const rows = x.reshape([-1, x.shape.at(-1) ?? 1]);
    const logits = this.gate.forward(rows);
    const probabilities = logits.softmax(-1);
    const { values, indices } = topk(probabilities, this.topK, -1);
    const dispatch = dispatchByExpert(indices, this.experts);
    const sorted = gatherByExpert(rows, dispatch);
    const through = (h: Tensor, weight: Tensor): Tensor => groupedMatmul(h, weight.mT(), dispatch.offsets);
    const hidden = through(sorted, this.gateProj).silu().mul(through(sorted, this.upProj));
    const weights = values.div(values.sum(-1, { keepDims: true }));
    const mixed = combineByExpert(through(hidden, this.downProj), weights, dispatch);
    return { output: mixed.reshape(x.shape), routing: { logits, probabilities, chosen: indices } };
  }
}

/** L_LB = E * sum_e f_e P_e: f the share of routed choices, P the mean probability, over all tokens; 1 when balanced. */
export function loadBalanceLoss({ probabilities, chosen }: Routing): Tensor {
  const experts = probabilities.shape[1];
  const shares = oneHot(chosen, experts, probabilities.dtype).mean([0, 1]);
  return shares.mul(probabilities.mean(0)).sum().mul(experts);
}

/** L_z = mean of logsumexp(router logits)^2. */
export const routerZLoss = ({ logits }: Routing): Tensor => logsumexp(logits, -1).square().mean();
