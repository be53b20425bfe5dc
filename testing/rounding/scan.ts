// Bounds of a scan: those of its body, step by step.

import { bodyNodes } from "../../engine/graph/body.ts";
import type { Node } from "../../engine/graph/node.ts";
import { sizeOf } from "../../engine/index.ts";
import type { Bounded } from "./arithmetic.ts";

type BoundNodes = (nodes: readonly Node[], outputs: readonly Node[], known: Map<Node, Bounded>) => Bounded[];

const part = ({ values, bounds }: Bounded, start: number, size: number): Bounded => ({
  values: values.subarray(start, start + size),
  bounds: bounds.subarray(start, start + size),
});

/** All parts in one, in order. */
export function joined(parts: readonly Bounded[]): Bounded {
  const all = (of: (one: Bounded) => Float64Array): Float64Array =>
    Float64Array.from(parts.flatMap((one) => Array.from(of(one))));
  return { values: all((one) => one.values), bounds: all((one) => one.bounds) };
}

/** The last value of each carry, then each resulting sequence. */
export function boundScan(scan: Node<"scan">, inputs: readonly Bounded[], boundNodes: BoundNodes): Bounded {
  const { body } = scan.attrs;
  const { leaves, carries, sequences, results, length, reverse } = body;
  const nodes = bodyNodes(body);
  const sequencesOut: Bounded[][] = results.slice(carries).map(() => new Array<Bounded>(length));
  let carried = inputs.slice(0, carries);
  for (let step = 0; step < length; step++) {
    const at = reverse ? length - 1 - step : step;
    const known = new Map<Node, Bounded>();
    leaves.forEach((leaf, i) => {
      const size = sizeOf(leaf.shape);
      const whole = i < carries ? carried[i] : inputs[i];
      known.set(leaf, i >= carries && i < carries + sequences ? part(whole, at * size, size) : whole);
    });
    const found = boundNodes(nodes, results, known);
    carried = found.slice(0, carries);
    found.slice(carries).forEach((value, i) => {
      sequencesOut[i][at] = value;
    });
  }
  return joined([...carried, ...sequencesOut.map(joined)]);
}
