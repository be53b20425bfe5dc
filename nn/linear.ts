// Linear: y = x W^T + b, laid out as in PyTorch.

import { ArgumentError, type DType, formatShape, type Shape, ShapeError, type Tensor } from "../engine/index.ts";
import { type Initializer, uniform } from "./init.ts";
import { Module } from "./module.ts";
import { parameter } from "./parameter.ts";

export interface LinearOptions {
  /** Whether to add a bias; default true. */
  readonly bias?: boolean;
  /** Default: uniform in +-1/sqrt(inFeatures), as in PyTorch; the bias likewise. */
  readonly weightInit?: Initializer;
  readonly biasInit?: Initializer;
  readonly dtype?: DType;
}

/** x [..., in] -> [..., out]; weight [out, in], bias [out]. */
export class Linear extends Module {
  readonly weight: Tensor;
  readonly bias: Tensor | undefined;

  constructor(inFeatures: number, outFeatures: number, options: LinearOptions = {}) {
    super();
    const { bias = true, dtype } = options;
    for (const side of [inFeatures, outFeatures]) {
      if (!Number.isInteger(side) || side < 1)
        throw new ArgumentError("Linear", `a size must be at least 1, got ${side}`);
    }
    const standard = uniform(-1 / Math.sqrt(inFeatures), 1 / Math.sqrt(inFeatures));
    const shapes = Linear.shapes(inFeatures, outFeatures);
    this.weight = parameter(shapes.weight, options.weightInit ?? standard, { dtype });
    this.bias = bias ? parameter(shapes.bias, options.biasInit ?? standard, { dtype }) : undefined;
  }

  /** The shapes of a linear layer's parameters. */
  static shapes(inFeatures: number, outFeatures: number) {
    return { weight: [outFeatures, inFeatures], bias: [outFeatures] } satisfies Record<string, Shape>;
  }

  override forward(x: Tensor): Tensor {
    const [outFeatures, inFeatures] = this.weight.shape;
    if (x.shape.at(-1) !== inFeatures) {
      throw new ShapeError(
        "Linear",
        `takes [..., ${inFeatures}] to [..., ${outFeatures}], got x ${formatShape(x.shape)}`,
      );
    }
    // One matrix product over all leading axes.
    const rows = x.rank === 2 ? x : x.reshape([-1, inFeatures]);
    const product = rows.matmul(this.weight.transpose(0, 1));
    const y = this.bias === undefined ? product : product.add(this.bias);
    return x.rank === 2 ? y : y.reshape([...x.shape.slice(0, -1), outFeatures]);
  }
}
