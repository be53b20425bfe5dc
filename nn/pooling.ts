// Pooling as modules.

import {
  type AvgPoolOptions,
  adaptiveAvgPool1d,
  adaptiveAvgPool2d,
  avgPool1d,
  avgPool2d,
  maxPool1d,
  maxPool2d,
  type PerAxis,
  type PoolOptions,
  type Tensor,
} from "../engine/index.ts";
import { Module } from "./module.ts";

abstract class Pool<Options> extends Module {
  readonly size: PerAxis;
  protected readonly options: Options;

  constructor(size: PerAxis, options: Options) {
    super();
    this.size = size;
    this.options = options;
  }
}

/** The largest of each window of [..., L]. */
export class MaxPool1d extends Pool<PoolOptions> {
  constructor(size: PerAxis, options: PoolOptions = {}) {
    super(size, options);
  }

  override forward(x: Tensor): Tensor {
    return maxPool1d(x, this.size, this.options);
  }
}

/** The largest of each window of [..., H, W]. */
export class MaxPool2d extends Pool<PoolOptions> {
  constructor(size: PerAxis, options: PoolOptions = {}) {
    super(size, options);
  }

  override forward(x: Tensor): Tensor {
    return maxPool2d(x, this.size, this.options);
  }
}

/** The mean of each window of [..., L]. */
export class AvgPool1d extends Pool<AvgPoolOptions> {
  constructor(size: PerAxis, options: AvgPoolOptions = {}) {
    super(size, options);
  }

  override forward(x: Tensor): Tensor {
    return avgPool1d(x, this.size, this.options);
  }
}

/** The mean of each window of [..., H, W]. */
export class AvgPool2d extends Pool<AvgPoolOptions> {
  constructor(size: PerAxis, options: AvgPoolOptions = {}) {
    super(size, options);
  }

  override forward(x: Tensor): Tensor {
    return avgPool2d(x, this.size, this.options);
  }
}

/** Means of `size` even shares of [..., L]. */
export class AdaptiveAvgPool1d extends Pool<undefined> {
  constructor(size: PerAxis) {
    super(size, undefined);
  }

  override forward(x: Tensor): Tensor {
    return adaptiveAvgPool1d(x, this.size);
  }
}

/** Means of `size` even shares of both axes of [..., H, W]. */
export class AdaptiveAvgPool2d extends Pool<undefined> {
  constructor(size: PerAxis) {
    super(size, undefined);
  }

  override forward(x: Tensor): Tensor {
    return adaptiveAvgPool2d(x, this.size);
  }
}
