// What losses share: how elements become one number, and checks of pairs.

import { DTypeError, formatShape, isFloat, ShapeError, sameShape, type Tensor } from "../../engine/index.ts";

/** How a loss per element becomes one number; "none": it does not. */
export type Reduction = "mean" | "sum" | "none";

export interface ReductionOptions {
  /** Default "mean". */
  readonly reduction?: Reduction;
}

export function reduced(losses: Tensor, { reduction = "mean" }: ReductionOptions): Tensor {
  if (reduction === "none") return losses;
  return reduction === "sum" ? losses.sum() : losses.mean();
}

/** Throws a ShapeError or DTypeError unless both are floats of one shape and dtype. */
export function checkPair(op: string, x: Tensor, y: Tensor): void {
  if (!sameShape(x.shape, y.shape)) {
    throw new ShapeError(op, `shapes ${formatShape(x.shape)} and ${formatShape(y.shape)} differ`);
  }
  if (x.dtype !== y.dtype || !isFloat(x.dtype)) {
    throw new DTypeError(op, `needs two f32 or two f64 tensors, got ${x.dtype} and ${y.dtype}`);
  }
}
