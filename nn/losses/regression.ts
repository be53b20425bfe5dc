// Losses of numbers: squared, absolute, and Huber's between them.

import {
  ArgumentError,
  DTypeError,
  formatShape,
  ShapeError,
  sameShape,
  type Tensor,
  where,
} from "../../engine/index.ts";
import { checkPair, type ReductionOptions, reduced } from "./reduction.ts";

/**
 * Mean of (prediction - target)^2 over all elements, or over those where `mask` holds (0 where it holds nowhere).
 * @param prediction any shape; @param target the same shape; @param mask bool, the same shape
 * @throws ShapeError, DTypeError
 */
export function mseLoss(prediction: Tensor, target: Tensor, mask?: Tensor): Tensor {
  checkPair("mseLoss", prediction, target);
  const squares = prediction.sub(target).square();
  if (mask === undefined) return squares.mean();
  if (mask.dtype !== "bool") throw new DTypeError("mseLoss", `the mask must be bool, got ${mask.dtype}`);
  if (!sameShape(mask.shape, target.shape)) {
    throw new ShapeError("mseLoss", `the mask ${formatShape(mask.shape)} and ${formatShape(target.shape)} differ`);
  }
  const count = mask.cast(prediction.dtype).sum();
  return squares.maskedFill(mask.logicalNot(), 0).sum().div(count.maximum(1));
}

/** Mean of |prediction - target|. @throws ShapeError, DTypeError */
export function l1Loss(prediction: Tensor, target: Tensor, options: ReductionOptions = {}): Tensor {
  checkPair("l1Loss", prediction, target);
  return reduced(prediction.sub(target).abs(), options);
}

export interface HuberOptions extends ReductionOptions {
  /** Errors up to here are squared, larger ones grow linearly; default 1. */
  readonly delta?: number;
}

/**
 * Mean of e^2 / 2 where |e| <= delta, of delta (|e| - delta / 2) elsewhere (Huber 1964).
 * @throws ShapeError, DTypeError, ArgumentError
 */
export function huberLoss(prediction: Tensor, target: Tensor, options: HuberOptions = {}): Tensor {
  const { delta = 1 } = options;
  checkPair("huberLoss", prediction, target);
  if (!(delta > 0)) throw new ArgumentError("huberLoss", `delta must be positive, got ${delta}`);
  const error = prediction.sub(target);
  const size = error.abs();
  const losses = where(size.lessEqual(delta), error.square().mul(0.5), size.sub(delta / 2).mul(delta));
  return reduced(losses, options);
}

/** Huber's loss over `beta`: slope 1 far out (Girshick 2015). */
export const smoothL1Loss = (
  prediction: Tensor,
  target: Tensor,
  { beta = 1, ...options }: ReductionOptions & { readonly beta?: number } = {},
): Tensor => huberLoss(prediction, target, { ...options, delta: beta }).div(beta);
