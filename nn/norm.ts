// Normalisations that look at one sample: over features (layer, RMS), over groups of channels (group, instance).

import { type DType, formatShape, layerNorm, rmsNorm, type Shape, ShapeError, type Tensor } from "../engine/index.ts";
import { checkDivides, checkSizes } from "./checks.ts";
import { ones, zeros } from "./init.ts";
import { Module } from "./module.ts";
import { parameter } from "./parameter.ts";

export interface NormOptions {
  /** Added to the variance (or mean square); default 1e-5. */
  readonly eps?: number;
  /** Whether a scale (and shift) are trained; default true, for InstanceNorm false. */
  readonly affine?: boolean;
  /** Whether there is a shift where there is a scale; default true (RMSNorm has none). */
  readonly bias?: boolean;
  readonly dtype?: DType;
}

const shapeOf = (size: number | Shape): Shape => (typeof size === "number" ? [size] : size);

/** Layer normalisation over the last axes, which have the given sizes (Ba et al. 2016). */
export class LayerNorm extends Module {
  readonly weight: Tensor | undefined;
  readonly bias: Tensor | undefined;
  readonly shape: Shape;
  readonly eps: number;

  constructor(size: number | Shape, { eps = 1e-5, affine = true, bias = true, dtype }: NormOptions = {}) {
    super();
    this.shape = shapeOf(size);
    this.eps = eps;
    checkSizes("LayerNorm", this.shape);
    this.weight = affine ? parameter(this.shape, ones, { dtype }) : undefined;
    this.bias = affine && bias ? parameter(this.shape, zeros, { dtype }) : undefined;
  }

  override forward(x: Tensor): Tensor {
    return layerNorm(x, this.shape, { weight: this.weight, bias: this.bias, eps: this.eps });
  }
}

/** Root-mean-square normalisation over the last axes (Zhang & Sennrich 2019): no mean, no shift. */
export class RMSNorm extends Module {
  readonly weight: Tensor | undefined;
  readonly shape: Shape;
  readonly eps: number;

  constructor(size: number | Shape, { eps = 1e-5, affine = true, dtype }: Omit<NormOptions, "bias"> = {}) {
    super();
    this.shape = shapeOf(size);
    this.eps = eps;
    checkSizes("RMSNorm", this.shape);
    this.weight = affine ? parameter(this.shape, ones, { dtype }) : undefined;
  }

  override forward(x: Tensor): Tensor {
    return rmsNorm(x, this.shape, { weight: this.weight, eps: this.eps });
  }
}

/** x [N, C, ...]: normalises each of `groups` groups of channels of a sample (Wu & He 2018); scale and shift by channel. */
export class GroupNorm extends Module {
  readonly weight: Tensor | undefined;
  readonly bias: Tensor | undefined;
  readonly groups: number;
  readonly channels: number;
  readonly eps: number;

  constructor(groups: number, channels: number, options: NormOptions = {}) {
    super();
    const { eps = 1e-5, affine = true, bias = true, dtype } = options;
    checkSizes("GroupNorm", { groups, channels });
    checkDivides("GroupNorm", "groups of channels", groups, channels);
    this.groups = groups;
    this.channels = channels;
    this.eps = eps;
    this.weight = affine ? parameter([channels], ones, { dtype }) : undefined;
    this.bias = affine && bias ? parameter([channels], zeros, { dtype }) : undefined;
  }

  override forward(x: Tensor): Tensor {
    if (x.rank < 2 || x.shape[1] !== this.channels)
      throw new ShapeError("GroupNorm", `takes [N, ${this.channels}, ...], got ${formatShape(x.shape)}`);
    const share = x.shape.slice(1).reduce((product, side) => product * side, 1) / this.groups;
    const rows = layerNorm(x.reshape([x.shape[0], this.groups, share]), [share], { eps: this.eps }).reshape(x.shape);
    const along = [this.channels, ...x.shape.slice(2).map(() => 1)];
    const scaled = this.weight === undefined ? rows : rows.mul(this.weight.reshape(along));
    return this.bias === undefined ? scaled : scaled.add(this.bias.reshape(along));
  }
}

/** x [N, C, L]: each channel of a sample on its own (Ulyanov et al. 2016). */
export class InstanceNorm1d extends GroupNorm {
  constructor(channels: number, options: NormOptions = {}) {
    super(channels, channels, { affine: false, ...options });
  }
}

/** x [N, C, H, W]: each channel of a sample on its own. */
export class InstanceNorm2d extends InstanceNorm1d {}
