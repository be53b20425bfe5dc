// Losses of classes: cross-entropy with all its options, and its binary form.

import {
  ArgumentError,
  DTypeError,
  formatShape,
  gather,
  isFloat,
  logSoftmax,
  operation,
  ShapeError,
  sameShape,
  type Tensor,
  where,
} from "../../engine/index.ts";
import { checkPair, type Reduction, type ReductionOptions, reduced } from "./reduction.ts";

export interface CrossEntropyOptions {
  /** A weight per class, [C]: the mean is weighed by those of the targets. */
  readonly weight?: Tensor;
  /** Share of the target spread evenly over all classes, in [0, 1); default 0. */
  readonly labelSmoothing?: number;
  /** Targets of this value count for nothing (of numbered targets only). */
  readonly ignoreIndex?: number;
  /** Default "mean": over what is not ignored; 0 where everything is. */
  readonly reduction?: Reduction;
}

/**
 * Mean of -log softmax(logits)[target] (stable for any logits).
 * @param logits [..., C] floats
 * @param targets [...] i32, each in [0, C) or `ignoreIndex`; or [..., C] probabilities of logits' dtype
 * @throws ShapeError, DTypeError, ArgumentError
 */
export const crossEntropy = operation("crossEntropy", entropyOf, "targets");

function entropyOf(logits: Tensor, targets: Tensor, options: CrossEntropyOptions = {}): Tensor {
  const { weight, labelSmoothing = 0 } = options;
  const { shape } = logits;
  const soft = isFloat(targets.dtype) && sameShape(shape, targets.shape);
  if (shape.length === 0 || !(soft || sameShape(shape.slice(0, -1), targets.shape))) {
    throw new ShapeError(
      "crossEntropy",
      `needs logits [B, C] and targets [B], got ${formatShape(shape)} and ${formatShape(targets.shape)}`,
    );
  }
  const classes = shape[shape.length - 1];
  if (weight !== undefined && !sameShape(weight.shape, [classes]))
    throw new ShapeError("crossEntropy", `the weight must be [${classes}], got ${formatShape(weight.shape)}`);
  if (!(labelSmoothing >= 0 && labelSmoothing < 1))
    throw new ArgumentError("crossEntropy", `labelSmoothing must be in [0, 1), got ${labelSmoothing}`);
  if (!soft && targets.dtype !== "i32")
    throw new DTypeError("crossEntropy", `targets must be i32, got ${targets.dtype}`);
  const logs = logSoftmax(logits, -1);
  return soft ? softLoss(logs, targets, options) : hardLoss(logs, targets, options);
}

function softLoss(logs: Tensor, targets: Tensor, options: CrossEntropyOptions): Tensor {
  const { weight, labelSmoothing = 0, ignoreIndex } = options;
  if (ignoreIndex !== undefined) throw new ArgumentError("crossEntropy", "ignoreIndex needs numbered targets");
  const classes = logs.shape[logs.rank - 1];
  const smooth = labelSmoothing === 0 ? targets : targets.mul(1 - labelSmoothing).add(labelSmoothing / classes);
  const weighed = weight === undefined ? smooth : smooth.mul(weight);
  // A probability of 0 says nothing about its class, even one whose logit is -Inf.
  const losses = where(weighed.equal(0), 0, weighed.mul(logs)).sum(-1).neg();
  return reduced(losses, options);
}

function hardLoss(logs: Tensor, targets: Tensor, options: CrossEntropyOptions): Tensor {
  const { weight, labelSmoothing = 0, ignoreIndex, reduction = "mean" } = options;
  const classes = logs.shape[logs.rank - 1];
  const ignored = ignoreIndex === undefined ? undefined : targets.equal(ignoreIndex);
  const index = (ignored === undefined ? targets : targets.maskedFill(ignored, 0)).unsqueeze(-1);
  const own = gather(logs, -1, index).squeeze(-1).neg();
  const share = weight === undefined ? undefined : gather(weight, 0, index.flatten()).reshape(own.shape);
  const sharp = share === undefined ? own : own.mul(share);
  const drop = (x: Tensor): Tensor => (ignored === undefined ? x : x.maskedFill(ignored, 0));
  const spread = (): Tensor => (weight === undefined ? logs : logs.mul(weight)).sum(-1).mul(-labelSmoothing / classes);
  const losses = drop(labelSmoothing === 0 ? sharp : sharp.mul(1 - labelSmoothing).add(spread()));
  if (reduction !== "mean" || (share === undefined && ignored === undefined)) return reduced(losses, options);
  const counted = drop(share ?? own.mul(0).add(1).detach()).sum();
  return losses.sum().div(where(counted.greater(0), counted, 1));
}

export interface BinaryOptions extends ReductionOptions {
  /** Factor of the loss of positives; broadcasts to the logits. */
  readonly positiveWeight?: Tensor | number;
}

/**
 * Mean of -(w y log sigmoid(x) + (1 - y) log(1 - sigmoid(x))), without overflow.
 * @param logits any shape; @param targets the same shape and dtype, in [0, 1]
 * @throws ShapeError, DTypeError
 */
export function binaryCrossEntropyWithLogits(logits: Tensor, targets: Tensor, options: BinaryOptions = {}): Tensor {
  checkPair("binaryCrossEntropyWithLogits", logits, targets);
  const { positiveWeight } = options;
  // -log sigmoid(x) = softplus(-x) = softplus(x) - x, and -log(1 - sigmoid(x)) = softplus(x).
  if (positiveWeight === undefined) return reduced(logits.softplus().sub(logits.mul(targets)), options);
  const positive = targets.mul(positiveWeight).mul(logits.neg().softplus());
  return reduced(positive.add(targets.neg().add(1).mul(logits.softplus())), options);
}
