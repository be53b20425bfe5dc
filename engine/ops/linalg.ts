// Matrix products.

import { isFloat, promote } from "../dtype.ts";
import { ShapeError } from "../errors.ts";
import { operation } from "../operation.ts";
import { build } from "../primitives/index.ts";
import { broadcastParts, formatShape } from "../shape.ts";
import { Tensor } from "../tensor.ts";
import { cast, mul } from "./elementwise.ts";
import { broadcastTo, flatten, reshape, unsqueeze } from "./movement.ts";
import { checkTensor } from "./operand.ts";
import { sum } from "./reduce.ts";

/**
 * Matrix product, NumPy rules: [..., m, k] x [..., k, n] -> [..., m, n] with batch axes broadcast; a vector on the left
 * is a row, on the right a column, and its axis disappears. i32 and bool count as f32. Throws a ShapeError for scalars
 * and where sides do not fit.
 */
export const matmul = operation("matmul", (x: Tensor, y: Tensor): Tensor => {
  checkTensor("matmul", x);
  checkTensor("matmul", y, "y");
  const shapes = `${formatShape(x.shape)} and ${formatShape(y.shape)}`;
  if (x.rank === 0 || y.rank === 0) throw new ShapeError("matmul", `needs at least one axis each, got ${shapes}`);
  const [inner, other] = [x.shape[x.rank - 1], y.shape[Math.max(0, y.rank - 2)]];
  if (inner !== other) {
    const axis = y.rank === 1 ? "the axis" : "the second last axis";
    throw new ShapeError(
      "matmul",
      `shapes ${shapes} do not fit: the last axis of x is ${inner}, ${axis} of y ${other}`,
    );
  }
  const dtype = promote(promote(x.dtype, y.dtype), "f32");
  const left = cast(x.rank === 1 ? unsqueeze(x, 0) : x, dtype);
  const right = cast(y.rank === 1 ? unsqueeze(y, 1) : y, dtype);
  const product = contract(left, right);
  const dropped = [...(x.rank === 1 ? [product.rank - 2] : []), ...(y.rank === 1 ? [product.rank - 1] : [])];
  return reshape(
    product,
    product.shape.filter((_, i) => !dropped.includes(i)),
  );
});

/** [..., m, k] x [..., k, n], both of rank >= 2 and one float dtype. */
function contract(x: Tensor, y: Tensor): Tensor {
  // One matrix for a whole batch: the batch is more rows of one product, and the gradient of y needs no sum over it.
  if (y.rank === 2 && x.rank > 2) {
    const rows = flatten(x, 0, -2);
    return reshape(contract(rows, y), [...x.shape.slice(0, -1), y.shape[1]]);
  }
  const batch = broadcastParts("matmul", [x.shape.slice(0, -2), y.shape.slice(0, -2)], [x.shape, y.shape]);
  const [a, b] = [x, y].map((operand) => broadcastTo(operand, [...batch, ...operand.shape.slice(-2)]));
  return new Tensor(build.apply("contract", [a.node, b.node], {}));
}

/** Sum of products of two vectors: [n] x [n] -> scalar. */
export const dot = operation("dot", (x: Tensor, y: Tensor): Tensor => {
  checkTensor("dot", x);
  checkTensor("dot", y, "y");
  if (x.rank !== 1 || y.rank !== 1 || x.shape[0] !== y.shape[0]) {
    throw new ShapeError(
      "dot",
      `needs two vectors of one length, got ${formatShape(x.shape)} and ${formatShape(y.shape)}`,
    );
  }
  return isFloat(promote(x.dtype, y.dtype)) ? matmul(x, y) : sum(mul(x, y));
});

/** All products of two vectors: [n] x [m] -> [n, m]. */
export const outer = operation("outer", (x: Tensor, y: Tensor): Tensor => {
  checkTensor("outer", x);
  checkTensor("outer", y, "y");
  if (x.rank !== 1 || y.rank !== 1) {
    throw new ShapeError("outer", `needs two vectors, got ${formatShape(x.shape)} and ${formatShape(y.shape)}`);
  }
  return mul(unsqueeze(x, 1), unsqueeze(y, 0));
});
