// Scans keep only what somebody reads: results nobody uses go, and with them the states, inputs and other scans' results
// that only they needed. A gradient asks a scan for its states; without one, they are never stored.

import { bodyNodes } from "../graph/body.ts";
import type { Attrs, Body, Node, Op } from "../graph/node.ts";
import { valueInputs } from "../graph/traverse.ts";
import type { Simplified } from "./simplify.ts";
import { sorted, Vertex } from "./vertex.ts";

/** A scan with fewer results, and which of its old inputs and results are left. */
interface Trimmed {
  readonly body: Body;
  readonly inputs: readonly number[];
  readonly results: readonly number[];
}

export function trimScans({ inputs, outputs }: Simplified): Simplified {
  const order = sorted(outputs);
  if (!order.some((v) => v.op === "scan")) return { inputs, outputs };
  const { live, trimmed } = findTrimmed(order, outputs);
  const done = new Map<Vertex, Vertex>();
  for (const v of order) {
    if (!live.has(v)) continue;
    const kept = trimmed.get(v);
    const scan = v.op === "part" ? trimmed.get(v.inputs[0]) : undefined;
    const list = (kept?.inputs.map((i) => v.inputs[i]) ?? v.inputs).map((x) => done.get(x) as Vertex);
    const again = (attrs: Attrs[Op]): Vertex => new Vertex(v.op, list, attrs, v.shape, v.dtype);
    if (kept !== undefined) done.set(v, again({ body: kept.body }));
    else if (scan !== undefined) done.set(v, again({ index: scan.results.indexOf(v.as("part").index) }));
    else done.set(v, list.every((x, i) => x === v.inputs[i]) ? v : again(v.attrs));
  }
  return { inputs, outputs: outputs.map((output) => done.get(output) as Vertex) };
}

/** Users come before what they use, so that all uses of a scan are known when it is its turn. */
function findTrimmed(order: readonly Vertex[], outputs: readonly Vertex[]) {
  const live = new Set(outputs);
  const used = new Map<Vertex, Set<number>>();
  const trimmed = new Map<Vertex, Trimmed>();
  for (const v of order.toReversed()) {
    if (!live.has(v)) continue;
    if (v.op === "scan") {
      const kept = trimBody(v.as("scan").body, used.get(v) ?? new Set());
      trimmed.set(v, kept);
      for (const i of kept.inputs) live.add(v.inputs[i]);
    } else {
      for (const x of v.inputs) live.add(x);
      if (v.op === "part") used.set(v.inputs[0], (used.get(v.inputs[0]) ?? new Set()).add(v.as("part").index));
    }
  }
  return { live, trimmed };
}

function trimBody(body: Body, used: ReadonlySet<number>): Trimmed {
  const needs = leavesOfResults(body);
  const live = new Set(used);
  // A state that something reads must be carried on, and what that needs in turn.
  for (const result of live) for (const leaf of needs[result]) if (leaf < body.carries) live.add(leaf);
  const results = [...live].sort((a, b) => a - b);
  const read = new Set(results.flatMap((result) => [...needs[result]]));
  const inputs = body.leaves.flatMap((_, i) => ((i < body.carries ? live.has(i) : read.has(i)) ? [i] : []));
  const isSequence = (i: number): boolean => i >= body.carries && i < body.carries + body.sequences;
  return {
    body: {
      leaves: inputs.map((i) => body.leaves[i]),
      carries: results.filter((i) => i < body.carries).length,
      sequences: inputs.filter(isSequence).length,
      results: results.map((i) => body.results[i]),
      length: body.length,
      reverse: body.reverse,
      pullBack: (scan, given) => body.pullBack(scan, given),
    },
    inputs,
    results,
  };
}

/** Which leaves, by position, each result is computed from. */
function leavesOfResults(body: Body): ReadonlySet<number>[] {
  const reach = new Map<Node, Set<number>>(body.leaves.map((leaf, i) => [leaf, new Set([i])]));
  for (const node of bodyNodes(body)) {
    if (reach.has(node)) continue;
    reach.set(node, new Set(valueInputs(node).flatMap((input) => [...(reach.get(input) as Set<number>)])));
  }
  return body.results.map((result) => reach.get(result) as Set<number>);
}
