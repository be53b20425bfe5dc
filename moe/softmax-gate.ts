// The dense baseline: a softmax over all experts.

import { type DType, type Shape, softmax, type Tensor, zeros } from "../engine/index.ts";
import { init, parameter } from "../nn/index.ts";
import { checkInput, Gate, hardened, type Inference, type Routing } from "./gate.ts";

export interface SoftmaxConfig {
  readonly inputDim: number;
  readonly nExperts: number;
  readonly dtype?: DType;
}

/** g = softmax(W x + b), every expert on every sample: one selector that never decides, but in hard inference. */
export class SoftmaxGate extends Gate {
  readonly inputDim: number;
  /** [n, p], Glorot-uniform. */
  readonly weight: Tensor;
  /** [n], zero. */
  readonly bias: Tensor;

  /** @throws ArgumentError for n < 2 */
  constructor({ inputDim, nExperts, dtype }: SoftmaxConfig) {
    super("SoftmaxGate", { nExperts, k: 1 });
    const shapes = SoftmaxGate.shapes({ inputDim, nExperts });
    this.inputDim = inputDim;
    this.weight = parameter(shapes.weight, init.glorotUniform({ fanIn: inputDim, fanOut: nExperts }), { dtype });
    this.bias = parameter(shapes.bias, init.zeros, { dtype });
  }

  static shapes({ inputDim, nExperts }: Pick<SoftmaxConfig, "inputDim" | "nExperts">) {
    return { weight: [nExperts, inputDim], bias: [nExperts] } satisfies Record<string, Shape>;
  }

  override route(x: Tensor, inference: Inference): Routing {
    checkInput("SoftmaxGate", x, this.inputDim);
    const probabilities = softmax(x.matmul(this.weight.t()).add(this.bias), -1).unsqueeze(-1);
    const weights = inference === "hard" ? hardened(probabilities) : probabilities;
    return { shares: weights, leafProbs: weights, regLoss: zeros([], { dtype: weights.dtype }) };
  }
}
