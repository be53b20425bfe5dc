// The oracle: evaluates a graph node by node, naively, in f64. It shares nothing with the compiler, so that the two
// can judge each other.

import { hostArray, roundTo } from "../../dtype.ts";
import type { Graph } from "../../graph/graph.ts";
import { Node } from "../../graph/node.ts";
import type { Storage } from "../../graph/storage.ts";
import { valueInputs } from "../../graph/traverse.ts";
import type { Backend, Executable } from "../backend.ts";
import { evaluate, type Values } from "./evaluate.ts";

export const referenceBackend = (): Backend => ({
  name: "reference",
  synchronous: true,
  get threads() {
    return 1;
  },
  set threads(_wanted) {
    // Naive on purpose: one thread, whatever is asked.
  },
  prepare: (graph) => new ReferenceExecutable(graph),
});

class ReferenceExecutable implements Executable {
  readonly #graph: Pick<Graph, "nodes" | "inputs" | "outputs">;

  constructor(graph: Graph) {
    this.#graph = copy(graph);
  }

  run(inputs: readonly Storage[], outputs: readonly Storage[]): void {
    const values = new Map<Node, Values>();
    for (const [i, node] of this.#graph.inputs.entries()) values.set(node, toF64(inputs[i]));
    for (const node of this.#graph.nodes) {
      if (values.has(node)) continue;
      values.set(
        node,
        evaluate(
          node,
          node.inputs.map((input) => valuesOf(values, input)),
        ),
      );
    }
    // Everything is read before anything is written: an output may overwrite an input.
    const results = this.#graph.outputs.map((node) => {
      const host = hostArray(node.dtype, valuesOf(values, node).length);
      valuesOf(values, node).forEach((value, i) => {
        host[i] = roundTo(node.dtype, value);
      });
      return host;
    });
    outputs.forEach((output, i) => {
      output.host = results[i];
      output.device?.release();
      output.device = undefined;
    });
  }

  explain(): string {
    const lines = this.#graph.nodes.map((node) => `${node.op} ${node.dtype}[${node.shape}]`);
    return `reference: ${lines.length} nodes, evaluated one by one in f64\n${lines.join("\n")}`;
  }

  release(): void {}
}

/** The graph as it is now: a program outlives its nodes, which let go of their inputs once they have values. */
function copy(graph: Graph): Pick<Graph, "nodes" | "inputs" | "outputs"> {
  const copies = new Map<Node, Node>();
  const copyOf = (node: Node): Node => {
    const known = copies.get(node);
    if (known !== undefined) return known;
    const made = new Node(node.op, valueInputs(node).map(copyOf), node.attrs, node.shape, node.dtype, false);
    copies.set(node, made);
    return made;
  };
  // Inputs come before users, so this does not recur.
  return { nodes: graph.nodes.map(copyOf), inputs: graph.inputs.map(copyOf), outputs: graph.outputs.map(copyOf) };
}

function valuesOf(values: ReadonlyMap<Node, Values>, node: Node): Values {
  const found = values.get(node);
  if (found === undefined) throw new Error(`reference: ${node.op} was not evaluated in order`);
  return found;
}

function toF64(storage: Storage): Values {
  const host = storage.host ?? storage.device?.read();
  if (host === undefined || host instanceof Promise) throw new Error("reference: an input has no values on the host");
  return Float64Array.from(host);
}
