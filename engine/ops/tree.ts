// Tensors in arrays and records: what functions of several tensors take and return.

import { ArgumentError } from "../errors.ts";
import { Tensor } from "../tensor.ts";

/** A tensor, nothing (null), or arrays and records of them. */
export type TensorTree = Tensor | null | readonly TensorTree[] | { readonly [key: string]: TensorTree };

/** The tensors of a tree, in order. Throws an ArgumentError for anything else in it. */
export function leavesOf(op: string, tree: TensorTree, what: string): Tensor[] {
  if (tree === null) return [];
  if (tree instanceof Tensor) return [tree];
  if (typeof tree !== "object") {
    throw new ArgumentError(op, `${what} must be tensors, or arrays and records of tensors, got a ${typeof tree}`);
  }
  return Object.values(tree).flatMap((item: TensorTree) => leavesOf(op, item, what));
}

/** The tree with other tensors in the places of its own, in order. */
export function withLeaves<T extends TensorTree>(tree: T, leaves: readonly Tensor[]): T {
  let next = 0;
  const visit = (item: TensorTree): TensorTree => {
    if (item === null) return null;
    if (item instanceof Tensor) return leaves[next++];
    if (Array.isArray(item)) return item.map(visit);
    return Object.fromEntries(Object.entries(item).map(([key, value]) => [key, visit(value)]));
  };
  return visit(tree) as T;
}

/** A text that is equal for trees of one structure. */
export function structureOf(tree: TensorTree): string {
  if (tree === null) return "null";
  if (tree instanceof Tensor) return "tensor";
  if (Array.isArray(tree)) return `[${tree.map(structureOf).join(", ")}]`;
  return `{${Object.entries(tree)
    .map(([key, item]) => `${key}: ${structureOf(item)}`)
    .join(", ")}}`;
}
