// LayerScale: a trained factor per channel at the end of a residual branch (Touvron et al. 2021).

import type { DType, Tensor } from "../engine/index.ts";
import { checkSizes } from "./checks.ts";
import { constant } from "./init.ts";
import { Module } from "./module.ts";
import { parameter } from "./parameter.ts";

/** x [..., size] -> x * gamma; gamma [size] starts small, so that a block starts as the identity. */
export class LayerScale extends Module {
  readonly gamma: Tensor;

  constructor(size: number, start = 1e-5, { dtype }: { readonly dtype?: DType } = {}) {
    super();
    checkSizes("LayerScale", { size });
    this.gamma = parameter([size], constant(start), { dtype });
  }

  override forward(x: Tensor): Tensor {
    return x.mul(this.gamma);
  }
}
