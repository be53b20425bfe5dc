// A cluster -> one loop kernel: members become scalar instructions of the stages in which they are needed.

import type { DType } from "../dtype.ts";
import type { ElementwiseOp, ReduceOp } from "../graph/vocabulary.ts";
import { isReduce } from "../graph/vocabulary.ts";
import { type Cluster, type Clustering, levelOf } from "./cluster.ts";
import { collapse } from "./collapse.ts";
import { type Columns, columnsOf, columnView } from "./columns.ts";
import type { Domain } from "./domain.ts";
import type { Fold, Instr, KernelArg, LoopKernel, Stage, Store } from "./ir.ts";
import { instrKey } from "./key.ts";
import { schedulePasses } from "./passes.ts";
import { spaceOf } from "./space.ts";
import { isMove, throughMovement, type Vertex, viewOf } from "./vertex.ts";
import { type Access, appendView, identityAccess, type View } from "./view.ts";

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
  return new Lowering(c, clustering, stored, buffers).lower();
}

class Lowering {
  readonly #c: Cluster;
  readonly #domain: Domain;
  readonly #inside: ReadonlySet<Vertex>;
  readonly #inline: ReadonlySet<Vertex>;
  readonly #stored: ReadonlySet<Vertex>;
  readonly #buffers: Buffers;
  readonly #space;
  readonly #schedule;
  readonly #args: { buffer: number; arg: { dtype: DType; mode: KernelArg["mode"] } }[] = [];
  readonly #registers = new Map<Vertex, number>();

  constructor(c: Cluster, clustering: Clustering, stored: ReadonlySet<Vertex>, buffers: Buffers) {
    this.#c = c;
    this.#domain = c.domain as Domain;
    this.#inside = new Set(c.members);
    this.#inline = clustering.inline;
    this.#stored = stored;
    this.#buffers = buffers;
    this.#space = spaceOf(c);
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
    const kernel = collapse({
      kind: "loop",
      axes: this.#space.axes,
      outer: this.#space.outer,
      summed: this.#space.summed,
      lanes: "row",
      args: this.#args.map(({ arg }) => arg),
      registers: [...this.#registers.keys()].map((v) => v.dtype),
      stages,
    });
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
        folds.push({ op: v.op as ReduceOp, value: stage.value(v.inputs[0], root), register: this.register(v) });
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
    for (const v of this.#c.members) {
      if (this.#level(v) !== "kept" || this.#schedule.time.get(v) !== pass) continue;
      const value = () => stage.value(v, [this.#space.kept]);
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

  /**
   * How a stage gets the value of a vertex that it need not compute: from memory (its buffer), from a register, or not
   * at all (undefined: compute it here).
   */
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

const expressions: ReadonlySet<string> = new Set(["full", "iota"]);

/** Builds the instructions of one stage; equal instructions are stored once. */
class StageBuilder {
  readonly instrs: Instr[] = [];
  readonly #lowering: Lowering;
  readonly #over: Stage["over"];
  readonly #pass: number;
  readonly #known = new Map<string, number>();

  constructor(lowering: Lowering, over: Stage["over"], pass: number) {
    this.#lowering = lowering;
    this.#over = over;
    this.#pass = pass;
  }

  /** The value of a vertex at the flat position an access leads to. */
  value(v: Vertex, access: Access): number {
    if (isMove(v)) return this.#moved(v, access);
    if (expressions.has(v.op)) return this.#leaf(v, access);
    if (this.#lowering.isInline(v)) return this.#compute(v, access);
    const source = this.#lowering.source(v, this.#over, this.#pass);
    if (source === undefined) return this.#compute(v, access);
    if ("register" in source) return this.#emit({ op: "register", dtype: v.dtype, register: source.register });
    return this.#load(v, source.buffer, access, 0);
  }

  #emit(instr: Instr): number {
    const key = instrKey(instr);
    const at = this.#known.get(key) ?? this.instrs.push(instr) - 1;
    this.#known.set(key, at);
    return at;
  }

  #apply(dtype: DType, fn: ElementwiseOp | "uniform", ...args: number[]): number {
    return this.#emit({ op: "apply", dtype, fn, args });
  }

  #load(v: Vertex, buffer: number, access: Access, fill: number): number {
    const arg = this.#lowering.arg(buffer, v.dtype, "read");
    return this.#emit({ op: "load", dtype: v.dtype, arg, access, fill });
  }

  #leaf(v: Vertex, access: Access): number {
    if (v.op === "full") return this.#emit({ op: "const", dtype: v.dtype, value: v.as("full").value });
    const { shape, axis } = v.as("iota");
    const view = { shape, strides: shape.map((_, i) => (i === axis ? 1 : 0)), offset: 0 };
    return this.#emit({ op: "index", dtype: "i32", access: appendView(access, view), fill: 0 });
  }

  #moved(v: Vertex, access: Access): number {
    const view = viewOf(v);
    const [x] = v.inputs;
    if (view === undefined) return this.value(x, access);
    const inner = appendView(access, view);
    return v.op === "pad" ? this.#padded(v, x, inner) : this.value(x, inner);
  }

  /** Outside the mask a pad's value stands: as the fill of a load where x is in memory, by a select where it is not. */
  #padded(v: Vertex, x: Vertex, inner: Access): number {
    const { value } = v.as("pad");
    const [base, access] = throughMovement(x, inner);
    const source = this.#lowering.isInline(base) ? undefined : this.#lowering.source(base, this.#over, this.#pass);
    if (source !== undefined && "buffer" in source && !hasPad(x)) return this.#load(base, source.buffer, access, value);
    const last = inner[inner.length - 1];
    const inside: Access = [...inner.slice(0, -1), { ...last, strides: last.strides.map(() => 0), offset: 0 }];
    const at = this.#emit({ op: "index", dtype: "i32", access: inside, fill: -1 });
    const valid = this.#apply("bool", "equal", at, this.#emit({ op: "const", dtype: "i32", value: 0 }));
    const fill = this.#emit({ op: "const", dtype: v.dtype, value });
    return this.#apply(v.dtype, "where", valid, this.value(x, inner), fill);
  }

  #compute(v: Vertex, access: Access): number {
    switch (v.op) {
      case "copy":
        return this.value(v.inputs[0], access);
      case "gather":
        return this.#gather(v, access);
      case "uniform": {
        const [key0, key1, counter] = [0, 1, 2].map((i) => this.#keyWord(v.inputs[0], access, i));
        const call = this.#emit({ op: "const", dtype: "i32", value: v.as("uniform").call });
        const index = this.#emit({ op: "index", dtype: "i32", access, fill: 0 });
        return this.#apply(v.dtype, "uniform", key0, key1, this.#apply("i32", "add", counter, call), index);
      }
      default:
        return this.#apply(v.dtype, v.op as ElementwiseOp, ...v.inputs.map((x) => this.value(x, access)));
    }
  }

  #keyWord(key: Vertex, access: Access, i: number): number {
    const { shape } = access[0];
    return this.value(key, [{ shape, strides: shape.map(() => 0), offset: i }]);
  }

  #gather(v: Vertex, access: Access): number {
    const [x, index] = v.inputs;
    const { axis } = v.as("gather");
    const [base, [view]] = throughMovement(x, identityAccess(x.shape));
    const source = this.#lowering.source(base, this.#over, this.#pass);
    if (source === undefined || !("buffer" in source)) throw new Error("compile: a gather's source is not in memory");
    const arg = this.#lowering.arg(source.buffer, v.dtype, "read");
    const rest = { shape: v.shape, strides: view.strides.with(axis, 0), offset: view.offset };
    const at = this.value(index, access);
    const stride = view.strides[axis];
    const bound = x.shape[axis];
    return this.#emit({
      op: "gather",
      dtype: v.dtype,
      arg,
      access: appendView(access, rest),
      index: at,
      stride,
      bound,
    });
  }
}

function hasPad(x: Vertex): boolean {
  for (let at = x; isMove(at); at = at.inputs[0]) if (at.op === "pad") return true;
  return false;
}
