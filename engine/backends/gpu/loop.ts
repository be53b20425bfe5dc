// Loop kernels as steps: one kernel a store, one or more a fold. A register is a slot with an element per outer index;
// what points keep is computed where it is needed.

import type { Instr, LoopKernel, Stage, Store } from "../../compile/ir.ts";
import type { Access } from "../../compile/view.ts";
import { isFloat } from "../../dtype.ts";
import type { ReduceOp } from "../../graph/vocabulary.ts";
import { reduceIdentity } from "../../primitives/index.ts";
import { sizeOf } from "../../shape.ts";
import { covers, flatOver, invert, locate, readAt } from "./address.ts";
import type { Product } from "./epilogue.ts";
import { accumulate, applyFn } from "./scalar.ts";
import type { Steps } from "./steps.ts";
import type { Writer } from "./writer.ts";

/** Elements one thread folds; longer rows are folded in stages. */
const foldLength = 128;

/** The three words of a random key: of an instruction of a stage, known on the host. */
export interface KeySource {
  readonly kernel: LoopKernel;
  readonly stage: Stage;
  readonly words: readonly number[];
}

/** Numbers the keys of a program's random instructions; the executable passes their limbs as scalars. */
export type KeyOf = (source: KeySource) => number;

/** Products by the argument that they stand for. */
export type Products = ReadonlyMap<number, Product>;

/** A register: folded into a slot, or computed by a point stage. */
type Register = { readonly slot: number } | { readonly stage: Stage; readonly value: number };

/**
 * Emits a loop kernel. `slots` are those of its arguments, of these lengths; stores replace them. `products` are
 * arguments that are computed where they are read.
 */
export function emitLoop(
  steps: Steps,
  kernel: LoopKernel,
  slots: (number | undefined)[],
  lengths: readonly number[],
  keyOf: KeyOf,
  products: Products = new Map(),
): void {
  new LoopLowering(steps, kernel, slots, lengths, keyOf, products).emit();
}

class LoopLowering {
  readonly #steps: Steps;
  readonly #kernel: LoopKernel;
  readonly #slots: (number | undefined)[];
  readonly #lengths: readonly number[];
  readonly #keyOf: KeyOf;
  readonly #products: Products;
  readonly #registers: Register[] = [];
  /** The slots as they were when a stage began: what its loads see. */
  readonly #before = new Map<Stage, readonly (number | undefined)[]>();

  constructor(
    steps: Steps,
    kernel: LoopKernel,
    slots: (number | undefined)[],
    lengths: readonly number[],
    keyOf: KeyOf,
    products: Products,
  ) {
    this.#steps = steps;
    this.#kernel = kernel;
    this.#slots = slots;
    this.#lengths = lengths;
    this.#keyOf = keyOf;
    this.#products = products;
  }

  get #outerSides(): readonly number[] {
    return this.#kernel.axes.slice(0, this.#kernel.outer);
  }

  get #rowSides(): readonly number[] {
    return this.#kernel.axes.slice(this.#kernel.outer);
  }

  emit(): void {
    for (const stage of this.#kernel.stages) {
      this.#before.set(stage, [...this.#slots]);
      for (const { register, value } of stage.keeps) this.#registers[register] = { stage, value };
      const folded = stage.folds.map(({ op, value, register }) => ({
        register,
        slot: this.#fold(stage, op, value, register),
      }));
      // Loads see the slots from before the stage; two parts of one result build on each other.
      for (const store of stage.stores) this.#slots[store.arg] = this.#store(stage, store);
      for (const { register, slot } of folded) this.#registers[register] = { slot };
    }
  }

  #store(stage: Stage, store: Store): number {
    if (store.add) throw new Error("gpu: a column sum is a kernel of its own");
    const [view] = store.access;
    const old = this.#slots[store.arg];
    const length = this.#lengths[store.arg];
    if (store.access.length !== 1) throw new Error("gpu: a store must be affine");
    const purpose = this.#products.size > 0 ? "a product and what follows it" : "a loop";
    return this.#steps.emit(purpose, length, (w) => {
      const t = w.const("this.thread.x");
      const { index, conditions } = invert(w, view, t, length);
      const value = new StageWriter(w, this, stage, index).value(store.value);
      if (covers(view, length)) return value;
      // A part of a larger result: elsewhere stands what was there.
      const result = w.let(old === undefined ? "0" : w.read(old, t));
      w.if(conditions.join(" && "), () => w.line(`${result} = ${value};`));
      return result;
    });
  }

  #fold(stage: Stage, op: ReduceOp, value: number, register: number): number {
    const outer = sizeOf(this.#outerSides);
    const row = sizeOf(this.#rowSides);
    const identity = reduceIdentity(op, this.#kernel.registers[register]);
    const chunks = Math.max(1, Math.ceil(row / foldLength));
    const each = Math.ceil(row / chunks);
    const first = this.#steps.emit("a reduction", outer * chunks, (w) => {
      const t = w.const("this.thread.x");
      const [o, chunk] = w.divide(t, chunks, outer * chunks);
      const outerIndex = w.unravel(o, this.#outerSides);
      const sum = w.let(w.literal(identity));
      w.loop(each, (k) => {
        const at = chunks === 1 ? k : w.const(`${chunk} * ${each} + ${k}`);
        const body = (position: string): void => {
          const index = [...outerIndex, ...w.unravel(position, this.#rowSides)];
          accumulate(w, op, sum, new StageWriter(w, this, stage, index).value(value));
        };
        if (each * chunks === row) body(at);
        else w.if(`${at} < ${row}`, () => body(at));
      });
      return sum;
    });
    return foldRows(this.#steps, op, identity, first, outer, chunks);
  }

  slotOf(stage: Stage, arg: number): number {
    const slot = (this.#before.get(stage) as readonly (number | undefined)[])[arg];
    if (slot === undefined) throw new Error("gpu: a kernel reads an array that nothing has written");
    return slot;
  }

  product(arg: number): Product | undefined {
    return this.#products.get(arg);
  }

  lengthOf(slot: number): number {
    return this.#steps.lengths[slot];
  }

  register(at: number): Register {
    return this.#registers[at];
  }

  get outer(): number {
    return this.#kernel.outer;
  }

  get outerSides(): readonly number[] {
    return this.#outerSides;
  }

  key(stage: Stage, words: readonly number[]): number {
    return this.#keyOf({ kernel: this.#kernel, stage, words });
  }
}

/** Folds `chunks` neighbours of each row into one, in stages. */
export function foldRows(
  steps: Steps,
  op: ReduceOp,
  identity: number,
  slot: number,
  outer: number,
  chunks: number,
): number {
  if (chunks === 1) return slot;
  const groups = Math.ceil(chunks / foldLength);
  const each = Math.ceil(chunks / groups);
  const folded = steps.emit("a reduction", outer * groups, (w) => {
    const t = w.const("this.thread.x");
    const [o, group] = w.divide(t, groups, outer * groups);
    const sum = w.let(w.literal(identity));
    w.loop(each, (k) => {
      const at = w.const(`${group} * ${each} + ${k}`);
      const position = w.const(`${o} * ${chunks} + Math.min(${chunks - 1}, ${at})`);
      const body = () => accumulate(w, op, sum, w.const(w.read(slot, position)));
      if (each * groups === chunks) body();
      else w.if(`${at} < ${chunks}`, body);
    });
    return sum;
  });
  return foldRows(steps, op, identity, folded, outer, groups);
}

/** The values of a stage at one index, each written once. */
class StageWriter {
  readonly #w: Writer;
  readonly #loop: LoopLowering;
  readonly #stage: Stage;
  readonly #index: readonly string[];
  readonly #values = new Map<number, string>();

  constructor(w: Writer, loop: LoopLowering, stage: Stage, index: readonly string[]) {
    this.#w = w;
    this.#loop = loop;
    this.#stage = stage;
    this.#index = index;
  }

  /** Operands come before their users, so this is not deep: instructions are written in order. */
  value(at: number): string {
    const needed = new Set<number>([at]);
    for (let i = at; i >= 0; i--) {
      const instr = this.#stage.instrs[i];
      if (!needed.has(i)) continue;
      if (instr.op === "gather") needed.add(instr.index);
      // The words of a key are known on the host; only the position is computed here.
      if (instr.op === "apply")
        for (const arg of instr.fn === "uniform" ? instr.args.slice(3) : instr.args) needed.add(arg);
    }
    for (const i of [...needed].sort((a, b) => a - b)) {
      if (!this.#values.has(i)) this.#values.set(i, this.#write(this.#stage.instrs[i]));
    }
    return this.#values.get(at) as string;
  }

  #write(instr: Instr): string {
    const w = this.#w;
    switch (instr.op) {
      case "const":
        return w.const(w.literal(instr.value));
      case "load": {
        // Such a loop keeps the order of its elements: a thread's own is the one it reads.
        const product = this.#loop.product(instr.arg);
        if (product !== undefined) return product.value(w, w.const("this.thread.x"));
        const slot = this.#loop.slotOf(this.#stage, instr.arg);
        return readAt(w, slot, this.#loop.lengthOf(slot), this.#locate(instr.access), instr.fill);
      }
      case "index": {
        const { position, conditions, never } = this.#locate(instr.access);
        if (never) return w.const(w.literal(instr.fill));
        if (conditions.length === 0) return w.const(position);
        const value = w.let(w.literal(instr.fill));
        w.if(conditions.join(" && "), () => w.line(`${value} = ${position};`));
        return value;
      }
      case "gather": {
        const slot = this.#loop.slotOf(this.#stage, instr.arg);
        const index = this.#values.get(instr.index) as string;
        const located = this.#locate(instr.access);
        const step = w.const(`Math.max(0, Math.min(${instr.bound - 1}, ${index})) * ${instr.stride}`);
        const position = `${located.position} + ${step}`;
        // An index out of range cannot be reported without a readback: its elements are NaN.
        const inside = [`${index} >= 0`, `${index} < ${instr.bound}`];
        const fill = isFloat(instr.dtype) ? Number.NaN : 0;
        return readAt(w, slot, this.#loop.lengthOf(slot), { ...located, position }, fill, inside);
      }
      case "register":
        return this.#register(instr.register);
      case "apply": {
        if (instr.fn === "uniform") return this.#uniform(instr.args);
        const from = this.#stage.instrs[instr.args[0]].dtype;
        return applyFn(
          w,
          instr.fn,
          from,
          instr.dtype,
          instr.args.map((arg) => this.#values.get(arg) as string),
        );
      }
    }
  }

  #locate(access: Access) {
    return locate(this.#w, access, this.#index.slice(0, access[0].shape.length));
  }

  #register(at: number): string {
    const outerIndex = this.#index.slice(0, this.#loop.outer);
    const register = this.#loop.register(at);
    if ("slot" in register) {
      return this.#w.const(this.#w.read(register.slot, flatOver(outerIndex, this.#loop.outerSides)));
    }
    return new StageWriter(this.#w, this.#loop, register.stage, outerIndex).value(register.value);
  }

  #uniform(args: readonly number[]): string {
    const w = this.#w;
    const key = this.#loop.key(this.#stage, args.slice(0, 3));
    const limbs = [0, 1, 2, 3, 4, 5].map((limb) => w.scalar(`key${key * 6 + limb}`));
    return w.const(`${w.helper("slUniform")}(${[...limbs, this.#values.get(args[3])].join(", ")})`);
  }
}
