// A graph cut off at its leaves: what is compiled and run.

import type { Node } from "./node.ts";

/** A graph cut off at its leaves, ready to be compiled: nodes in topological order, leaves first in `inputs`' order. */
export interface Graph {
  readonly nodes: readonly Node[];
  /** Leaves with known values, in the order their storages are passed to `run`. */
  readonly inputs: readonly Node[];
  /** Which leaves stay in the backend's persistent memory between runs. */
  readonly persistent: readonly boolean[];
  readonly outputs: readonly Node[];
  /** Output j overwrites input alias[j] when the program is done (undefined: a value of its own). */
  readonly alias: readonly (number | undefined)[];
}
