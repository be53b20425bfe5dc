// What the runtime asks of a backend.

import type { Graph } from "../graph/graph.ts";
import type { Storage } from "../graph/storage.ts";

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
  /** How many threads may compute; backends with one only ever say 1. */
  threads: number;
  prepare(graph: Graph): Executable;
  /** Called when another backend takes over: brings values that are only in its memory to the host. */
  leave?(): Promise<void>;
}
