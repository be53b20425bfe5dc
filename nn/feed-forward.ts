// The position-wise parts of a Transformer block: a plain two-layer network, and a gated one.

import type { DType, Tensor } from "../engine/index.ts";
import { GELU, SiLU } from "./activations.ts";
import { Dropout } from "./dropout.ts";
import type { Initializer } from "./init.ts";
import { Linear } from "./linear.ts";
import { Module } from "./module.ts";

export interface FeedForwardOptions {
  /** Default: GELU; gated: SiLU (which makes it SwiGLU). */
  readonly activation?: Module;
  /** Default true; gated: false. */
  readonly bias?: boolean;
  /** Of the hidden features; default 0. */
  readonly dropout?: number;
  /** Of all matrices; default that of Linear. */
  readonly weightInit?: Initializer;
  readonly dtype?: DType;
}

/** down(activation(up(x))): [..., size] -> [..., size] through `hidden` features. */
export class FeedForward extends Module {
  readonly upProj: Linear;
  readonly activation: Module;
  readonly dropout: Dropout;
  readonly downProj: Linear;

  constructor(size: number, hidden: number, options: FeedForwardOptions = {}) {
    super();
    const { activation = new GELU(), bias = true, dropout = 0, weightInit, dtype } = options;
    this.upProj = new Linear(size, hidden, { bias, weightInit, dtype });
    this.activation = activation;
    this.dropout = new Dropout(dropout);
    this.downProj = new Linear(hidden, size, { bias, weightInit, dtype });
  }

  override forward(x: Tensor): Tensor {
    return this.downProj.forward(this.dropout.forward(this.activation.forward(this.upProj.forward(x))));
  }
}

/** down(activation(gate(x)) * up(x)): [..., size] -> [..., size] through `hidden` gated features (Shazeer 2020). */
export class GatedFeedForward extends Module {
  readonly gateProj: Linear;
  readonly upProj: Linear;
  readonly activation: Module;
  readonly dropout: Dropout;
  readonly downProj: Linear;

  constructor(size: number, hidden: number, options: FeedForwardOptions = {}) {
    super();
    const { activation = new SiLU(), bias = false, dropout = 0, weightInit, dtype } = options;
    this.gateProj = new Linear(size, hidden, { bias, weightInit, dtype });
    this.upProj = new Linear(size, hidden, { bias, weightInit, dtype });
    this.activation = activation;
    this.dropout = new Dropout(dropout);
    this.downProj = new Linear(hidden, size, { bias, weightInit, dtype });
  }

  override forward(x: Tensor): Tensor {
    const gated = this.activation.forward(this.gateProj.forward(x)).mul(this.upProj.forward(x));
    return this.downProj.forward(this.dropout.forward(gated));
  }
}
