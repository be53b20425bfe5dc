// Graph -> program, in passes that are pure functions: simplify, legalize, cluster (fuse), lower, fuse into
// products, plan.

import type { Graph } from "../graph/graph.ts";
import { isReduce } from "../graph/vocabulary.ts";
import { selectiveGradients, selectiveResults, selectiveSizes } from "../primitives/index.ts";
import { sizeOf } from "../shape.ts";
import { type Cluster, type Clustering, cluster } from "./cluster.ts";
import { fuseEpilogues } from "./epilogue.ts";
import type { Buffer, Kernel, KernelCall, Program } from "./ir.ts";
import { kernelKey } from "./key.ts";
import { isOpaque, type Legal, legalize } from "./legalize.ts";
import { type Buffers, lowerCluster } from "./lower.ts";
import { opaqueKernel } from "./opaque.ts";
import { failuresFirst, mayUpdate } from "./order.ts";
import { overwritable, planMemory, type Unplanned } from "./plan.ts";
import { repeatKernel } from "./repeat.ts";
import { selectiveKernel } from "./selective.ts";
import { simplify } from "./simplify.ts";
import type { Target } from "./target.ts";
import { trimScans } from "./trim.ts";
import { movedFrom, type Vertex } from "./vertex.ts";

export { explainProgram } from "./explain.ts";
export type { Target } from "./target.ts";

export interface CompileOptions {
  /** What the kernels may do; by default everything. */
  readonly target?: Target;
  /** Both default to true. Turned off to test that fusion and memory planning change no result. */
  readonly fuse?: boolean;
  readonly plan?: boolean;
}

const everything: Target = { columnSums: true, epilogue: () => true };

/** Compiles a graph to a program of kernels. */
export function compileGraph(graph: Graph, options: CompileOptions = {}): Program {
  const legal = legalize(trimScans(simplify(graph)));
  const { fuse = true, target = everything } = options;
  const clustering = cluster(legal, fuse, target);
  const assembled = new Assembly(graph, legal, clustering, options).assemble();
  const unplanned = fuse ? fuseEpilogues(assembled, target) : assembled;
  return { ...unplanned, arena: planMemory(unplanned, options.plan ?? true) };
}

class Assembly implements Buffers {
  readonly #graph: Graph;
  readonly #legal: Legal;
  readonly #clustering: Clustering;
  readonly #buffers: Buffer[] = [];
  readonly #numbers = new Map<Vertex, number>();
  readonly #spills = new Map<Vertex, number>();
  readonly #kernels: Kernel[] = [];
  readonly #kernelKeys = new Map<string, number>();
  readonly #calls: KernelCall[] = [];
  readonly #options: CompileOptions;

  constructor(graph: Graph, legal: Legal, clustering: Clustering, options: CompileOptions) {
    this.#graph = graph;
    this.#legal = legal;
    this.#clustering = clustering;
    this.#options = options;
  }

  assemble(): Unplanned {
    const { inputs, outputs } = this.#legal;
    const bases = outputs.map((output) => movedFrom(output));
    const results = new Set(bases);
    inputs.forEach((input, i) => {
      const role = this.#graph.persistent[i] ? "state" : "input";
      this.#numbers.set(input, this.#buffer(input, role));
    });
    const stored = this.#storedVertices(results);
    for (const base of results) this.#numbers.set(base, this.#buffer(base, "output"));
    for (const c of this.#ordered()) this.#emit(c, stored);
    const updates = bases.flatMap((base, j) => (this.#graph.alias[j] === undefined ? [] : [this.of(base)]));
    return this.#updateInPlace({
      buffers: this.#buffers,
      kernels: this.#kernels,
      calls: failuresFirst(this.#calls, this.#kernels, new Set(updates)),
      inputs: inputs.map((input) => this.of(input)),
      outputs: bases.map((base) => this.of(base)),
      copies: [],
    });
  }

  of(vertex: Vertex): number {
    const number = this.#numbers.get(vertex) ?? this.#buffer(vertex, "temporary");
    this.#numbers.set(vertex, number);
    return number;
  }

  spill(vertex: Vertex): number {
    const number = this.#spills.get(vertex) ?? this.#buffer(vertex, "temporary");
    this.#spills.set(vertex, number);
    return number;
  }

  #buffer(vertex: Vertex, role: Buffer["role"]): number {
    return this.#buffers.push({ dtype: vertex.dtype, length: sizeOf(vertex.shape), role }) - 1;
  }

  /** A scan: its body's program in a loop. */
  #scan(v: Vertex): void {
    const { body } = v.as("scan");
    const kernel = repeatKernel(body, (graph) => compileGraph(graph, this.#options), this.#options.plan ?? true);
    const results = this.#results(
      v,
      body.results.map(({ shape, dtype }) => ({ length: sizeOf(shape), dtype })),
    );
    const arena = this.#temporary({ length: kernel.body.arena.bytes, dtype: "bool" });
    this.#call(kernel, [...this.#operands(v), ...results, arena]);
  }

  #selective(v: Vertex): void {
    const sizes = selectiveSizes(v.inputs);
    const shapes = v.op === "selectiveScan" ? selectiveResults(sizes) : selectiveGradients(sizes);
    const borders = this.#parts(v).some((part) => part.as("part").index === 2);
    const kernel = selectiveKernel(v, shapes.length, borders);
    const results = this.#results(
      v,
      shapes.map((shape, i) => ({
        length: v.op === "selectiveScan" && i === 2 && !borders ? 0 : sizeOf(shape),
        dtype: v.dtype,
      })),
    );
    this.#call(kernel, [...this.#operands(v), ...results]);
  }

  /** Buffers of the results of a vertex that has several; those that nobody reads get memory all the same. */
  #results(v: Vertex, sizes: readonly Omit<Buffer, "role">[]): number[] {
    const parts = this.#parts(v);
    return sizes.map((size, i) => {
      const part = parts.find((p) => p.as("part").index === i);
      return part === undefined ? this.#temporary(size) : this.of(part);
    });
  }

  #parts(v: Vertex): Vertex[] {
    return this.#legal.order.filter((part) => part.op === "part" && part.inputs[0] === v);
  }

  #operands(v: Vertex): number[] {
    return v.inputs.map((x) => this.of(movedFrom(x)));
  }

  #temporary(size: Omit<Buffer, "role">): number {
    return this.#buffers.push({ ...size, role: "temporary" }) - 1;
  }

  /** What must end up in memory: results, parts of concatenations, and whatever another kernel reads. */
  #storedVertices(results: ReadonlySet<Vertex>): Set<Vertex> {
    const { clusters, clusterOf, dependencies } = this.#clustering;
    const stored = new Set(results);
    for (const c of clusters) {
      for (const member of c.members) {
        if (member.part !== undefined) stored.add(member);
        for (const { vertex } of dependencies.get(member) ?? []) if (clusterOf.get(vertex) !== c) stored.add(vertex);
      }
    }
    return stored;
  }

  /** Clusters after those they read from; otherwise in the order the graph was written. */
  #ordered(): Cluster[] {
    const { clusters, clusterOf, dependencies } = this.#clustering;
    const needs = (c: Cluster): Cluster[] => {
      const found = c.members.flatMap((member) => dependencies.get(member) ?? []);
      return found.map((dep) => clusterOf.get(dep.vertex) as Cluster).filter((other) => other !== c);
    };
    const order: Cluster[] = [];
    const entered = new Set<Cluster>();
    for (const root of clusters) {
      if (entered.has(root)) continue;
      entered.add(root);
      const stack = [{ c: root, needs: needs(root), next: 0 }];
      while (stack.length > 0) {
        const top = stack[stack.length - 1];
        if (top.next === top.needs.length) {
          order.push(top.c);
          stack.pop();
          continue;
        }
        const need = top.needs[top.next++];
        if (entered.has(need)) continue;
        entered.add(need);
        stack.push({ c: need, needs: needs(need), next: 0 });
      }
    }
    return order;
  }

  #emit(c: Cluster, stored: ReadonlySet<Vertex>): void {
    if (c.domain === undefined) {
      const [v] = c.members;
      if (v.op === "scan") this.#scan(v);
      if (v.op === "selectiveScan" || v.op === "selectiveScanGrad") this.#selective(v);
      const made = isOpaque(v) ? opaqueKernel(v) : undefined;
      if (made !== undefined) this.#call(made.kernel, [...made.operands.map((x) => this.of(x)), this.of(v)]);
      return;
    }
    // Nothing to compute: no elements (an empty row still has its fold's identity to store).
    const last = c.members[c.members.length - 1];
    if (sizeOf(c.domain.shape) === 0 && !(isReduce(last.op) && sizeOf(last.shape) > 0)) return;
    const { kernel, args } = lowerCluster(c, this.#clustering, stored, this);
    this.#call(kernel, args);
  }

  #call(kernel: Kernel, args: readonly number[]): void {
    const key = kernelKey(kernel);
    const at = this.#kernelKeys.get(key) ?? this.#kernels.push(kernel) - 1;
    this.#kernelKeys.set(key, at);
    this.#calls.push({ kernel: at, args });
  }

  /** Makes each aliased result the state buffer it replaces: in place where nothing reads that later, else by a copy. */
  #updateInPlace(program: Unplanned): Unplanned {
    const uses = usesOf(program);
    const renamed = new Map<number, number>();
    const copies: [number, number][] = [];
    const outputs = program.outputs.map((from, j) => {
      const alias = this.#graph.alias[j];
      if (alias === undefined) return from;
      const to = program.inputs[alias];
      const alone = program.outputs.filter((other) => other === from).length === 1;
      if (alone && canReplace(program, uses, from, to)) renamed.set(from, to);
      else copies.push([from, to]);
      return to;
    });
    const rename = (buffer: number): number => renamed.get(buffer) ?? buffer;
    const calls = program.calls.map(({ kernel, args }) => ({ kernel, args: args.map(rename) }));
    return { ...program, calls, outputs, copies };
  }
}

/** The calls that each buffer is an argument of, in order. */
type Uses = ReadonlyMap<number, readonly number[]>;

function usesOf({ calls }: Unplanned): Uses {
  const uses = new Map<number, number[]>();
  calls.forEach(({ args }, at) => {
    for (const buffer of new Set(args)) {
      const known = uses.get(buffer);
      if (known === undefined) uses.set(buffer, [at]);
      else known.push(at);
    }
  });
  return uses;
}

/** Whether buffer `from` can be `to` all along: made after (or exactly where) everything that reads `to` has read it. */
function canReplace({ calls, kernels }: Unplanned, uses: Uses, from: number, to: number): boolean {
  const [made = -1] = uses.get(from) ?? [];
  if (made >= 0 && !mayUpdate(kernels[calls[made].kernel])) return false;
  return (uses.get(to) ?? []).every((at) => {
    if (at < made) return true;
    const call = calls[at];
    const reads = call.args.flatMap((buffer, i) => (buffer === to ? [i] : []));
    const kernel = kernels[call.kernel];
    if (at > made) return false;
    const write = call.args.indexOf(from);
    return reads.every((read) => overwritable(kernel, read, write));
  });
}
