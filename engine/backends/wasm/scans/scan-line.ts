// Scans along neighbouring elements: prefixes inside a vector by shifts, and one value carried from vector to vector.

import type { ScanKernel } from "../../../compile/ir.ts";
import { bytesPerElement } from "../../../dtype.ts";
import type { MemoryOpcode, Opcode } from "../assembler/asm.ts";
import type { Local, Vector } from "../vector/vector.ts";
import { combine, widthOf } from "./scan-step.ts";

/** Unit: one line. The first element is done alone, then vectors, then the elements that are left, one by one. */
export function emitLines(v: Vector, kernel: ScanKernel): void {
  const { f } = v;
  const size = bytesPerElement(kernel.dtype);
  const bytes = kernel.length * size;
  const [lo, hi] = [kernel.args.length, kernel.args.length + 1];
  const pointers = kernel.args.map(() => v.fresh("i32"));
  const line = new Line(v, kernel, pointers);
  f.get(lo).get(hi).op("i32.lt_u");
  f.if(() =>
    f.loop(() => {
      pointers.forEach((pointer, i) => {
        f.get(i).get(lo).i32(bytes).op("i32.mul").op("i32.add");
        if (kernel.reverse) f.i32(bytes - size).op("i32.add");
        f.set(pointer);
      });
      line.emit();
      f.get(lo).i32(1).op("i32.add").tee(lo).get(hi).op("i32.lt_u").brIf(0);
    }),
  );
}

const scalars: Record<ScanKernel["dtype"], readonly [load: MemoryOpcode, store: MemoryOpcode]> = {
  f32: ["f32.load", "f32.store"],
  f64: ["f64.load", "f64.store"],
  i32: ["i32.load", "i32.store"],
};

/** Beyond this carried value a product of coefficients that underflows would show. */
const largeCarry = 1e20;

class Line {
  private readonly v: Vector;
  private readonly kernel: ScanKernel;
  private readonly pointers: readonly Local[];
  private readonly width: number;
  private readonly size: number;
  private readonly lanes: "f32x4" | "f64x2" | "i32x4";
  /** The last result in all lanes. */
  private readonly carry: Local;
  /** What shifts in: changes nothing when combined. */
  private readonly neutral: Local;
  private readonly scalar: Local;

  constructor(v: Vector, kernel: ScanKernel, pointers: readonly Local[]) {
    this.v = v;
    this.kernel = kernel;
    this.pointers = pointers;
    this.width = widthOf(kernel);
    this.size = bytesPerElement(kernel.dtype);
    this.lanes = kernel.dtype === "f32" ? "f32x4" : kernel.dtype === "f64" ? "f64x2" : "i32x4";
    this.carry = v.fresh();
    this.scalar = v.fresh(kernel.dtype);
    const least = kernel.dtype === "i32" ? -2147483648 : Number.NEGATIVE_INFINITY;
    this.neutral = this.constant(kernel.fn === "max" ? least : 0);
  }

  private constant(value: number): Local {
    const { v, kernel } = this;
    return kernel.dtype === "f32" ? v.f32(value) : kernel.dtype === "f64" ? v.f64(value) : v.i32(value);
  }

  private op(name: string, ...args: readonly Local[]): Local {
    return this.v.op(`${this.lanes}.${name}` as Opcode, ...args);
  }

  emit(): void {
    const { v, kernel, width } = this;
    const { f } = v;
    this.first();
    const vectors = Math.floor((kernel.length - 1) / width);
    const unroll = kernel.fn === "linear" || vectors < 2 ? 1 : 2;
    const left = v.fresh("i32");
    const loop = (times: number, body: () => void): void => {
      if (times === 0) return;
      f.i32(times).set(left);
      f.loop(() => {
        body();
        f.get(left).i32(1).op("i32.sub").tee(left).brIf(0);
      });
    };
    loop(Math.floor(vectors / unroll), () => {
      for (let j = 0; j < unroll; j++) v.scope(() => this.vector());
    });
    if (vectors % unroll === 1) v.scope(() => this.vector());
    const rest = kernel.length - 1 - vectors * width;
    if (rest === 0) return;
    f.get(this.carry).lane(`${this.lanes}.extract_lane`, 0).set(this.scalar);
    for (let j = 0; j < rest; j++) {
      this.one(0);
      this.move(1);
    }
  }

  /** Moves all pointers by so many elements, in the direction of the scan. */
  private move(elements: number): void {
    const { v, kernel, pointers } = this;
    const by = (kernel.reverse ? -elements : elements) * this.size;
    for (const pointer of pointers) v.f.get(pointer).i32(by).op("i32.add").set(pointer);
  }

  private first(): void {
    const { v, kernel, pointers } = this;
    const { f } = v;
    const [load, store] = scalars[kernel.dtype];
    const out = pointers[pointers.length - 1];
    f.get(out)
      .get(pointers[pointers.length - 2])
      .load(load);
    if (kernel.fn === "sum" && kernel.dtype !== "i32") {
      if (kernel.dtype === "f32") f.f32(0).op("f32.add");
      else f.f64(0).op("f64.add");
    }
    f.tee(this.scalar).store(store);
    f.get(this.scalar).op(`${this.lanes}.splat`).set(this.carry);
    this.move(1);
  }

  /** Bytes from the pointer of an input to its element. */
  private lagOf(input: number): number {
    const { kernel, size } = this;
    return kernel.lag && input === 0 ? (kernel.reverse ? size : -size) : 0;
  }

  /** The element `index` steps on, from `scalar`, which it replaces. */
  private one(index: number): void {
    const { v, kernel, pointers } = this;
    const { f } = v;
    const [load, store] = scalars[kernel.dtype];
    const offset = (kernel.reverse ? -index : index) * this.size;
    const push = (input: number): void => {
      const by = offset + this.lagOf(input);
      f.get(pointers[input]);
      if (by < 0) f.i32(by).op("i32.add").load(load);
      else f.load(load, by);
    };
    const { dtype } = kernel;
    if (kernel.fn === "linear") {
      push(0);
      f.get(this.scalar).op(`${dtype}.mul`);
      push(1);
      f.op(`${dtype}.add`);
    } else {
      f.get(this.scalar);
      push(0);
      if (kernel.fn === "sum") f.op(`${dtype}.add`);
      else if (dtype !== "i32") f.op(`${dtype}.max`);
      else {
        f.get(this.scalar);
        push(0);
        f.op("i32.gt_s").op("select");
      }
    }
    f.set(this.scalar);
    const out = pointers[pointers.length - 1];
    f.get(out);
    if (offset < 0) f.i32(offset).op("i32.add");
    f.get(this.scalar).store(store, Math.max(0, offset));
  }

  /** Lanes moved `by` steps on in the direction of the scan; `fill` comes in. */
  private shifted(x: Local, by: number, fill: Local): Local {
    const { kernel, size } = this;
    const at = kernel.reverse ? by * size : 16 - by * size;
    const bytes = Array.from({ length: 16 }, (_, i) => at + i);
    return kernel.reverse ? this.v.shuffle(x, fill, bytes) : this.v.shuffle(fill, x, bytes);
  }

  /** The lane visited last, in all lanes. */
  private last(x: Local): Local {
    const { kernel, size } = this;
    const start = kernel.reverse ? 0 : 16 - size;
    return this.v.shuffle(
      x,
      x,
      Array.from({ length: 16 }, (_, i) => start + (i % size)),
    );
  }

  private load(input: number): Local {
    const { v, kernel, pointers } = this;
    const by = this.lagOf(input) - (kernel.reverse ? 16 - this.size : 0);
    const result = v.fresh();
    v.f.get(pointers[input]);
    if (by < 0) v.f.i32(by).op("i32.add").load("v128.load", 0, 0);
    else v.f.load("v128.load", by, 0);
    v.f.set(result);
    return result;
  }

  private store(value: Local): void {
    const { v, kernel, pointers } = this;
    v.f.get(pointers[pointers.length - 1]);
    if (kernel.reverse) v.f.i32(this.size - 16).op("i32.add");
    v.f.get(value).store("v128.store", 0, 0);
  }

  private vector(): void {
    const { v, kernel, width } = this;
    if (kernel.fn === "linear") {
      this.linear();
      return;
    }
    let prefix = this.load(0);
    for (let by = 1; by < width; by *= 2) {
      prefix = combine(v, kernel, prefix, [this.shifted(prefix, by, this.neutral)]);
    }
    this.store(combine(v, kernel, this.carry, [prefix]));
    // The chain from vector to vector is one operation: the last lane is spread before it joins the carry.
    v.f.get(combine(v, kernel, this.carry, [this.last(prefix)])).set(this.carry);
    this.move(width);
  }

  /**
   * Prefixes of pairs (a, b): first a' b', then a, b, is (a a', a b' + b). Products of coefficients can leave the range
   * of the dtype where the recurrence itself does not: then the elements are done one by one.
   */
  private linear(): void {
    const { v, kernel, width } = this;
    const { f } = v;
    const one = this.constant(1);
    let a = this.load(0);
    let b = this.load(1);
    for (let by = 1; by < width; by *= 2) {
      const next = combine(v, kernel, this.shifted(b, by, this.neutral), [a, b]);
      a = this.op("mul", a, this.shifted(a, by, one));
      b = next;
    }
    const fast = (): void => {
      this.store(combine(v, kernel, this.carry, [a, b]));
      f.get(combine(v, kernel, this.carry, [this.last(a), this.last(b)])).set(this.carry);
    };
    if (kernel.dtype === "i32") fast();
    else {
      const limit = this.constant(largeCarry);
      const small = this.op("lt", this.op("abs", this.carry), limit);
      const largest = this.constant(kernel.dtype === "f32" ? 3.4028234663852886e38 : Number.MAX_VALUE);
      const finite = v.op(
        "v128.and",
        this.op("le", this.op("abs", a), largest),
        this.op("le", this.op("abs", b), largest),
      );
      f.get(v.op("v128.and", small, finite)).op(kernel.dtype === "f32" ? "i32x4.all_true" : "i64x2.all_true");
      f.if(fast, () => {
        f.get(this.carry).lane(`${this.lanes}.extract_lane`, 0).set(this.scalar);
        for (let j = 0; j < width; j++) this.one(j);
        f.get(this.scalar).op(`${this.lanes}.splat`).set(this.carry);
      });
    }
    this.move(width);
  }
}
