// Stable argsort of rows as a function (x, out, lo, hi): keys become integers whose order is the wanted one, then
// insertion sort for short rows and a least-significant-digit radix sort for the others.

import type { SortKernel } from "../../../compile/ir.ts";
import { bytesPerElement } from "../../../dtype.ts";
import type { FunctionBuilder } from "../assembler/asm.ts";
import type { Env } from "../vector/env.ts";

/** So many elements in order are found by insertion, however long the row: what comes after them is dropped at once. */
const fewKept = 48;
const digits = 256;

export const sortUnits = (kernel: SortKernel): number => (kernel.kept === 0 ? 0 : kernel.rows);

/** Instructions of a whole call, by and large. */
export const sortWork = ({ rows, length, kept }: SortKernel): number =>
  rows * length * (kept > fewKept ? 40 : 8 + Math.min(length, kept));

export function emitSort(env: Env, kernel: SortKernel, name: string): number {
  const { length, kept, dtype } = kernel;
  const keyBytes = dtype === "f64" ? 8 : 4;
  // Scratch: keys, then for the radix sort other keys, two orders and the counters.
  env.needScratch(kept <= fewKept ? kept * keyBytes : 2 * length * (keyBytes + 4) + digits * 4);
  return env.module.func(name, new Array(4).fill("i32"), [], (f) => {
    const [x, out, lo, hi] = [0, 1, 2, 3];
    const rowBytes = length * bytesPerElement(dtype);
    if (kept === 0) return;
    const keys = f.local("i32");
    f.globalGet(env.scratchGlobal).set(keys);
    f.get(x).get(lo).i32(rowBytes).op("i32.mul").op("i32.add").set(x);
    f.get(out)
      .get(lo)
      .i32(kept * 4)
      .op("i32.mul")
      .op("i32.add")
      .set(out);
    f.get(lo).get(hi).op("i32.lt_u");
    f.if(() =>
      f.loop(() => {
        const row = new RowSort(f, kernel, x, out, keys);
        if (kept <= fewKept) row.insertion();
        else row.radix(keyBytes);
        f.get(x).i32(rowBytes).op("i32.add").set(x);
        f.get(out)
          .i32(kept * 4)
          .op("i32.add")
          .set(out);
        f.get(lo).i32(1).op("i32.add").tee(lo).get(hi).op("i32.lt_u").brIf(0);
      }),
    );
  });
}

/** The code for the row at `x`, the start of whose order goes to `out`. */
class RowSort {
  private readonly f: FunctionBuilder;
  private readonly kernel: SortKernel;
  private readonly x: number;
  private readonly out: number;
  private readonly keys: number;
  private readonly wide: boolean;
  private readonly keyBytes: number;

  constructor(f: FunctionBuilder, kernel: SortKernel, x: number, out: number, keys: number) {
    this.f = f;
    this.kernel = kernel;
    this.x = x;
    this.out = out;
    this.keys = keys;
    this.wide = kernel.dtype === "f64";
    this.keyBytes = this.wide ? 8 : 4;
  }

  private loadKey(): FunctionBuilder {
    return this.f.load(this.wide ? "i64.load" : "i32.load");
  }
  private storeKey(): FunctionBuilder {
    return this.f.store(this.wide ? "i64.store" : "i32.store");
  }

  /** Pushes pointer + index * bytes. */
  private at(pointer: number, index: number, bytes: number): FunctionBuilder {
    return this.f.get(pointer).get(index).i32(bytes).op("i32.mul").op("i32.add");
  }

  private count(index: number, end: number, body: () => void): void {
    const { f } = this;
    f.i32(0).set(index);
    f.loop(() => {
      body();
      f.get(index).i32(1).op("i32.add").tee(index).i32(end).op("i32.lt_u").brIf(0);
    });
  }

  /** Pushes the key of element i: an integer, in unsigned order. */
  private pushKey(i: number): void {
    const { f, kernel, wide } = this;
    const { dtype, descending } = kernel;
    this.at(this.x, i, bytesPerElement(dtype));
    if (dtype === "bool" || dtype === "i32") {
      f.load(dtype === "bool" ? "i32.load8_u" : "i32.load");
      if (dtype === "i32") f.i32(-2147483648).op("i32.xor");
      if (descending) f.i32(-1).op("i32.xor");
      return;
    }
    const value = f.local(dtype);
    const bits = f.local(wide ? "i64" : "i32");
    const push = (n: number) => (wide ? f.i64(BigInt(n)) : f.i32(n));
    const type = wide ? "i64" : "i32";
    // Adding 0 makes -0 equal to 0.
    if (wide) f.load("f64.load").f64(0).op("f64.add").tee(value).op("i64.reinterpret_f64").set(bits);
    else f.load("f32.load").f32(0).op("f32.add").tee(value).op("i32.reinterpret_f32").set(bits);
    // Negative numbers: all bits turned; others: the sign bit. Descending: all bits once more. NaN is last either way.
    push(-1);
    f.get(bits);
    push(wide ? 63 : 31);
    f.op(`${type}.shr_s`);
    if (wide) f.i64(-9223372036854775808n);
    else f.i32(-2147483648);
    f.op(`${type}.or`).get(bits).op(`${type}.xor`);
    if (descending) {
      push(-1);
      f.op(`${type}.xor`);
    }
    f.get(value)
      .get(value)
      .op(wide ? "f64.ne" : "f32.ne")
      .op("select");
  }

  /** Each element into the order of those before it, of which only `kept` stay. */
  insertion(): void {
    const { f, out, keys, keyBytes, wide, kernel } = this;
    const type = wide ? "i64" : "i32";
    const key = f.local(type);
    const i = f.local("i32");
    const j = f.local("i32");
    const spot = f.local("i32");
    const last = (kernel.kept - 1) * keyBytes;
    this.count(i, kernel.length, () => {
      f.block(() => {
        this.pushKey(i);
        f.set(key);
        f.get(i).set(j);
        if (kernel.kept < kernel.length) {
          f.get(i).i32(kernel.kept).op("i32.ge_u");
          f.if(() => {
            f.get(key).get(keys).load(`${type}.load`, last).op(`${type}.ge_u`).brIf(1);
            f.i32(kernel.kept - 1).set(j);
          });
        }
        f.block(() =>
          f.loop(() => {
            f.get(j).op("i32.eqz").brIf(1);
            this.at(keys, j, keyBytes).set(spot);
            f.get(spot).i32(keyBytes).op("i32.sub");
            this.loadKey().get(key).op(`${type}.le_u`).brIf(1);
            f.get(spot).get(spot).i32(keyBytes).op("i32.sub");
            this.loadKey();
            this.storeKey();
            this.at(out, j, 4).set(spot);
            f.get(spot).get(spot).i32(4).op("i32.sub").load("i32.load").store("i32.store");
            f.get(j).i32(1).op("i32.sub").set(j).br(0);
          }),
        );
        this.at(keys, j, keyBytes).get(key);
        this.storeKey();
        this.at(out, j, 4).get(i).store("i32.store");
      });
    });
  }

  /** An even number of passes over bytes of the key, lowest first: the result is back where it began. */
  radix(passes: number): void {
    const { f, kernel, out, keys, keyBytes } = this;
    const { length, kept } = kernel;
    const digit = f.local("i32");
    const from = { keys: f.local("i32"), order: f.local("i32") };
    const to = { keys: f.local("i32"), order: f.local("i32") };
    const counters = f.local("i32");
    f.get(keys).set(from.keys);
    const after = (before: number, bytes: number, area: number): void => {
      f.get(before)
        .i32(length * bytes)
        .op("i32.add")
        .set(area);
    };
    after(from.keys, keyBytes, to.keys);
    after(to.keys, keyBytes, to.order);
    after(to.order, 4, from.order);
    after(from.order, 4, counters);
    // A whole order is made in its place.
    if (kept === length) f.get(out).set(from.order);
    const i = f.local("i32");
    this.count(i, length, () => {
      this.at(from.keys, i, keyBytes);
      this.pushKey(i);
      this.storeKey();
      this.at(from.order, i, 4).get(i).store("i32.store");
    });
    this.count(digit, passes, () => {
      this.pass(digit, counters, from, to);
      for (const part of ["keys", "order"] as const) f.get(from[part]).get(to[part]).set(from[part]).set(to[part]);
    });
    if (kept < length)
      f.get(out)
        .get(from.order)
        .i32(kept * 4)
        .memoryCopy();
  }

  /** Pops a key and pushes the address of its digit's counter. */
  private counter(digit: number, counters: number): FunctionBuilder {
    const { f, wide } = this;
    f.get(digit).i32(8).op("i32.mul");
    if (wide) f.op("i64.extend_i32_u").op("i64.shr_u").op("i32.wrap_i64");
    else f.op("i32.shr_u");
    return f
      .i32(digits - 1)
      .op("i32.and")
      .i32(4)
      .op("i32.mul")
      .get(counters)
      .op("i32.add");
  }

  private pass(digit: number, counters: number, from: Columns, to: Columns): void {
    const { f, kernel, keyBytes, wide } = this;
    const i = f.local("i32");
    const spot = f.local("i32");
    const sum = f.local("i32");
    const place = f.local("i32");
    const key = f.local(wide ? "i64" : "i32");
    f.get(counters)
      .i32(0)
      .i32(digits * 4)
      .memoryFill();
    this.count(i, kernel.length, () => {
      this.at(from.keys, i, keyBytes);
      this.loadKey();
      this.counter(digit, counters).tee(spot).get(spot).load("i32.load").i32(1).op("i32.add").store("i32.store");
    });
    // Counts become first places.
    f.i32(0).set(sum);
    this.count(i, digits, () => {
      this.at(counters, i, 4).tee(spot).load("i32.load").set(place);
      f.get(spot).get(sum).store("i32.store");
      f.get(sum).get(place).op("i32.add").set(sum);
    });
    this.count(i, kernel.length, () => {
      this.at(from.keys, i, keyBytes);
      this.loadKey().tee(key);
      this.counter(digit, counters).tee(spot).load("i32.load").set(place);
      f.get(spot).get(place).i32(1).op("i32.add").store("i32.store");
      this.at(to.keys, place, keyBytes).get(key);
      this.storeKey();
      this.at(to.order, place, 4);
      this.at(from.order, i, 4).load("i32.load").store("i32.store");
    });
  }
}

interface Columns {
  readonly keys: number;
  readonly order: number;
}
