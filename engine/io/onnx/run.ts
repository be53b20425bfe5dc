// Runs a graph: node after node, each by its operator's row. ONNX files list nodes in an order that can be run.

import { DataError, SluiceError } from "../../errors.ts";
import { Call } from "./call.ts";
import { OnnxNodeError, UnsupportedOnnxError } from "./errors.ts";
import {
  type Attribute,
  functionKey,
  type Graph,
  type GraphFunction,
  type GraphNode,
  type ModelGraph,
  type Opsets,
} from "./graph.ts";
import { rows } from "./rows/index.ts";
import { Value } from "./values.ts";

/** Names and their values, those of enclosing graphs included. */
class Scope {
  readonly #values = new Map<string, Value>();
  readonly #outer: Scope | undefined;

  constructor(outer?: Scope) {
    this.#outer = outer;
  }

  set(name: string, value: Value): void {
    this.#values.set(name, value);
  }

  get(name: string): Value | undefined {
    return this.#values.get(name) ?? this.#outer?.get(name);
  }
}

interface Context {
  readonly model: ModelGraph;
  readonly opsets: Opsets;
  /** Attributes of the node whose function runs. */
  readonly bindings: ReadonlyMap<string, Attribute>;
}

/** Runs the main graph; inputs that have a constant of the same name may be left out. */
export function runModel(model: ModelGraph, inputs: ReadonlyMap<string, Value>): Promise<Value[]> {
  return runGraph(model.graph, inputs, { model, opsets: model.opsets, bindings: new Map() });
}

async function runGraph(
  graph: Graph,
  inputs: ReadonlyMap<string, Value>,
  context: Context,
  outer?: Scope,
): Promise<Value[]> {
  const scope = new Scope(outer);
  for (const [name, value] of graph.constants) scope.set(name, value);
  for (const [name, value] of inputs) scope.set(name, value);
  for (const node of graph.nodes) await runNode(node, scope, context);
  return graph.outputs.map(({ name }) => found(scope, name, `the output of graph "${graph.name}"`));
}

function found(scope: Scope, name: string, what: string): Value {
  const value = scope.get(name);
  if (value === undefined) throw new DataError("onnx", `${what}, "${name}", is computed by no node before it`);
  return value;
}

async function runNode(node: GraphNode, scope: Scope, context: Context): Promise<void> {
  const inputs = node.inputs.map((name) => (name === "" ? undefined : found(scope, name, `an input of ${node.op}`)));
  const body = context.model.functions.get(functionKey(node.domain, node.op));
  const results =
    body === undefined
      ? await runRow(node, inputs, scope, context)
      : await runFunction(node, body, inputs, resolve(node, context), context);
  node.outputs.forEach((name, i) => {
    if (name === "") return;
    const value = results[i];
    if (value === undefined)
      throw new UnsupportedOnnxError(node.op, `output ${i} ("${name}") of this operator is not supported`);
    scope.set(name, value);
  });
}

/** The attributes of a node, references to those of the calling node followed. */
function resolve(node: GraphNode, { bindings }: Context): ReadonlyMap<string, Attribute> {
  const pairs = [...node.attributes].flatMap(([name, attribute]): [string, Attribute][] => {
    if (attribute.kind !== "reference") return [[name, attribute]];
    const bound = bindings.get(attribute.value);
    return bound === undefined ? [] : [[name, bound]];
  });
  return new Map(pairs);
}

async function runFunction(
  node: GraphNode,
  body: GraphFunction,
  inputs: readonly (Value | undefined)[],
  attributes: ReadonlyMap<string, Attribute>,
  { model }: Context,
): Promise<(Value | undefined)[]> {
  const scope = new Scope();
  body.inputs.forEach((name, i) => {
    const value = inputs[i];
    if (value !== undefined) scope.set(name, value);
  });
  const context = { model, opsets: body.opsets, bindings: new Map([...body.defaults, ...attributes]) };
  for (const inner of body.nodes) await runNode(inner, scope, context);
  return body.outputs.slice(0, node.outputs.length).map((name) => scope.get(name));
}

async function runRow(
  node: GraphNode,
  inputs: readonly (Value | undefined)[],
  scope: Scope,
  context: Context,
): Promise<readonly (Value | undefined)[]> {
  const opset = context.opsets.get(node.domain) ?? 1;
  const row = rows.get(functionKey(node.domain, node.op));
  if (row === undefined) {
    const from = node.domain === "" ? "" : ` of domain ${node.domain}`;
    throw new UnsupportedOnnxError(`${node.op} (opset ${opset})`, `this operator${from} is not supported`);
  }
  const run = (graph: Graph, values: readonly Value[]): Promise<Value[]> => {
    const named = new Map(graph.inputs.slice(0, values.length).map(({ name }, i) => [name, values[i]]));
    return runGraph(graph, named, context, scope);
  };
  const call = new Call({ node, opset, inputs, attributes: resolve(node, context), run });
  try {
    const output = await row(call);
    const results = output instanceof Value ? [output] : await Promise.all(output);
    call.checkAllRead();
    return results;
  } catch (cause) {
    // Errors of the reader name the operator themselves; those of the engine name one of its operations.
    if (!(cause instanceof SluiceError) || cause instanceof UnsupportedOnnxError || cause instanceof OnnxNodeError)
      throw cause;
    const given = inputs.map((value) => value?.describe() ?? "none").join(", ");
    throw new OnnxNodeError(call.where, `node "${node.name}" with inputs ${given}: ${cause.message}`, { cause });
  }
}
