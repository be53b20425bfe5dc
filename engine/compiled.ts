// compile(fn): a function of tensors traced once per signature, then replayed as one program with no graph work.

import type { Executable } from "./backends/backend.ts";
import { ArgumentError } from "./errors.ts";
import { dataNode, type Node } from "./graph/node.ts";
import { Storage } from "./graph/storage.ts";
import { backend, backendEpoch } from "./runtime/backend.ts";
import { cutGraph, realize } from "./runtime/realize.ts";
import { currentTrace, type Trace, withTrace } from "./runtime/trace.ts";
import { sizeOf } from "./shape.ts";
import { leafTensor, ownerOf, Tensor } from "./tensor.ts";

/** What compiled functions take and return: tensors, plain values, and arrays or records of them. */
export type Tree =
  | Tensor
  | number
  | string
  | boolean
  | null
  | undefined
  | readonly Tree[]
  | { readonly [key: string]: Tree };

export interface Compiled<A extends readonly Tree[], R extends Tree> {
  (...args: A): R;
  /** How often the function was traced: once per signature (shapes, dtypes, plain values) and backend. */
  readonly traces: number;
  /** The compiled programs, readable. */
  explain(): string;
}

/**
 * The programs of a compiled function as text, for those who wonder why it is slow: each kernel call with what it
 * reads and writes, bytes, multiply-adds, and the memory plan (the arena is the peak of all intermediate values).
 */
export const explain = (compiled: { explain(): string }): string => compiled.explain();

/** One traced signature: how to bind a call's storages, and how to dress its results. */
interface Replay {
  readonly executable: Executable;
  /** Each input's storage: the position among the call's tensors, a tensor that is captured, or fixed values. */
  readonly inputs: readonly (number | Tensor | Storage)[];
  readonly results: readonly Node[];
  readonly updated: readonly Tensor[];
  readonly rebuild: (tensors: readonly Tensor[]) => Tree;
}

/** Traces beyond this many are probably a mistake; said once. */
const manyTraces = 16;

/**
 * `fn` compiled: the first call with a signature traces it into one program (forward, backward, optimizer, random
 * numbers and all); later calls replay the program. Inside `fn` nothing can be read: return what you want to read.
 * Leaves that `fn` updates (parameters, optimizer state) are updated in place at each call. JavaScript side effects
 * happen only while tracing. Plain arguments (numbers, strings) are part of the signature: pass what changes as a tensor.
 */
export function compile<A extends readonly Tree[], R extends Tree>(fn: (...args: A) => R): Compiled<A, R> {
  const replays = new Map<string, Replay>();
  let epoch = backendEpoch();
  const compiled = (...args: A): R => {
    if (currentTrace() !== undefined) return fn(...args);
    // Programs belong to the backend they were compiled for.
    if (epoch !== backendEpoch()) {
      for (const { executable } of replays.values()) executable.release();
      replays.clear();
      epoch = backendEpoch();
    }
    const tensors: Tensor[] = [];
    const signature = `${backend().name}:${flatten(args, tensors)}`;
    let replay = replays.get(signature);
    if (replay === undefined) {
      replay = trace(fn, args, tensors);
      replays.set(signature, replay);
      if (replays.size === manyTraces) {
        console.warn(
          `sluice: a compiled function was traced for ${manyTraces} signatures, the last being ${signature}; ` +
            "pad inputs to one shape and pass changing numbers as tensors",
        );
      }
    }
    return run(replay, tensors) as R;
  };
  const explain = () => [...replays].map(([key, { executable }]) => `${key}\n${executable.explain()}`).join("\n\n");
  return Object.defineProperties(compiled, {
    traces: { get: () => replays.size },
    explain: { value: explain },
  }) as Compiled<A, R>;
}

function trace<A extends readonly Tree[], R extends Tree>(
  fn: (...args: A) => R,
  args: A,
  tensors: readonly Tensor[],
): Replay {
  const placeholders = tensors.map(({ node }) => dataNode(new Storage(node.dtype, sizeOf(node.shape)), node.shape));
  const record: Trace = { updates: new Map(), atEnd: [] };
  const results: Tensor[] = [];
  let next = 0;
  const inner = mapTree(args, () => new Tensor(placeholders[next++])) as unknown as A;
  const output = withTrace(record, () => {
    const value = fn(...inner);
    if ((value as unknown) instanceof Promise) {
      throw new ArgumentError(
        "compile",
        "the function must not be async; inside it, call optimizer.step() without await",
      );
    }
    flatten(value, results);
    return value;
  });
  const nodes = results.map((tensor) => tensor.node);
  const targets = [...record.updates.keys()] as Tensor[];
  const alias = [...nodes.map(() => undefined), ...targets.map((target) => target.node.storage)];
  const outputs = [...nodes, ...record.updates.values()];
  const cut = cutGraph(outputs);
  const inputs = cut.inputs.map((leaf) => {
    const at = placeholders.indexOf(leaf as Node<"data">);
    return at >= 0 ? at : (ownerOf(leaf) ?? (leaf.storage as Storage));
  });
  for (const [i, source] of inputs.entries()) {
    if (typeof source !== "number") (cut.inputs[i].storage as Storage).persistent = true;
  }
  return {
    executable: backend().prepare(cutGraph(outputs, alias)),
    inputs,
    results: nodes,
    updated: targets,
    rebuild: (fresh) => {
      let at = 0;
      return mapTree(output, () => fresh[at++]);
    },
  };
}

function run(replay: Replay, tensors: readonly Tensor[]): Tree {
  // An asynchronous backend keeps the order of runs by itself: what is still to come may be used already.
  realize(tensors.map((tensor) => tensor.node));
  const inputs = replay.inputs.map((source) => {
    if (typeof source === "number") return tensors[source].node.storage as Storage;
    const storage = source instanceof Tensor ? (source.node.storage as Storage) : source;
    storage.persistent = true;
    return storage;
  });
  const results = replay.results.map((node) => new Storage(node.dtype, sizeOf(node.shape)));
  const updated = replay.updated.map((target) => target.node.storage as Storage);
  replay.executable.run(inputs, [...results, ...updated]);
  for (const storage of updated) storage.version += 1;
  return replay.rebuild(results.map((storage, i) => leafTensor(storage, replay.results[i].shape)));
}

/** Collects the tensors of a tree in order; returns a text that is equal for trees of one signature. */
function flatten(tree: Tree, into: Tensor[]): string {
  if (tree instanceof Tensor) {
    into.push(tree);
    return `${tree.dtype}[${tree.shape}]`;
  }
  if (Array.isArray(tree)) return `[${tree.map((item: Tree) => flatten(item, into)).join()}]`;
  if (typeof tree === "object" && tree !== null) {
    return `{${Object.entries(tree)
      .map(([key, item]) => `${key}:${flatten(item, into)}`)
      .join()}}`;
  }
  if (typeof tree === "function") throw new ArgumentError("compile", "arguments and results may not be functions");
  return typeof tree === "string" ? JSON.stringify(tree) : String(tree);
}

function mapTree(tree: Tree, visit: (tensor: Tensor) => Tensor): Tree {
  if (tree instanceof Tensor) return visit(tree);
  if (Array.isArray(tree)) return tree.map((item: Tree) => mapTree(item, visit));
  if (typeof tree === "object" && tree !== null) {
    return Object.fromEntries(Object.entries(tree).map(([key, item]) => [key, mapTree(item, visit)]));
  }
  return tree;
}
