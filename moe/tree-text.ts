// A tree as text: which share of the samples takes each edge.

import { ArgumentError } from "../engine/index.ts";
import { leafOrder } from "./tree.ts";

/**
 * A drawing of one tree, one line a node, children indented:
 * `node 0 100%`, `├─ node 1 62%`, `│  ├─ expert 0 40%`, ...
 * @param shares the share (0..1) of samples that arrives at each node, by heap id: 2n-1 numbers
 */
export function treeText(shares: ArrayLike<number>): string {
  const n = (shares.length + 1) / 2;
  if (!Number.isInteger(n) || n < 2) throw new ArgumentError("treeText", `needs 2n - 1 shares, got ${shares.length}`);
  const order = leafOrder(n);
  const lines: string[] = [];
  const draw = (q: number, before: string, last: boolean, root: boolean): void => {
    const isLeaf = q >= n - 1;
    const name = isLeaf ? `expert ${order.indexOf(q)}` : `node ${q}`;
    lines.push(`${root ? "" : `${before}${last ? "└─ " : "├─ "}`}${name} ${(100 * shares[q]).toFixed(0)}%`);
    if (isLeaf) return;
    const below = root ? "" : `${before}${last ? "   " : "│  "}`;
    draw(2 * q + 1, below, false, false);
    draw(2 * q + 2, below, true, false);
  };
  draw(0, "", true, true);
  return lines.join("\n");
}
