// Loop kernels as steps: one kernel a store, one or more a fold. A register is a slot with an element per outer index;
// what points keep is computed where it is needed.

import type { LoopKernel, Stage, Store } from "../../compile/ir.ts";
import type { ReduceOp } from "../../graph/vocabulary.ts";
import { sizeOf } from "../../shape.ts";
import { covers, invert } from "./address.ts";
import { foldLength, foldRange, foldRows } from "./fold.ts";
import { accumulateValue, foldStart } from "./integer.ts";
import { type Around, type Product, type Register, StageWriter } from "./stage.ts";
import type { Steps } from "./steps.ts";
import { literal, select, type Value, variable } from "./value.ts";
import { Writer } from "./writer.ts";

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

class LoopLowering implements Around {
  readonly steps: Steps;
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
    this.steps = steps;
    this.#kernel = kernel;
    this.#slots = slots;
    this.#lengths = lengths;
    this.#keyOf = keyOf;
    this.#products = products;
  }

  get outerSides(): readonly number[] {
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
    return this.steps.values(purpose, length, this.#kernel.args[store.arg].dtype, (w, t) => {
      const { index, conditions } = invert(w, view, t, length);
      const value = new StageWriter(w, this, stage, index, t).value(store.value);
      if (covers(view, length)) return value;
      // A part of a larger result: elsewhere stands what was there.
      const there = old === undefined ? literal(w, 0, value.range && [0, 0]) : this.steps.read(w, old, t);
      return select(w, conditions.join(" && "), value, there);
    });
  }

  #fold(stage: Stage, op: ReduceOp, value: number, register: number): number {
    const outer = sizeOf(this.outerSides);
    const row = sizeOf(this.#rowSides);
    const dtype = this.#kernel.registers[register];
    const chunks = Math.max(1, Math.ceil(row / foldLength));
    const each = Math.ceil(row / chunks);
    const valueAt = (w: Writer, index: readonly string[]): Value =>
      new StageWriter(w, this, stage, index, "0").value(value);
    const origin = this.#kernel.axes.map(() => "0");
    const range = dtype === "i32" && row > 0 ? valueAt(new Writer(), origin).range : undefined;
    const first = this.steps.values("a reduction", outer * chunks, dtype, (w, t) => {
      const [o, chunk] = w.divide(t, chunks, outer * chunks);
      const outerIndex = w.unravel(o, this.outerSides);
      const sum = variable(w, foldStart(w, op, dtype, foldRange(op, dtype, range, each)));
      w.loop(each, (k) => {
        const at = chunks === 1 ? k : w.const(`${chunk} * ${each} + ${k}`);
        const body = (position: string): void => {
          accumulateValue(w, op, sum, valueAt(w, [...outerIndex, ...w.unravel(position, this.#rowSides)]));
        };
        if (each * chunks === row) body(at);
        else w.if(`${at} < ${row}`, () => body(at));
      });
      return sum;
    });
    return foldRows(this.steps, op, dtype, first, outer, chunks);
  }

  slotOf(stage: Stage, arg: number): number {
    const slot = (this.#before.get(stage) as readonly (number | undefined)[])[arg];
    if (slot === undefined) throw new Error("gpu: a kernel reads an array that nothing has written");
    return slot;
  }

  product(arg: number): Product | undefined {
    return this.#products.get(arg);
  }

  register(at: number): Register {
    return this.#registers[at];
  }

  key(stage: Stage, words: readonly number[]): number {
    return this.#keyOf({ kernel: this.#kernel, stage, words });
  }
}
