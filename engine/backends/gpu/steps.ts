// A program as steps over slots: each step is one gpu.js kernel that makes one new slot, so nothing is ever overwritten
// on the device; a buffer of the program is whatever slot was made for it last.

import type { DType } from "../../dtype.ts";
import { ShapeError } from "../../errors.ts";
import { as, planesOf, type Range, toFloat, union, type Value } from "./value.ts";
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
  /** Where the results are whole numbers. */
  readonly range?: Range;
}

/** Collects the steps of a program. */
export class Steps {
  readonly list: Step[] = [];
  /** Floats of each slot. */
  readonly lengths: number[] = [];
  /** What the whole numbers of each slot can be; limbs lie side by side. Undefined where it holds other values. */
  readonly ranges: (Range | undefined)[] = [];
  readonly #maxArrays: number;

  constructor(maxArrays: number) {
    this.#maxArrays = maxArrays;
  }

  slot(length: number, range?: Range): number {
    const floats = length * planesOf(range);
    if (floats > maxElements) {
      const each = floats > length ? " whole numbers, two floats each," : " elements";
      throw new ShapeError(
        "gpu",
        `a tensor of ${length}${each} is too large: positions on this backend are exact up to ${maxElements}`,
      );
    }
    this.ranges.push(range);
    return this.lengths.push(floats) - 1;
  }

  /** Floats an element of a slot takes. */
  planes(slot: number): 1 | 2 {
    return planesOf(this.ranges[slot]);
  }

  /** Elements of a slot. */
  count(slot: number): number {
    return this.lengths[slot] / this.planes(slot);
  }

  /** The element of a slot at a position that is in range. */
  read(w: Writer, slot: number, position: string): Value {
    const range = this.ranges[slot];
    if (this.planes(slot) === 1) return { parts: [w.const(w.read(slot, position))], ...(range && { range }) };
    const at = w.const(`(${position}) * 2`);
    return { parts: [w.const(w.read(slot, at)), w.const(w.read(slot, `${at} + 1`))], ...(range && { range }) };
  }

  /** Likewise, as the nearest float: an index, say, which is compared with bounds that are exact. */
  readFloat(w: Writer, slot: number, position: string): string {
    return toFloat(w, this.read(w, slot, position));
  }

  /**
   * Emits a kernel that makes `length` values; `body` writes it for the element at a position. How whole numbers are
   * held is known once the kernel is written: limbs take a thread each.
   */
  values(purpose: string, length: number, dtype: DType, body: (w: Writer, t: string) => Value): number {
    const plain = (range?: Range): number =>
      this.emit(purpose, length, (w) => body(w, w.const("this.thread.x")).parts[0], { ...(range && { range }) });
    if (dtype !== "i32") return plain();
    const { range } = length === 0 ? { range: [0, 0] as const } : body(new Writer(), "this.thread.x");
    if (range === undefined || planesOf(range) === 1) return plain(range);
    const limb = (w: Writer): string => {
      const thread = w.const("this.thread.x");
      const t = w.const(`Math.floor(${thread} * 0.5)`);
      const [high, low] = body(w, t).parts;
      const result = w.let(high);
      w.if(`${thread} - ${t} * 2 > 0.5`, () => w.line(`${result} = ${low};`));
      return result;
    };
    return this.emit(purpose, length * 2, limb, { range });
  }

  /** A slot with the same whole numbers, held as a range is. */
  as(slot: number, range: Range): number {
    if (this.planes(slot) === planesOf(range)) return slot;
    return this.values("whole numbers in another form", this.count(slot), "i32", (w, t) =>
      as(w, this.read(w, slot, t), range),
    );
  }

  /**
   * Emits a kernel of `length` threads; `body` writes it for the thread at a position and returns the result. More
   * arrays than a kernel may have are packed into one first, smallest ones together.
   */
  emit(purpose: string, length: number, body: (w: Writer) => string, options: EmitOptions = {}): number {
    const { lanes = 1, output = [length], range } = options;
    const result = this.slot((length * lanes) / planesOf(range), range);
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
    const whole = this.#join(packed);
    packed.forEach((slot, i) => {
      places.set(slot, { slot: whole, start: starts[i] });
    });
    return places;
  }

  /** `length` elements of a slot from `start` on. */
  part(slot: number, start: number, length: number): number {
    const planes = this.planes(slot);
    if (start === 0 && length * planes === this.lengths[slot]) return slot;
    const body = (w: Writer): string => {
      const at = w.position(start * planes);
      return w.const(w.read(slot, `${w.const("this.thread.x")} + ${at}`));
    };
    return this.emit("a part of an array", length * planes, body, this.#held(this.ranges[slot]));
  }

  #held = (range: Range | undefined): EmitOptions => (range === undefined ? {} : { range });

  /** One slot with the elements of several, a few at a time; whole numbers are held alike. */
  join(slots: readonly number[]): number {
    const ranges = slots.map((slot) => this.ranges[slot]).filter((range) => range !== undefined);
    const range = ranges.length === slots.length ? ranges.reduce(union) : undefined;
    return this.#join(range === undefined ? slots : slots.map((slot) => this.as(slot, range)), range);
  }

  /** Of any slots, as floats one after the other. */
  #join(slots: readonly number[], range?: Range): number {
    if (slots.length === 1) return slots[0];
    if (slots.length > this.#maxArrays) {
      const groups: number[] = [];
      for (let at = 0; at < slots.length; at += this.#maxArrays) {
        groups.push(this.#join(slots.slice(at, at + this.#maxArrays), range));
      }
      return this.#join(groups, range);
    }
    const length = slots.reduce((sum, slot) => sum + this.lengths[slot], 0);
    const body = (w: Writer): string => {
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
    };
    return this.emit(`packing ${slots.length} arrays`, length, body, this.#held(range));
  }
}
