// The values of a stage of a loop kernel at one index, as statements.

import type { Instr, Stage } from "../../compile/ir.ts";
import type { Access } from "../../compile/view.ts";
import { type DType, isFloat } from "../../dtype.ts";
import { flatOver, locate, positionRange, readAt } from "./address.ts";
import { applyWhole } from "./integer.ts";
import { applyFn } from "./scalar.ts";
import type { Steps } from "./steps.ts";
import { assign, fits, float, literal, toFloat, union, type Value, variable, whole, wrapped } from "./value.ts";
import type { Writer } from "./writer.ts";

/** A value that a kernel may compute instead of reading it. */
export interface Product {
  /** The element at a position. */
  value(w: Writer, position: string): string;
  /** Computing an element again costs as much as it did the first time. */
  readonly costly: boolean;
}

/** A register: folded into a slot, or computed by a point stage. */
export type Register = { readonly slot: number } | { readonly stage: Stage; readonly value: number };

/** What a stage knows of its kernel. */
export interface Around {
  readonly steps: Steps;
  readonly outerSides: readonly number[];
  /** The slot that a stage's loads of an argument see. */
  slotOf(stage: Stage, arg: number): number;
  /** What is computed instead of loading an argument. */
  product(arg: number): Product | undefined;
  register(at: number): Register;
  /** Numbers a random key of a stage, by its words. */
  key(stage: Stage, words: readonly number[]): number;
}

/** The values of a stage at one index, each written once. */
export class StageWriter {
  readonly #w: Writer;
  readonly #loop: Around;
  readonly #stage: Stage;
  readonly #index: readonly string[];
  /** The position of the element that a store makes: a product's own. */
  readonly #own: string;
  readonly #values = new Map<number, Value>();

  constructor(w: Writer, loop: Around, stage: Stage, index: readonly string[], own: string) {
    this.#own = own;
    this.#w = w;
    this.#loop = loop;
    this.#stage = stage;
    this.#index = index;
  }

  /** Operands come before their users, so this is not deep: instructions are written in order. */
  value(at: number): Value {
    const needed = new Set<number>([at]);
    for (let i = at; i >= 0; i--) {
      const instr = this.#stage.instrs[i];
      if (!needed.has(i)) continue;
      if (instr.op === "gather") needed.add(instr.index);
      // The words of a key are known on the host; only the position is computed here.
      if (instr.op === "apply")
        for (const arg of instr.fn === "uniform" ? [instr.args[3]] : instr.args) needed.add(arg);
    }
    for (const i of [...needed].sort((a, b) => a - b)) {
      if (!this.#values.has(i)) this.#values.set(i, this.#write(this.#stage.instrs[i]));
    }
    return this.#values.get(at) as Value;
  }

  #write(instr: Instr): Value {
    const w = this.#w;
    switch (instr.op) {
      case "const":
        return this.#literal(instr.value, instr.dtype);
      case "load": {
        // Such a loop keeps the order of its elements: a thread's own is the one it reads.
        const product = this.#loop.product(instr.arg);
        if (product !== undefined) return float(product.value(w, this.#own));
        const slot = this.#loop.slotOf(this.#stage, instr.arg);
        return readAt(w, this.#loop.steps, slot, this.#locate(instr.access), instr.fill);
      }
      case "index": {
        const { position, conditions, never } = this.#locate(instr.access);
        if (never) return this.#literal(instr.fill, "i32");
        const range = positionRange(instr.access);
        if (conditions.length === 0) return whole(range, w.const(position));
        const all = union(range, [instr.fill, instr.fill]);
        const value = variable(w, this.#literal(instr.fill, "i32"), all);
        w.if(conditions.join(" && "), () => assign(w, value, whole(range, w.const(position))));
        return value;
      }
      case "gather": {
        const slot = this.#loop.slotOf(this.#stage, instr.arg);
        const index = toFloat(w, this.#values.get(instr.index) as Value);
        const located = this.#locate(instr.access);
        const step = w.const(`Math.max(0, Math.min(${instr.bound - 1}, ${index})) * ${instr.stride}`);
        const position = `${located.position} + ${step}`;
        // An index that the device computed cannot be reported without a readback: out of range, it gives NaN.
        const inside = [`${index} >= 0`, `${index} < ${instr.bound}`];
        const fill = isFloat(instr.dtype) ? Number.NaN : 0;
        return readAt(w, this.#loop.steps, slot, { ...located, position }, fill, inside);
      }
      case "register":
        return this.#register(instr.register);
      case "apply": {
        if (instr.fn === "uniform") return this.#uniform(instr.args);
        const types = instr.args.map((arg) => this.#stage.instrs[arg].dtype);
        const args = instr.args.map((arg) => this.#values.get(arg) as Value);
        const { fn, dtype } = instr;
        if (dtype === "i32" || types.includes("i32")) return applyWhole(w, fn, types[0], dtype, args);
        return float(
          applyFn(
            w,
            fn,
            types[0],
            dtype,
            args.map(({ parts }) => parts[0]),
          ),
        );
      }
    }
  }

  #literal(value: number, dtype: DType): Value {
    const text = literal(this.#w, value, dtype === "i32" ? [value, value] : undefined);
    return { ...text, parts: text.parts.map((part) => this.#w.const(part)) };
  }

  #locate(access: Access) {
    return locate(this.#w, access, this.#index.slice(0, access[0].shape.length));
  }

  #register(at: number): Value {
    const outerIndex = this.#index.slice(0, this.#loop.outerSides.length);
    const register = this.#loop.register(at);
    if ("slot" in register) {
      return this.#loop.steps.read(this.#w, register.slot, flatOver(outerIndex, this.#loop.outerSides));
    }
    return new StageWriter(this.#w, this.#loop, register.stage, outerIndex, "0").value(register.value);
  }

  #uniform(args: readonly number[]): Value {
    const w = this.#w;
    const key = this.#loop.key(this.#stage, args.slice(0, 3));
    const limbs = [0, 1, 2, 3, 4, 5].map((limb) => w.scalar(`key${key * 6 + limb}`));
    const words = [...limbs, this.#values.get(args[3])?.parts[0]].join(", ");
    if (args.length === 4) return float(w.const(`${w.helper("slUniform")}(${words})`));
    const last = this.#stage.instrs[args[4]];
    if (last.op !== "const") throw new Error("gpu: the bound of a random number must be known");
    const bound = last.value >>> 0 || 2 ** 32;
    const limit = [Math.floor(bound / 65536), bound % 65536].map((limb) => w.const(String(limb))).join(", ");
    const part = (which: number): string =>
      w.const(`${w.helper("slBelow")}(${words}, ${limit}, ${w.const(String(which))})`);
    const range = wrapped(0, bound - 1);
    return fits(range) ? whole(range, part(0)) : whole(range, part(1), part(2));
  }
}
