// What the runtime asks of a backend.

import type { Node } from "../graph/node.ts";
import type { Storage } from "../graph/storage.ts";

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

/** A compiled graph. */
export interface Executable {
  /**
   * Evaluates the graph: reads `inputs`, writes `outputs` (same order as the graph's; an aliased output is the very
   * storage of its input). A promise where the device is asynchronous.
   */
  run(inputs: readonly Storage[], outputs: readonly Storage[]): void | Promise<void>;
  /** A readable account of the compiled program. */
  explain(): string;
  /** Releases what the executable holds. */
  release(): void;
}

export interface Backend {
  readonly name: string;
  /** Whether `run` finishes before it returns, so that values can be read synchronously. */
  readonly synchronous: boolean;
  prepare(graph: Graph): Executable;
}
