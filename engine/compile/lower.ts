// A cluster -> one loop kernel: members become scalar instructions of the stages in which they are needed.

import type { DType } from "../dtype.ts";
import type { ReduceOp } from "../graph/vocabulary.ts";
import { isReduce } from "../graph/vocabulary.ts";
import { type Cluster, type Clustering, levelOf } from "./cluster.ts";
import { collapse, lineOf } from "./collapse.ts";
import { type Columns, columnsOf, columnView } from "./columns.ts";
import type { Domain } from "./domain.ts";
import type { Fold, KernelArg, LoopKernel, Stage, Store } from "./ir.ts";
import { schedulePasses } from "./passes.ts";
import { keepsOrder, type Order } from "./rounding.ts";
import { spaceOf } from "./space.ts";
import { type Sources, StageBuilder } from "./stage.ts";
import type { Vertex } from "./vertex.ts";
import { type Access, appendView, type View } from "./view.ts";

/** Numbers the buffers of a program: a vertex's stored value, or a temporary for a spilled one. */
export interface Buffers {
  of(vertex: Vertex): number;
  spill(vertex: Vertex): number;
}

export interface Lowered {
  readonly kernel: LoopKernel;
  /** Buffer of each argument of the kernel. */
  readonly args: readonly number[];
}

/** Lowers a cluster whose members in `stored` must end up in their buffers. */
export function lowerCluster(
  c: Cluster,
  clustering: Clustering,
  stored: ReadonlySet<Vertex>,
  buffers: Buffers,
): Lowered {
  const orders = c.members.flatMap((v) => clustering.orders.get(v) ?? []);
  const lowered = new Lowering(c, clustering, stored, buffers, false).lower();
  if (orders.every((order) => keepsOrder(order, lineOf(lowered.kernel)))) return lowered;
  return new Lowering(c, clustering, stored, buffers, true).lower();
}

class Lowering implements Sources {
  readonly #c: Cluster;
  readonly #domain: Domain;
  readonly #inside: ReadonlySet<Vertex>;
  readonly #inline: ReadonlySet<Vertex>;
  readonly #stored: ReadonlySet<Vertex>;
  readonly #buffers: Buffers;
  readonly #orders: ReadonlyMap<Vertex, Order>;
  readonly #space;
  readonly #schedule;
  readonly #args: { buffer: number; arg: { dtype: DType; mode: KernelArg["mode"] } }[] = [];
  readonly #registers = new Map<Vertex, number>();

  constructor(c: Cluster, clustering: Clustering, stored: ReadonlySet<Vertex>, buffers: Buffers, wholeLines: boolean) {
    this.#c = c;
    this.#domain = c.domain as Domain;
    this.#inside = new Set(c.members);
    this.#inline = clustering.inline;
    this.#stored = stored;
    this.#buffers = buffers;
    this.#orders = new Map(
      c.members.flatMap((v) => {
        const order = this.#level(v) === "column" ? undefined : clustering.orders.get(v);
        return order === undefined ? [] : [[v, order]];
      }),
    );
    this.#space = spaceOf(c, [...this.#orders.values()], wholeLines);
    this.#schedule = schedulePasses(c, clustering, stored);
  }

  lower(): Lowered {
    const stages: Stage[] = [];
    for (let pass = 0; pass < this.#schedule.passes; pass++) {
      const row = this.#rowStage(pass);
      if (row.stores.length + row.folds.length > 0) stages.push(row);
      const point = this.#pointStage(pass);
      if (point.stores.length + point.keeps.length > 0) stages.push(point);
    }
    const made: LoopKernel = {
      kind: "loop",
      axes: this.#space.axes,
      outer: this.#space.outer,
      summed: this.#space.summed,
      lanes: "row",
      args: this.#args.map(({ arg }) => arg),
      registers: [...this.#registers.keys()].map((v) => v.dtype),
      stages,
    };
    const kernel = collapse(made, [...this.#orders.values()]);
    return { kernel, args: this.#args.map(({ buffer }) => buffer) };
  }

  #level(v: Vertex): ReturnType<typeof levelOf> {
    return levelOf(v, this.#domain);
  }

  #full(v: Vertex): boolean {
    return this.#level(v) === "full";
  }

  #rowStage(pass: number): Stage {
    const stage = new StageBuilder(this, "row", pass);
    const root: Access = [this.#space.full];
    const stores: Store[] = [];
    const folds: Fold[] = [];
    const { time, spills } = this.#schedule;
    for (const v of this.#c.members) {
      if (this.#level(v) === "column" && time.get(v) === pass) {
        const arg = this.arg(this.#buffers.of(v), v.dtype, "write");
        const access = [columnView(this.#space.axes, columnsOf(v) as Columns)];
        stores.push({ arg, access, value: stage.value(v.inputs[0], root), add: true });
      } else if (isReduce(v.op) && time.get(v) === pass) {
        const value = stage.value(v.inputs[0], root);
        folds.push({ op: v.op as ReduceOp, value, register: this.register(v), parts: this.#orders.get(v)?.parts });
      } else if (this.#full(v) && this.#stored.has(v) && time.get(v) === pass) {
        stores.push(this.#store(v, stage.value(v, root), this.#space.full));
      } else if (spills.get(v)?.pass === pass) {
        const value = stage.value(v, root);
        stores.push({ arg: this.arg(this.spillBuffer(v), v.dtype, "write"), access: root, value });
      }
    }
    return { over: "row", instrs: stage.instrs, stores, folds, keeps: [] };
  }

  #pointStage(pass: number): Stage {
    const stage = new StageBuilder(this, "point", pass);
    const stores: Store[] = [];
    const keeps: { value: number; register: number }[] = [];
    const root: Access = [this.#space.kept];
    for (const v of this.#c.members) {
      if (this.#level(v) !== "kept" || this.#schedule.time.get(v) !== pass) continue;
      const value = () => stage.value(v, root);
      if (!isReduce(v.op)) keeps.push({ value: value(), register: this.register(v) });
      if (this.#stored.has(v)) stores.push(this.#store(v, value(), this.#space.kept));
    }
    return { over: "point", instrs: stage.instrs, stores, folds: [], keeps };
  }

  /** A copy into a part of a concatenation is stored through the part's view. */
  #store(v: Vertex, value: number, root: View): Store {
    const access = v.part === undefined ? [root] : appendView([root], v.part.view);
    return { arg: this.arg(this.#buffers.of(v.part?.whole ?? v), v.dtype, "write"), access, value };
  }

  isInline(v: Vertex): boolean {
    return this.#inline.has(v);
  }

  register(v: Vertex): number {
    const register = this.#registers.get(v) ?? this.#registers.size;
    this.#registers.set(v, register);
    return register;
  }

  spillBuffer(v: Vertex): number {
    const into = this.#schedule.spills.get(v)?.into;
    return into === undefined ? this.#buffers.spill(v) : this.#buffers.of(into);
  }

  arg(buffer: number, dtype: DType, mode: "read" | "write"): number {
    const at = this.#args.findIndex((entry) => entry.buffer === buffer);
    if (at < 0) return this.#args.push({ buffer, arg: { dtype, mode } }) - 1;
    const { arg } = this.#args[at];
    if (arg.mode !== mode) arg.mode = "readwrite";
    return at;
  }

  source(v: Vertex, over: Stage["over"], pass: number): { buffer: number } | { register: number } | undefined {
    if (!this.#inside.has(v)) return { buffer: this.#buffers.of(v) };
    const { time, spills } = this.#schedule;
    const at = time.get(v) as number;
    if (!this.#full(v)) {
      if (isReduce(v.op) || over === "row" || at < pass) return { register: this.register(v) };
      return undefined;
    }
    const spill = spills.get(v);
    if (spill !== undefined) return spill.pass < pass ? { buffer: this.spillBuffer(v) } : undefined;
    return this.#stored.has(v) && v.part === undefined && at < pass ? { buffer: this.#buffers.of(v) } : undefined;
  }
}
