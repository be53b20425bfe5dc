// Losses: scalars, the mean over what they judge.

import {
  DTypeError,
  formatShape,
  gather,
  isFloat,
  logSoftmax,
  ShapeError,
  sameShape,
  type Tensor,
} from "../engine/index.ts";

/**
 * Mean over the rows of -log softmax(logits)[target] (stable for any logits).
 * @param logits [B, C] floats
 * @param targets [B] i32, each in [0, C)
 * @throws ShapeError, DTypeError
 */
export function crossEntropy(logits: Tensor, targets: Tensor): Tensor {
  const { shape } = logits;
  if (shape.length !== 2 || targets.rank !== 1 || targets.shape[0] !== shape[0]) {
    throw new ShapeError(
      "crossEntropy",
      `needs logits [B, C] and targets [B], got ${formatShape(shape)} and ${formatShape(targets.shape)}`,
    );
  }
  if (targets.dtype !== "i32") throw new DTypeError("crossEntropy", `targets must be i32, got ${targets.dtype}`);
  return gather(logSoftmax(logits, -1), 1, targets.reshape([-1, 1]))
    .mean()
    .neg();
}

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

/**
 * Mean of -(y log sigmoid(x) + (1 - y) log(1 - sigmoid(x))), without overflow: softplus(x) - x y.
 * @param logits any shape; @param targets the same shape and dtype, in [0, 1]
 * @throws ShapeError, DTypeError
 */
export function binaryCrossEntropyWithLogits(logits: Tensor, targets: Tensor): Tensor {
  checkPair("binaryCrossEntropyWithLogits", logits, targets);
  return logits.softplus().sub(logits.mul(targets)).mean();
}

function checkPair(op: string, x: Tensor, y: Tensor): void {
  if (!sameShape(x.shape, y.shape)) {
    throw new ShapeError(op, `shapes ${formatShape(x.shape)} and ${formatShape(y.shape)} differ`);
  }
  if (x.dtype !== y.dtype || !isFloat(x.dtype)) {
    throw new DTypeError(op, `needs two f32 or two f64 tensors, got ${x.dtype} and ${y.dtype}`);
  }
}
