// compile(fn): a function of tensors traced once per signature, then replayed as one program with no graph work.

import type { Executable } from "./backends/backend.ts";
import { ArgumentError } from "./errors.ts";
import { dataNode, type Node } from "./graph/node.ts";
import { Storage } from "./graph/storage.ts";
import { backend, backendEpoch } from "./runtime/backend.ts";
import { cutGraph, realize, withState } from "./runtime/realize.ts";
import { currentTrace, type Trace, withTrace } from "./runtime/trace.ts";
import { sameShape, sizeOf } from "./shape.ts";
import { ownerOf, Tensor } from "./tensor.ts";

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
  /** The arguments it was traced with: what a call must be like. */
  readonly args: readonly Tree[];
  /** How many tensors are in them. */
  readonly tensors: number;
  readonly executable: Executable;
  /** Each input's storage: the position among the call's tensors, a tensor that is captured, or fixed values. */
  readonly inputs: readonly (number | Tensor | Storage)[];
  readonly results: readonly Node[];
  readonly updated: readonly Tensor[];
  readonly rebuild: (storages: readonly Storage[]) => Tree;
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
  let last: Replay | undefined;
  const compiled = (...args: A): R => {
    if (currentTrace() !== undefined) return fn(...args);
    // Programs belong to the backend they were compiled for.
    if (epoch !== backendEpoch()) {
      for (const { executable } of replays.values()) executable.release();
      replays.clear();
      last = undefined;
      epoch = backendEpoch();
    }
    // Almost every call is like the one before: compared in place, without making a text of it.
    if (last !== undefined) {
      const known = new Array<Tensor>(last.tensors);
      if (sameSignature(args, last.args, known, 0) >= 0) return run(last, known) as R;
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
    last = replay;
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
    args: inner,
    tensors: tensors.length,
    executable: backend().prepare(withState(cut, alias)),
    inputs,
    results: nodes,
    updated: targets,
    rebuild: (storages) => {
      let at = 0;
      return mapTree(output, () => new Tensor(dataNode(storages[at], nodes[at++].shape)));
    },
  };
}

function run(replay: Replay, tensors: readonly Tensor[]): Tree {
  // An asynchronous backend keeps the order of runs by itself: what is still to come may be used already.
  for (const tensor of tensors) if (tensor.storage === undefined) realize([tensor.node]);
  for (const tensor of tensors) tensor.node.checkFresh();
  const inputs = new Array<Storage>(replay.inputs.length);
  for (let i = 0; i < inputs.length; i++) {
    const source = replay.inputs[i];
    inputs[i] = (
      typeof source === "number" ? tensors[source].storage : source instanceof Tensor ? source.storage : source
    ) as Storage;
    if (typeof source !== "number") inputs[i].persistent = true;
  }
  const count = replay.results.length;
  const outputs = new Array<Storage>(count + replay.updated.length);
  for (let i = 0; i < outputs.length; i++) {
    if (i < count) outputs[i] = new Storage(replay.results[i].dtype, sizeOf(replay.results[i].shape));
    else outputs[i] = replay.updated[i - count].storage as Storage;
  }
  replay.executable.run(inputs, outputs);
  for (let i = count; i < outputs.length; i++) outputs[i].version += 1;
  return replay.rebuild(outputs);
}

/**
 * -1 where two trees differ in signature; else puts the tensors of the first into `into` from `at` on, and says where
 * they end. Leaves nothing behind to collect.
 */
function sameSignature(a: Tree, b: Tree, into: Tensor[], at: number): number {
  if (a instanceof Tensor) {
    into[at] = a;
    return b instanceof Tensor && a.dtype === b.dtype && sameShape(a.shape, b.shape) ? at + 1 : -1;
  }
  if (typeof a !== "object" || a === null || typeof b !== "object" || b === null) return Object.is(a, b) ? at : -1;
  if (b instanceof Tensor || Array.isArray(a) !== Array.isArray(b)) return -1;
  let next = at;
  if (Array.isArray(a)) {
    const other = b as readonly Tree[];
    if (a.length !== other.length) return -1;
    for (let i = 0; i < a.length && next >= 0; i++) next = sameSignature(a[i], other[i], into, next);
    return next;
  }
  const left = a as Readonly<Record<string, Tree>>;
  const right = b as Readonly<Record<string, Tree>>;
  let fields = 0;
  for (const key in left) {
    fields += 1;
    next = key in right ? sameSignature(left[key], right[key], into, next) : -1;
    if (next < 0) return -1;
  }
  for (const _ in right) fields -= 1;
  return fields === 0 ? next : -1;
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
