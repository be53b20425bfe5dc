// Complete binary trees with any number of leaves, as products along paths. Node q has children 2q+1 (left), 2q+2.

import { concat, stack, type Tensor } from "../engine/index.ts";

/** Sizes of a complete binary tree with n leaves in heap numbering: nodes 0..n-2 are internal, n-1..2n-2 are leaves. */
export function treeShape(n: number): { depth: number; deep: number } {
  const depth = Math.floor(Math.log2(n));
  // At level `depth` the first `deep` of 2^depth nodes still have children: the tree is filled from the left.
  return { depth, deep: n - 2 ** depth };
}

/** The heap ids of the leaves in left-to-right, depth-first order: expert i sits at leaf `leafOrder(n)[i]`. */
export function leafOrder(n: number): number[] {
  const order: number[] = [];
  const visit = (q: number): void => {
    if (q >= n - 1) order.push(q);
    else {
      visit(2 * q + 1);
      visit(2 * q + 2);
    }
  };
  visit(0);
  return order;
}

/** The probability that a sample arrives at each node of each tree. */
export interface TreeProbabilities {
  /** [B, n, k], experts in depth-first order; sums to 1 over n. */
  readonly leaves: Tensor;
  /** [B, 2n-1, k], by heap id. */
  nodes(): Tensor;
}

/**
 * Products along the paths of k trees (COMET 2.3).
 * @param left [B, n-1, k] the probability of going left at each internal node
 * @param right [B, n-1, k] that of going right, 1 - left
 */
export function treeProbabilities(left: Tensor, right: Tensor): TreeProbabilities {
  const [batch, internal, k] = left.shape;
  const { depth, deep } = treeShape(internal + 1);
  const descend = (arrivals: Tensor, first: number): Tensor => {
    const range = [null, [first, first + arrivals.shape[1]]] as const;
    const pair = stack([arrivals.mul(left.slice(range)), arrivals.mul(right.slice(range))], 2);
    return pair.reshape([batch, 2 * arrivals.shape[1], k]);
  };
  // The root's level is implied: everything arrives.
  const root = [null, [0, 1]] as const;
  const levels = [concat([left.slice(root), right.slice(root)], 1)];
  for (let d = 1; d < depth; d++) levels.push(descend(levels[d - 1], 2 ** d - 1));
  const last = levels[depth - 1];
  const deepest = deep === 0 ? [] : [descend(last.slice([null, [0, deep]]), 2 ** depth - 1)];
  return {
    leaves: deep === 0 ? last : concat([...deepest, last.slice([null, [deep, 2 ** depth]])], 1),
    nodes: () => {
      const all = left.slice(root).mul(0).add(1);
      return concat([all, ...levels, ...deepest], 1);
    },
  };
}
