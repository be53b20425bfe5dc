// The tree ensemble layer (Hazimeh et al. 2020), COMET's ancestor: soft trees whose leaves hold vectors.

import { ArgumentError, type DType, type Shape, type Tensor } from "../engine/index.ts";
import { init, Module, parameter } from "../nn/index.ts";
import { linear } from "./comet-gate.ts";
import { checkInput } from "./gate.ts";
import { checkGamma, smoothStep } from "./smooth-step.ts";
import { treeProbabilities } from "./tree.ts";

export interface TreeEnsembleConfig {
  readonly inputDim: number;
  readonly outputDim: number;
  readonly trees: number;
  /** Levels of internal nodes; each tree has 2^depth leaves. */
  readonly depth: number;
  /** Width of the smooth-step's band; default 1. */
  readonly gamma?: number;
  readonly dtype?: DType;
}

/** x [B, p] -> [B, out]: the sum over trees j and leaves l of v_lj(x) o_lj, with free leaf vectors o. */
export class TreeEnsembleLayer extends Module {
  readonly inputDim: number;
  readonly gamma: number;
  /** [2^depth - 1, trees, p] and [2^depth - 1, trees]. */
  readonly hyperplanes: Tensor;
  readonly offsets: Tensor;
  /** [2^depth, trees, out]. */
  readonly leaves: Tensor;

  /** @throws ArgumentError for sizes below 1, gamma <= 0 */
  constructor(config: TreeEnsembleConfig) {
    super();
    const { inputDim, trees, depth, outputDim, gamma = 1, dtype } = config;
    for (const [name, size] of Object.entries({ inputDim, outputDim, trees, depth })) {
      if (!Number.isInteger(size) || size < 1) {
        throw new ArgumentError("TreeEnsembleLayer", `${name} must be at least 1, got ${size}`);
      }
    }
    checkGamma("TreeEnsembleLayer", gamma);
    this.inputDim = inputDim;
    this.gamma = gamma;
    const shapes = TreeEnsembleLayer.shapes(config);
    const small = init.uniform(-gamma / 100, gamma / 100);
    this.hyperplanes = parameter(shapes.hyperplanes, small, { dtype });
    this.offsets = parameter(shapes.offsets, small, { dtype });
    this.leaves = parameter(shapes.leaves, init.uniform(-0.05, 0.05), { dtype });
  }

  static shapes({ inputDim, outputDim, trees, depth }: TreeEnsembleConfig) {
    const n = 2 ** depth;
    return {
      hyperplanes: [n - 1, trees, inputDim],
      offsets: [n - 1, trees],
      leaves: [n, trees, outputDim],
    } satisfies Record<string, Shape>;
  }

  override forward(x: Tensor): Tensor {
    checkInput("TreeEnsembleLayer", x, this.inputDim);
    const t = linear(x, this.hyperplanes, this.offsets);
    const v = treeProbabilities(smoothStep(t, this.gamma), smoothStep(t.neg(), this.gamma)).leaves;
    const [n, trees, out] = this.leaves.shape;
    return v.reshape([x.shape[0], n * trees]).matmul(this.leaves.reshape([n * trees, out]));
  }
}
