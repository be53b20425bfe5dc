// What is computed wherever it is used, and how much that costs.

import { isElementwise } from "../graph/vocabulary.ts";
import type { Legal } from "./legalize.ts";
import { readsWhole } from "./reads.ts";
import { isMove, movedFrom, type Vertex } from "./vertex.ts";

/** The vertices that get no place of their own: unfused, only constants. */
export function findInline(legal: Legal, fuse: boolean): ReadonlySet<Vertex> {
  const uses = findUses(legal);
  return new Set(legal.order.filter((vertex) => !isMove(vertex) && isInline(vertex, uses, fuse)));
}

interface Uses {
  readonly count: ReadonlyMap<Vertex, number>;
  /** Read by position, or a result: it must be in memory. */
  readonly whole: ReadonlySet<Vertex>;
}

function findUses({ order, outputs }: Legal): Uses {
  const count = new Map<Vertex, number>();
  const whole = new Set<Vertex>();
  for (const vertex of order) {
    vertex.inputs.forEach((input, i) => {
      count.set(input, (count.get(input) ?? 0) + 1);
      if (readsWhole(vertex, i)) whole.add(movedFrom(input));
    });
  }
  for (const output of outputs) whole.add(movedFrom(output));
  return { count, whole };
}

const cheap: ReadonlySet<string> = new Set([
  "neg",
  "abs",
  "add",
  "sub",
  "mul",
  "less",
  "lessEqual",
  "equal",
  "notEqual",
  "logicalNot",
  "logicalAnd",
  "logicalOr",
  "where",
  "cast",
]);

/**
 * Constants always; and a cheap function of one value that is in memory anyway (a mask, a scaled copy), when several
 * would use it: computing it again costs no more than reading it.
 */
function isInline(vertex: Vertex, uses: Uses, fuse: boolean): boolean {
  if (vertex.op === "full" || vertex.op === "iota") return true;
  if (!fuse || !cheap.has(vertex.op) || uses.whole.has(vertex) || (uses.count.get(vertex) ?? 0) < 2) return false;
  const sources = new Set<Vertex>();
  for (const input of vertex.inputs) {
    const base = movedFrom(input);
    if (base.op !== "full" && base.op !== "iota") sources.add(base);
  }
  return sources.size === 1 && [...sources].every((source) => source.op === "data" || source.op === "contract");
}

/** Weight of a vertex's scalar work: how much it costs to compute it again. */
export function weight(vertex: Vertex): number {
  if (cheap.has(vertex.op)) return 1;
  return isElementwise(vertex.op) && vertex.op !== "maximum" && vertex.op !== "minimum" ? 10 : 4;
}
