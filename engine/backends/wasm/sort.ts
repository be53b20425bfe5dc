// Stable argsort of rows as a function (x, out, lo, hi): keys become integers whose order is the wanted one, then
// insertion sort for short rows and a least-significant-digit radix sort for the others.

import type { SortKernel } from "../../compile/ir.ts";
import { bytesPerElement } from "../../dtype.ts";
import type { FunctionBuilder } from "./asm.ts";
import type { Env } from "./env.ts";

/** Rows up to this length are sorted by insertion. */
const shortRow = 48;
const digits = 256;

export const sortUnits = (kernel: SortKernel): number => kernel.rows;

export function emitSort(env: Env, kernel: SortKernel, name: string): number {
  const { length, dtype } = kernel;
  const keyBytes = dtype === "f64" ? 8 : 4;
  const keyArea = length * keyBytes;
  const passes = length > shortRow ? keyBytes : 0;
  // Scratch: keys, then for the radix sort a second set of keys and indices, and the counters.
  env.needScratch(2 * keyArea + length * 4 + digits * 4);
  return env.module.func(name, new Array(4).fill("i32"), [], (f) => {
    const [x, out, lo, hi] = [0, 1, 2, 3];
    const rowBytes = length * bytesPerElement(dtype);
    if (length === 0) return;
    const keys = f.local("i32");
    f.globalGet(env.scratchGlobal).set(keys);
    f.get(x).get(lo).i32(rowBytes).op("i32.mul").op("i32.add").set(x);
    f.get(out)
      .get(lo)
      .i32(length * 4)
      .op("i32.mul")
      .op("i32.add")
      .set(out);
    f.get(lo).get(hi).op("i32.lt_u");
    f.if(() =>
      f.loop(() => {
        const row = new RowSort(f, kernel, x, out, keys);
        row.makeKeys();
        if (passes === 0) row.insertion();
        else row.radix(passes);
        f.get(x).i32(rowBytes).op("i32.add").set(x);
        f.get(out)
          .i32(length * 4)
          .op("i32.add")
          .set(out);
        f.get(lo).i32(1).op("i32.add").tee(lo).get(hi).op("i32.lt_u").brIf(0);
      }),
    );
  });
}

/** The code for the row at `x`, whose order goes to `out`. */
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

  /** Keys in unsigned order, and the identity as the order so far. */
  makeKeys(): void {
    const { f } = this;
    const i = f.local("i32");
    this.count(i, this.kernel.length, () => {
      this.at(this.keys, i, this.keyBytes);
      this.pushKey(i);
      this.storeKey();
      this.at(this.out, i, 4).get(i).store("i32.store");
    });
  }

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

  insertion(): void {
    const { f, out, keys, keyBytes, wide } = this;
    const key = f.local(wide ? "i64" : "i32");
    const order = f.local("i32");
    const i = f.local("i32");
    const j = f.local("i32");
    const spot = f.local("i32");
    this.count(i, this.kernel.length, () => {
      this.at(keys, i, keyBytes);
      this.loadKey().set(key);
      this.at(out, i, 4).load("i32.load").set(order);
      f.get(i).set(j);
      f.block(() =>
        f.loop(() => {
          f.get(j).op("i32.eqz").brIf(1);
          this.at(keys, j, keyBytes).set(spot);
          f.get(spot).i32(keyBytes).op("i32.sub");
          this.loadKey()
            .get(key)
            .op(wide ? "i64.le_u" : "i32.le_u")
            .brIf(1);
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
      this.at(out, j, 4).get(order).store("i32.store");
    });
  }

  /** An even number of passes over bytes of the key, lowest first: the result is back in `out`. */
  radix(passes: number): void {
    const { f, kernel } = this;
    const { length } = kernel;
    const digit = f.local("i32");
    const from = { keys: f.local("i32"), order: f.local("i32") };
    const to = { keys: f.local("i32"), order: f.local("i32") };
    const counters = f.local("i32");
    f.get(this.keys).set(from.keys).get(this.out).set(from.order);
    f.get(this.keys)
      .i32(length * this.keyBytes)
      .op("i32.add")
      .set(to.keys);
    f.get(this.keys)
      .i32(2 * length * this.keyBytes)
      .op("i32.add")
      .set(to.order);
    f.get(to.order)
      .i32(length * 4)
      .op("i32.add")
      .set(counters);
    this.count(digit, passes, () => {
      this.pass(digit, counters, from, to);
      for (const part of ["keys", "order"] as const) f.get(from[part]).get(to[part]).set(from[part]).set(to[part]);
    });
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
