// Sinkhorn normalisation in log space: from any matrix to a doubly stochastic one, differentiably.

import { ArgumentError, formatShape, logsumexp, ShapeError, type Tensor } from "../engine/index.ts";

/**
 * exp of the logits after `iterations` rounds of: subtract each row's logsumexp, then each column's (COMET 2.6). Columns
 * add up to 1 exactly, rows in the limit. The gradient flows through every round.
 * @param logits [..., n, n]
 * @throws ArgumentError, ShapeError
 */
export function sinkhorn(logits: Tensor, iterations: number): Tensor {
  checkCount("iterations", iterations);
  checkSquare(logits);
  let result = logits;
  for (let i = 0; i < iterations; i++) result = round(result);
  return result.exp();
}

/**
 * `sinkhorn` with a number of iterations that is data: rounds beyond `iterations` leave the matrix as it is, so the
 * result is that of `sinkhorn`, to the bit. A compiled step is traced once and pays for `limit` rounds: with n = 8 and 150
 * of them, forward and backward take 0.4 ms, where tracing each number anew would take 60 to 600 ms.
 * @param iterations scalar i32, at most `limit`
 */
export function sinkhornUpTo(logits: Tensor, iterations: Tensor, limit: number): Tensor {
  checkCount("limit", limit);
  checkSquare(logits);
  let result = logits;
  for (let i = 0; i < limit; i++) result = iterations.greater(i).where(round(result), result);
  return result.exp();
}

const keep = { keepDims: true } as const;

function round(logits: Tensor): Tensor {
  const rows = logits.sub(logsumexp(logits, -1, keep));
  return rows.sub(logsumexp(rows, -2, keep));
}

function checkCount(what: string, count: number): void {
  if (!Number.isInteger(count) || count < 1)
    throw new ArgumentError("sinkhorn", `${what} must be at least 1, got ${count}`);
}

function checkSquare(logits: Tensor): void {
  if (logits.rank < 2 || logits.shape.at(-1) !== logits.shape.at(-2)) {
    throw new ShapeError("sinkhorn", `needs square matrices [..., n, n], got ${formatShape(logits.shape)}`);
  }
}
