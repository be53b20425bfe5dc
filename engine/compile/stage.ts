// The instructions of one stage: what its stores and folds need, as scalar expressions over loads and registers.

import type { DType } from "../dtype.ts";
import type { ElementwiseOp } from "../graph/vocabulary.ts";
import type { Instr, KernelArg, Stage } from "./ir.ts";
import { instrKey } from "./key.ts";
import { gatherView } from "./reads.ts";
import { iotaView, isMove, throughMovement, type Vertex, viewOf } from "./vertex.ts";
import { type Access, appendView, identityAccess } from "./view.ts";

/** What a stage is told by the kernel it belongs to. */
export interface Sources {
  /** Whether the vertex is an expression, evaluated wherever it is used. */
  isInline(v: Vertex): boolean;
  /** The kernel's argument for a buffer. */
  arg(buffer: number, dtype: DType, mode: KernelArg["mode"]): number;
  /**
   * How a stage gets the value of a vertex that it need not compute: from memory (its buffer), from a register, or not
   * at all (undefined: compute it here).
   */
  source(v: Vertex, over: Stage["over"], pass: number): { buffer: number } | { register: number } | undefined;
}

const expressions: ReadonlySet<string> = new Set(["full", "iota"]);

/** Builds the instructions of one stage; equal instructions are stored once. */
export class StageBuilder {
  readonly instrs: Instr[] = [];
  readonly #kernel: Sources;
  readonly #over: Stage["over"];
  readonly #pass: number;
  readonly #known = new Map<string, number>();
  readonly #found = new Map<Access, Map<Vertex, number>>();

  constructor(kernel: Sources, over: Stage["over"], pass: number) {
    this.#kernel = kernel;
    this.#over = over;
    this.#pass = pass;
  }

  /** The value of a vertex at the flat position an access leads to; found once, however many need it. */
  value(v: Vertex, access: Access): number {
    const here = this.#found.get(access) ?? new Map<Vertex, number>();
    this.#found.set(access, here);
    const value = here.get(v) ?? this.#find(v, access);
    here.set(v, value);
    return value;
  }

  #find(v: Vertex, access: Access): number {
    if (isMove(v)) return this.#moved(v, access);
    if (expressions.has(v.op)) return this.#leaf(v, access);
    if (this.#kernel.isInline(v)) return this.#compute(v, access);
    const source = this.#kernel.source(v, this.#over, this.#pass);
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
    const arg = this.#kernel.arg(buffer, v.dtype, "read");
    return this.#emit({ op: "load", dtype: v.dtype, arg, access, fill });
  }

  #leaf(v: Vertex, access: Access): number {
    if (v.op === "full") return this.#emit({ op: "const", dtype: v.dtype, value: v.as("full").value });
    return this.#emit({ op: "index", dtype: "i32", access: appendView(access, iotaView(v)), fill: 0 });
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
    const source = this.#kernel.isInline(base) ? undefined : this.#kernel.source(base, this.#over, this.#pass);
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
        const words = [key0, key1, this.#apply("i32", "add", counter, call), index];
        const { bound } = v.as("uniform");
        // As 32 bits: 2^32 is 0.
        if (bound !== undefined) words.push(this.#emit({ op: "const", dtype: "i32", value: bound | 0 }));
        return this.#apply(v.dtype, "uniform", ...words);
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
    const source = v.as("gather");
    const { axis } = source;
    const [base, [view]] = throughMovement(x, identityAccess(x.shape));
    const memory = this.#kernel.source(base, this.#over, this.#pass);
    if (memory === undefined || !("buffer" in memory)) throw new Error("compile: a gather's source is not in memory");
    const arg = this.#kernel.arg(memory.buffer, v.dtype, "read");
    const at = this.value(index, access);
    const stride = view.strides[axis];
    const bound = x.shape[axis];
    return this.#emit({
      op: "gather",
      dtype: v.dtype,
      arg,
      access: appendView(access, gatherView(v)),
      index: at,
      stride,
      bound,
      source,
    });
  }
}

function hasPad(x: Vertex): boolean {
  for (let at = x; isMove(at); at = at.inputs[0]) if (at.op === "pad") return true;
  return false;
}
