// From lazy nodes to values: cut the graph at what is known, find or prepare its program, run it.

import type { Executable } from "../backends/backend.ts";
import type { Graph } from "../graph/graph.ts";
import type { Node } from "../graph/node.ts";
import { Storage } from "../graph/storage.ts";
import { topological, valueInputs } from "../graph/traverse.ts";
import { apart } from "../operation.ts";
import { sizeOf } from "../shape.ts";
import { backend } from "./backend.ts";
import { programCache } from "./cache.ts";

type Cut = Pick<Graph, "nodes" | "inputs" | "outputs">;

/** Cuts the graph of `outputs` at the leaves whose values are known. */
export function cutGraph(outputs: readonly Node[]): Graph {
  const nodes = topological(outputs, valueInputs);
  const inputs = nodes.filter((node) => node.storage !== undefined);
  for (const input of inputs) input.checkFresh();
  return withState({ nodes, inputs, outputs });
}

/** A graph and its state as it is now: which leaves stay in memory, and which of them an output replaces. */
export function withState({ nodes, inputs, outputs }: Cut, alias: readonly (Storage | undefined)[] = []): Graph {
  const storages = inputs.map((input) => input.storage);
  return {
    nodes,
    inputs,
    persistent: storages.map((storage) => storage?.persistent === true),
    outputs,
    alias: outputs.map((_, j) => {
      const at = alias[j] === undefined ? -1 : storages.indexOf(alias[j]);
      return at < 0 ? undefined : at;
    }),
  };
}

/** The storages behind a graph's leaves. */
export const inputStorages = (graph: Graph): Storage[] =>
  graph.inputs.map((node) => {
    if (node.storage === undefined) throw new Error("a graph's input has no storage");
    return node.storage;
  });

/**
 * A text that is equal for graphs that compile to the same program: operations, attributes and connections by
 * position, never identities or values.
 */
export function structureKey(graph: Graph): string {
  const position = new Map<Node, number>();
  const parts: string[] = [];
  graph.nodes.forEach((node, i) => {
    position.set(node, i);
    if (node.storage !== undefined) parts.push(`${node.dtype}[${node.shape}]`);
    else
      parts.push(
        `${node.op}${attrsKey(node)}(${valueInputs(node)
          .map((input) => position.get(input))
          .join()})`,
      );
  });
  const outputs = graph.outputs.map((node) => position.get(node)).join();
  const state = graph.persistent.map((p) => (p ? 1 : 0)).join("");
  return `${parts.join(";")}>${outputs}|${state}|${graph.alias.join()}`;
}

function attrsKey(node: Node): string {
  let key = "";
  if (node.op === "custom") return key;
  for (const value of Object.values(node.attrs)) key += `:${Object.is(value, -0) ? "-0" : value}`;
  return key;
}

/** The compiled program of a graph, from the cache when its structure was seen before. */
export function executableOf(graph: Graph): Executable {
  return programCache.get(structureKey(graph), () => backend().prepare(graph));
}

/**
 * Evaluates nodes that have no value yet, all in one program. The nodes then hold their storages: on an asynchronous
 * backend at once too, as values to come; the promise says when they are there.
 */
export function realize(nodes: readonly Node[]): void | Promise<void> {
  for (const node of nodes) node.checkFresh();
  if (nodes.every((node) => node.storage !== undefined)) return undefined;
  const pending = [...new Set(nodes)].filter((node) => node.storage === undefined);
  const graph = cutGraph(pending);
  const outputs = pending.map((node) => new Storage(node.dtype, sizeOf(node.shape)));
  const done = apart(() => executableOf(graph).run(inputStorages(graph), outputs));
  for (const [i, node] of pending.entries()) node.realizeAs(outputs[i]);
  return done;
}
