// A program as steps over slots: each step is one gpu.js kernel that makes one new slot, so nothing is ever overwritten
// on the device; a buffer of the program is whatever slot was made for it last.

import { ShapeError } from "../../errors.ts";
import { maxElements, type Place, type Scalar, Writer } from "./writer.ts";

/** What gpu.js needs to build a kernel. Equal sources are one kernel, however many steps use it. */
export interface KernelSpec {
  readonly source: string;
  readonly helpers: readonly string[];
  /** Dimensions of the output: threads along x, and y and z where a kernel wants its position in parts. */
  readonly output: readonly number[];
  /** Values each thread returns. */
  readonly lanes: 1 | 4;
  /** Lengths of the array arguments; the scalars follow them. */
  readonly arrays: readonly number[];
  /** What the kernel is for, in messages. */
  readonly purpose: string;
}

export interface Step {
  readonly spec: KernelSpec;
  readonly inputs: readonly number[];
  readonly scalars: readonly Scalar[];
  readonly output: number;
}

export interface EmitOptions {
  readonly output?: readonly number[];
  readonly lanes?: 1 | 4;
}

/** Collects the steps of a program. */
export class Steps {
  readonly list: Step[] = [];
  /** Length of each slot. */
  readonly lengths: number[] = [];
  readonly #maxArrays: number;

  constructor(maxArrays: number) {
    this.#maxArrays = maxArrays;
  }

  slot(length: number): number {
    if (length > maxElements) {
      throw new ShapeError(
        "gpu",
        `a tensor of ${length} elements is too large: positions on this backend are exact up to ${maxElements}`,
      );
    }
    return this.lengths.push(length) - 1;
  }

  /**
   * Emits a kernel of `length` threads; `body` writes it for the thread at a position and returns the result. More
   * arrays than a kernel may have are packed into one first, smallest ones together.
   */
  emit(purpose: string, length: number, body: (w: Writer) => string, options: EmitOptions = {}): number {
    const { lanes = 1, output = [length] } = options;
    const result = this.slot(length * lanes);
    if (length === 0) return result;
    let w = new Writer();
    let value = body(w);
    if (w.slots.length > this.#maxArrays) {
      const places = this.#pack(w.slots);
      w = new Writer((slot) => places.get(slot) ?? { slot, start: 0 });
      value = body(w);
    }
    const spec: KernelSpec = {
      source: w.source(value),
      helpers: w.helpers,
      output,
      lanes,
      arrays: w.slots.map((slot) => this.lengths[slot]),
      purpose,
    };
    this.list.push({ spec, inputs: w.slots, scalars: w.scalars, output: result });
    return result;
  }

  #pack(slots: readonly number[]): Map<number, Place> {
    const bySize = [...slots].sort((a, b) => this.lengths[a] - this.lengths[b]);
    const packed = bySize.slice(0, slots.length - this.#maxArrays + 1);
    const places = new Map<number, Place>();
    let length = 0;
    const starts = packed.map((slot) => {
      const start = length;
      length += this.lengths[slot];
      return start;
    });
    const whole = this.join(packed);
    packed.forEach((slot, i) => {
      places.set(slot, { slot: whole, start: starts[i] });
    });
    return places;
  }

  /** `length` elements of a slot from `start` on. */
  part(slot: number, start: number, length: number): number {
    if (start === 0 && length === this.lengths[slot]) return slot;
    return this.emit("a part of an array", length, (w) => {
      const at = w.position(start);
      return w.const(w.read(slot, `${w.const("this.thread.x")} + ${at}`));
    });
  }

  /** One slot with the elements of several, a few at a time. */
  join(slots: readonly number[]): number {
    if (slots.length === 1) return slots[0];
    if (slots.length > this.#maxArrays) {
      const groups: number[] = [];
      for (let at = 0; at < slots.length; at += this.#maxArrays) {
        groups.push(this.join(slots.slice(at, at + this.#maxArrays)));
      }
      return this.join(groups);
    }
    const length = slots.reduce((sum, slot) => sum + this.lengths[slot], 0);
    return this.emit(`packing ${slots.length} arrays`, length, (w) => {
      const t = w.const("this.thread.x");
      const value = w.let("0");
      let start = 0;
      for (const slot of slots) {
        const side = this.lengths[slot];
        if (side === 0) continue;
        const at = w.const(`Math.max(0, Math.min(${side - 1}, ${t} - ${start}))`);
        w.if(`${t} >= ${start}`, () => w.line(`${value} = ${w.read(slot, at)};`));
        start += side;
      }
      return value;
    });
  }
}
