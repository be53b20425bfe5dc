// Batch normalisation (Ioffe & Szegedy 2015): statistics of the batch in training, running ones outside it.

import {
  ArgumentError,
  assignAll,
  type DType,
  formatShape,
  noGrad,
  ones as onesTensor,
  ShapeError,
  type Tensor,
  tensor,
  zeros as zerosTensor,
} from "../engine/index.ts";
import { checkSizes } from "./checks.ts";
import { ones, zeros } from "./init.ts";
import { Module } from "./module.ts";
import { buffer, parameter } from "./parameter.ts";

export interface BatchNormOptions {
  /** Added to the variance; default 1e-5. */
  readonly eps?: number;
  /** Share of the newest batch in the running statistics; null: their plain average. Default 0.1. */
  readonly momentum?: number | null;
  /** Whether scale and shift are trained; default true. */
  readonly affine?: boolean;
  /** Without running statistics those of the batch are used outside training too; default true. */
  readonly trackRunningStats?: boolean;
  readonly dtype?: DType;
}

/**
 * Normalises each channel (axis 1) over all other axes. The running statistics are updated by each forward in training
 * mode, as a part of the step inside compile(); the running variance is unbiased, as in PyTorch.
 */
abstract class BatchNorm extends Module {
  readonly weight: Tensor | undefined;
  readonly bias: Tensor | undefined;
  readonly runningMean: Tensor | undefined;
  readonly runningVar: Tensor | undefined;
  /** How many batches the running statistics have seen. */
  readonly numBatchesTracked: Tensor | undefined;
  readonly channels: number;
  readonly eps: number;
  readonly momentum: number | null;

  constructor(name: string, channels: number, options: BatchNormOptions) {
    super();
    const { eps = 1e-5, momentum = 0.1, affine = true, trackRunningStats = true, dtype } = options;
    checkSizes(name, { channels });
    if (momentum !== null && !(momentum >= 0 && momentum <= 1))
      throw new ArgumentError(name, `momentum must be in [0, 1] or null, got ${momentum}`);
    this.channels = channels;
    this.eps = eps;
    this.momentum = momentum;
    this.weight = affine ? parameter([channels], ones, { dtype }) : undefined;
    this.bias = affine ? parameter([channels], zeros, { dtype }) : undefined;
    this.runningMean = trackRunningStats ? buffer(zerosTensor([channels], { dtype })) : undefined;
    this.runningVar = trackRunningStats ? buffer(onesTensor([channels], { dtype })) : undefined;
    this.numBatchesTracked = trackRunningStats ? buffer(tensor(0, { dtype: "i32" })) : undefined;
  }

  protected normalize(x: Tensor): Tensor {
    const { weight, bias, runningMean, runningVar } = this;
    const along = [1, this.channels, ...x.shape.slice(2).map(() => 1)];
    const fixed = !this.training && runningMean !== undefined && runningVar !== undefined;
    const axes = x.shape.flatMap((_, i) => (i === 1 ? [] : [i]));
    const mean = fixed ? runningMean.reshape(along) : x.mean(axes, { keepDims: true });
    const centred = x.sub(mean);
    const variance = fixed ? runningVar.reshape(along) : centred.square().mean(axes, { keepDims: true });
    if (this.training) this.track(mean, variance, x.size / this.channels);
    const scale = variance.add(this.eps).rsqrt();
    const y = centred.mul(weight === undefined ? scale : scale.mul(weight.reshape(along)));
    return bias === undefined ? y : y.add(bias.reshape(along));
  }

  private track(mean: Tensor, variance: Tensor, count: number): void {
    const { runningMean, runningVar, numBatchesTracked } = this;
    if (runningMean === undefined || runningVar === undefined || numBatchesTracked === undefined) return;
    if (count < 2) throw new ShapeError(this.constructor.name, "training needs more than one value per channel");
    noGrad(() => {
      const seen = numBatchesTracked.add(1);
      const share = this.momentum ?? seen.cast(runningMean.dtype).reciprocal();
      const next = (running: Tensor, batch: Tensor): Tensor =>
        running.add(batch.reshape([this.channels]).cast(running.dtype).sub(running).mul(share));
      void assignAll([
        [runningMean, next(runningMean, mean)],
        [runningVar, next(runningVar, variance.mul(count / (count - 1)))],
        [numBatchesTracked, seen],
      ]);
    });
  }
}

/** x [N, C] or [N, C, L]; each channel over the rest. */
export class BatchNorm1d extends BatchNorm {
  constructor(channels: number, options: BatchNormOptions = {}) {
    super("BatchNorm1d", channels, options);
  }

  override forward(x: Tensor): Tensor {
    if ((x.rank !== 2 && x.rank !== 3) || x.shape[1] !== this.channels)
      throw new ShapeError("BatchNorm1d", `takes [N, ${this.channels}(, L)], got ${formatShape(x.shape)}`);
    return this.normalize(x);
  }
}

/** x [N, C, H, W]; each channel over the rest. */
export class BatchNorm2d extends BatchNorm {
  constructor(channels: number, options: BatchNormOptions = {}) {
    super("BatchNorm2d", channels, options);
  }

  override forward(x: Tensor): Tensor {
    if (x.rank !== 4 || x.shape[1] !== this.channels)
      throw new ShapeError("BatchNorm2d", `takes [N, ${this.channels}, H, W], got ${formatShape(x.shape)}`);
    return this.normalize(x);
  }
}
