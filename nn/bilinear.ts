// Bilinear: a form in two inputs, one per output, laid out as in PyTorch.

import { formatShape, ShapeError, sameShape, type Tensor } from "../engine/index.ts";
import { checkSizes } from "./checks.ts";
import { uniform } from "./init.ts";
import type { LinearOptions } from "./linear.ts";
import { Module } from "./module.ts";
import { parameter } from "./parameter.ts";

/** y_o = x^T W_o z + b_o: x [..., left] and z [..., right] -> [..., out]; weight [out, left, right], bias [out]. */
export class Bilinear extends Module<[x: Tensor, z: Tensor]> {
  readonly weight: Tensor;
  readonly bias: Tensor | undefined;

  constructor(left: number, right: number, out: number, options: LinearOptions = {}) {
    super();
    checkSizes("Bilinear", { left, right, out });
    const { bias = true, dtype } = options;
    const standard = uniform(-1 / Math.sqrt(left), 1 / Math.sqrt(left));
    this.weight = parameter([out, left, right], options.weightInit ?? standard, { dtype });
    this.bias = bias ? parameter([out], options.biasInit ?? standard, { dtype }) : undefined;
  }

  override forward(x: Tensor, z: Tensor): Tensor {
    const [out, left, right] = this.weight.shape;
    const lead = x.shape.slice(0, -1);
    if (x.shape.at(-1) !== left || z.shape.at(-1) !== right || !sameShape(lead, z.shape.slice(0, -1))) {
      throw new ShapeError(
        "Bilinear",
        `takes [..., ${left}] and [..., ${right}], got ${formatShape(x.shape)} and ${formatShape(z.shape)}`,
      );
    }
    // One matrix product for all outputs, then a weighted sum over the second input.
    const matrix = this.weight.permute([1, 0, 2]).reshape([left, out * right]);
    const halfway = x.reshape([-1, left]).matmul(matrix).reshape([-1, out, right]);
    const y = halfway
      .mul(z.reshape([-1, 1, right]))
      .sum(-1)
      .reshape([...lead, out]);
    return this.bias === undefined ? y : y.add(this.bias);
  }
}
