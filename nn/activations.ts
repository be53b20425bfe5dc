// Activation functions as modules, for Sequential.

import type { DType, GeluOptions, Tensor } from "../engine/index.ts";
import { checkSizes } from "./checks.ts";
import { constant } from "./init.ts";
import { Module } from "./module.ts";
import { parameter } from "./parameter.ts";

/** max(x, 0). */
export class ReLU extends Module {
  override forward(x: Tensor): Tensor {
    return x.relu();
  }
}

/** x * sigmoid(x). */
export class SiLU extends Module {
  override forward(x: Tensor): Tensor {
    return x.silu();
  }
}

/** x * P(Z <= x) for a standard normal Z; `approximate: "tanh"` for the form of GPT-2. */
export class GELU extends Module {
  readonly approximate: "none" | "tanh";

  constructor({ approximate = "none" }: GeluOptions = {}) {
    super();
    this.approximate = approximate;
  }

  override forward(x: Tensor): Tensor {
    return x.gelu({ approximate: this.approximate });
  }
}

/** Hyperbolic tangent. */
export class Tanh extends Module {
  override forward(x: Tensor): Tensor {
    return x.tanh();
  }
}

/** 1 / (1 + e^-x). */
export class Sigmoid extends Module {
  override forward(x: Tensor): Tensor {
    return x.sigmoid();
  }
}

/** log(1 + e^x). */
export class Softplus extends Module {
  override forward(x: Tensor): Tensor {
    return x.softplus();
  }
}

/** x above 0, slope * x elsewhere. */
export class LeakyReLU extends Module {
  readonly slope: number;

  constructor(slope = 0.01) {
    super();
    this.slope = slope;
  }

  override forward(x: Tensor): Tensor {
    return x.leakyRelu(this.slope);
  }
}

/** x above 0, a trained slope times x elsewhere (He et al. 2015): one slope, or one per channel of x [N, C, ...]. */
export class PReLU extends Module {
  readonly weight: Tensor;

  constructor(count = 1, start = 0.25, { dtype }: { readonly dtype?: DType } = {}) {
    super();
    checkSizes("PReLU", { count });
    this.weight = parameter([count], constant(start), { dtype });
  }

  override forward(x: Tensor): Tensor {
    const along = this.weight.size === 1 ? [] : [this.weight.size, ...x.shape.slice(2).map(() => 1)];
    return x.relu().sub(x.neg().relu().mul(this.weight.reshape(along)));
  }
}

/** x above 0, alpha * (e^x - 1) elsewhere. */
export class ELU extends Module {
  readonly alpha: number;

  constructor(alpha = 1) {
    super();
    this.alpha = alpha;
  }

  override forward(x: Tensor): Tensor {
    return x.elu(this.alpha);
  }
}

/** The self-normalising scaled ELU. */
export class SELU extends Module {
  override forward(x: Tensor): Tensor {
    return x.selu();
  }
}

/** x * tanh(softplus(x)) (Misra 2019). */
export class Mish extends Module {
  override forward(x: Tensor): Tensor {
    return x.mul(x.softplus().tanh());
  }
}

/** log(sigmoid(x)). */
export class LogSigmoid extends Module {
  override forward(x: Tensor): Tensor {
    return x.logSigmoid();
  }
}

/** x limited to [min, max]. */
export class Hardtanh extends Module {
  readonly min: number;
  readonly max: number;

  constructor(min = -1, max = 1) {
    super();
    this.min = min;
    this.max = max;
  }

  override forward(x: Tensor): Tensor {
    return x.hardtanh(this.min, this.max);
  }
}

/** clamp(x / 6 + 1/2, 0, 1): a sigmoid of straight lines. */
export class Hardsigmoid extends Module {
  override forward(x: Tensor): Tensor {
    return x.div(6).add(0.5).hardtanh(0, 1);
  }
}

/** x * hardsigmoid(x) (Howard et al. 2019). */
export class Hardswish extends Module {
  override forward(x: Tensor): Tensor {
    return x.mul(x.div(6).add(0.5).hardtanh(0, 1));
  }
}

/** e^x / sum(e^x) along an axis, the last by default. */
export class Softmax extends Module {
  readonly axis: number;

  constructor(axis = -1) {
    super();
    this.axis = axis;
  }

  override forward(x: Tensor): Tensor {
    return x.softmax(this.axis);
  }
}

/** log(softmax(x)) along an axis, the last by default. */
export class LogSoftmax extends Module {
  readonly axis: number;

  constructor(axis = -1) {
    super();
    this.axis = axis;
  }

  override forward(x: Tensor): Tensor {
    return x.logSoftmax(this.axis);
  }
}

/** The input itself. */
export class Identity extends Module {
  override forward(x: Tensor): Tensor {
    return x;
  }
}
