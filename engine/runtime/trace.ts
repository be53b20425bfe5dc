// What compile() records while it runs a user's function once: which tensors were given new values.

import type { Node } from "../graph/node.ts";

export interface Trace {
  /** Leaf tensors (by identity) that the function updates, with their newest value in the trace. */
  readonly updates: Map<object, Node>;
  /** Calls made once when the trace ends, before the graph is cut. */
  readonly atEnd: (() => void)[];
}

let active: Trace | undefined;

export const currentTrace = (): Trace | undefined => active;

/** Runs `fn` under a new trace. Traces do not nest. */
export function withTrace<T>(trace: Trace, fn: () => T): T {
  const before = active;
  active = trace;
  try {
    const result = fn();
    for (const finish of trace.atEnd) finish();
    return result;
  } finally {
    active = before;
  }
}
