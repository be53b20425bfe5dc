// The sparse baseline: a softmax over the k largest logits (Shazeer et al. 2017).

import { type DType, oneHot, randn, type Shape, softmax, type Tensor, topk, zeros } from "../engine/index.ts";
import { init, parameter } from "../nn/index.ts";
import { checkInput, Gate, type Routing } from "./gate.ts";

export interface TopKConfig {
  readonly inputDim: number;
  readonly nExperts: number;
  readonly k: number;
  /** Whether logits are jittered in training by N(0,1) * softplus(W_noise x); default false. */
  readonly noise?: boolean;
  readonly dtype?: DType;
}

/**
 * Logits h = W x + b; the k largest (by position: of equals the first, and a logit of 0 counts) share a softmax, the
 * others get exactly 0. With k = n it is the softmax gate.
 */
export class TopKGate extends Gate {
  readonly inputDim: number;
  /** [n, p], Glorot-uniform. */
  readonly weight: Tensor;
  /** [n], zero. */
  readonly bias: Tensor;
  /** [n, p], zero; only with noise. */
  readonly noiseWeight: Tensor | undefined;

  /** @throws ArgumentError for n < 2, k > n */
  constructor({ inputDim, nExperts, k, noise = false, dtype }: TopKConfig) {
    super("TopKGate", { nExperts, k });
    const shapes = TopKGate.shapes({ inputDim, nExperts });
    this.inputDim = inputDim;
    this.weight = parameter(shapes.weight, init.glorotUniform({ fanIn: inputDim, fanOut: nExperts }), { dtype });
    this.bias = parameter(shapes.bias, init.zeros, { dtype });
    this.noiseWeight = noise ? parameter(shapes.weight, init.zeros, { dtype }) : undefined;
  }

  static shapes({ inputDim, nExperts }: Pick<TopKConfig, "inputDim" | "nExperts">) {
    return { weight: [nExperts, inputDim], bias: [nExperts] } satisfies Record<string, Shape>;
  }

  override route(x: Tensor): Routing {
    checkInput("TopKGate", x, this.inputDim);
    const logits = this.jittered(x, x.matmul(this.weight.t()).add(this.bias));
    const { values, indices } = topk(logits, this.k, -1);
    // [B, k, n]: selector j is the j-th best expert, and has its part of the softmax over the k.
    const picked = oneHot(indices, this.nExperts, logits.dtype);
    const shares = picked.mul(softmax(values, -1).unsqueeze(-1));
    return { shares: shares.mT(), leafProbs: picked.mT(), regLoss: zeros([], { dtype: logits.dtype }) };
  }

  private jittered(x: Tensor, logits: Tensor): Tensor {
    if (this.noiseWeight === undefined || !this.training) return logits;
    const scale = x.matmul(this.noiseWeight.t()).softplus();
    return logits.add(randn(logits.shape).cast(logits.dtype).mul(scale));
  }
}
