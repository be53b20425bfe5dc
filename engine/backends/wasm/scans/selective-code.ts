// What the selective scan's kernels share: blocks of neighbouring channels in lanes, tables of one vector a state.

import type { SelectiveKernel } from "../../../compile/ir.ts";
import { bytesPerElement } from "../../../dtype.ts";
import type { FunctionBuilder } from "../assembler/asm.ts";
import { type Address, loadRun, loadSplat, storeRun, type Width } from "../vector/lanes.ts";
import { functions } from "../vector/math.ts";
import type { Local, Vector } from "../vector/vector.ts";

export const widthOf = (kernel: SelectiveKernel): Width => (kernel.dtype === "f64" ? 2 : 4);
export const blocksOf = (kernel: SelectiveKernel): number => Math.ceil(kernel.channels / widthOf(kernel));
/** Bytes of a table that holds one vector for each state. */
export const tableBytes = (kernel: SelectiveKernel): number => kernel.states * 16;

/** Added to a small number, it leaves the nearest whole number in the low bits. */
const magic = 1.5 * 2 ** 23;

/**
 * Ways to 2^x, exactly 1 at 0, for x up to `below` in size, the shortest first: decays are mostly close to 1, where a
 * short polynomial is as good as a long one (lowest order first). Beyond 1, whole numbers go into the exponent first.
 * The bound: 2^-28, 2^-26 and 2^-28 by the polynomials, one rounding of at most 2^-24 in x times log2(e) A and one in x
 * times delta, which matter |x| ln 2 times (an exp of a rounded delta A has as much), and the last two steps of the
 * polynomial: less than 2 ulp where |x| < 1.
 */
const ways: readonly { readonly below: number; readonly polynomial: readonly number[]; readonly whole: boolean }[] = [
  { below: 1 / 8, polynomial: [1, 0.69314706, 0.24022643, 0.055532075, 0.009628446], whole: false },
  {
    below: 1,
    polynomial: [1, 0.69314724, 0.24022669, 0.05550366, 0.009616844, 0.001334172, 0.00015645292, 0.000014916962],
    whole: false,
  },
  {
    below: 126,
    polynomial: [1, Math.LN2, 0.24022648, 0.0555036, 0.009618506, 0.0013390806, 0.00015326463],
    whole: true,
  },
];

/** A pointer that moves on by so many bytes a state. */
export interface Moving {
  readonly local: Local;
  readonly step: number;
}

/** An i32 expression: pushes its value. */
export type Push = (f: FunctionBuilder) => void;

export class SelectiveCode {
  readonly v: Vector;
  readonly f: FunctionBuilder;
  readonly kernel: SelectiveKernel;
  readonly width: Width;
  readonly size: number;

  constructor(v: Vector, kernel: SelectiveKernel) {
    this.v = v;
    this.f = v.f;
    this.kernel = kernel;
    this.width = widthOf(kernel);
    this.size = bytesPerElement(kernel.dtype);
  }

  mul(a: Local, b: Local): Local {
    return this.v.op(this.kernel.dtype === "f32" ? "f32x4.mul" : "f64x2.mul", a, b);
  }
  add(a: Local, b: Local): Local {
    return this.v.op(this.kernel.dtype === "f32" ? "f32x4.add" : "f64x2.add", a, b);
  }
  /** a * b + c */
  madd(a: Local, b: Local, c: Local): Local {
    return this.kernel.dtype === "f32" ? this.v.madd(a, b, c) : this.v.madd64(a, b, c);
  }
  /** The largest size of a table's values, lane by lane; NaN where there is one. */
  largest(table: Local): Local {
    const { v, f } = this;
    const most = v.fresh();
    if (this.kernel.dtype === "f64") return most;
    f.get(this.zero()).set(most);
    v.scope(() => {
      const at = this.copy(table);
      this.repeat(this.kernel.states, "constant", () => {
        v.scope(() => this.set(most, v.op("f32x4.max", most, v.op("f32x4.abs", this.load(at)))));
        this.move(at, 16);
      });
    });
    return most;
  }

  /**
   * Runs `body` with 2^x for x = stepSize times values of at most `largest`: a whole step goes the shortest way that all
   * its values allow. Only the last, taken by NaN too, knows the ends of the range.
   */
  withExp2(stepSize: Local, largest: Local, body: (exp2: (x: Local) => Local) => void): void {
    const { v, f } = this;
    if (this.kernel.dtype === "f64") {
      body((x) => functions.f64.unary.exp2(v, x));
      return;
    }
    const most = this.mul(v.op("f32x4.abs", stepSize), largest);
    const from = (index: number): void => {
      const way = ways[index];
      if (way === undefined) {
        v.scope(() => body((x) => functions.f32.unary.exp2(v, x)));
        return;
      }
      f.get(v.op("f32x4.lt", most, v.f32(way.below))).op("i32x4.all_true");
      f.if(
        () =>
          v.scope(() =>
            body((x) => (way.whole ? this.reduced(x, way.polynomial) : this.polynomial(x, way.polynomial))),
          ),
        () => from(index + 1),
      );
    };
    from(0);
  }

  /** x = n + r: the polynomial of r, and n into the exponent. */
  private reduced(x: Local, polynomial: readonly number[]): Local {
    const { v } = this;
    const shifted = v.op("f32x4.add", x, v.f32(magic));
    const r = v.op("f32x4.sub", x, v.op("f32x4.nearest", x));
    return v.op("i32x4.add", this.polynomial(r, polynomial), v.shift("i32x4.shl", shifted, 23));
  }

  /** With multiply-add the fewest instructions win, without it the shorter chain. */
  private polynomial(r: Local, coefficients: readonly number[]): Local {
    return this.v.env.fma ? this.v.horner(r, coefficients) : this.v.estrin(r, coefficients);
  }
  constant(value: number): Local {
    return this.kernel.dtype === "f32" ? this.v.f32(value) : this.v.f64(value);
  }
  zero(): Local {
    return this.v.i32(0);
  }

  at(pointer: Local, offset = 0): Address {
    return { pointer, offset, wraps: false };
  }
  load(pointer: Local, offset = 0): Local {
    return loadRun(this.v, this.kernel.dtype, this.width, this.at(pointer, offset));
  }
  splat(pointer: Local, offset = 0): Local {
    return loadSplat(this.v, this.kernel.dtype, this.at(pointer, offset));
  }
  store(value: Local, pointer: Local, offset = 0, live: number = this.width): void {
    storeRun(this.v, this.kernel.dtype, live, this.at(pointer, offset), value);
  }
  /** Sets a vector local that lives on to a value. */
  set(target: Local, value: Local): void {
    this.f.get(value).set(target);
  }

  /** Values of channels that exist; the others are 0, so that nothing they do is seen. */
  loadLive(pointer: Local, live: number): Local {
    return this.onlyLive(this.load(pointer), live);
  }
  /** A value with 0 in the lanes of channels that do not exist, where 0 times an infinity would be NaN. */
  onlyLive(value: Local, live: number): Local {
    if (live === this.width) return value;
    const words = Array.from({ length: 4 }, (_, i) => (i * 4 < live * this.size ? -1 : 0));
    return this.v.op("v128.and", value, this.v.i32(...words));
  }

  /** A new i32 local with this value. */
  int(push: Push): Local {
    const local = this.v.fresh("i32");
    push(this.f);
    this.f.set(local);
    return local;
  }
  move(pointer: Local, bytes: number): void {
    if (bytes !== 0) this.f.get(pointer).i32(bytes).op("i32.add").set(pointer);
  }

  /** Runs `body` `times` times (a local, consumed; at least once, or a number). */
  repeat(times: number | Local, kind: "constant" | "local", body: () => void): void {
    const { f } = this;
    if (kind === "constant" && times === 0) return;
    const left = this.v.fresh("i32");
    if (kind === "constant") f.i32(times).set(left);
    else f.get(times).set(left);
    f.loop(() => {
      body();
      f.get(left).i32(1).op("i32.sub").tee(left).brIf(0);
    });
  }

  /**
   * Runs `body` for all states; `pointers` move along with them. One state at a time, and pointers as few as can be: the
   * engine unrolls such a loop itself, and keeps sums in registers, which it does not when it is unrolled here.
   */
  states(pointers: readonly [Moving, ...Moving[]], body: () => void): void {
    const { v, f, kernel } = this;
    v.scope(() => {
      const [{ local: first, step }] = pointers;
      const end = this.int(() =>
        f
          .get(first)
          .i32(kernel.states * step)
          .op("i32.add"),
      );
      f.loop(() => {
        v.scope(body);
        for (const pointer of pointers) this.move(pointer.local, pointer.step);
        f.get(first).get(end).op("i32.ne").brIf(0);
      });
    });
  }

  /** A copy of a pointer, to be moved. */
  copy(pointer: Local): Local {
    return this.int((f) => f.get(pointer));
  }

  /**
   * table[n] = lanes of source[channel, n] for the live channels, else 0, times `scale`; `source` points at the block's
   * first.
   */
  pack(source: Local, table: Local, live: number, scale = 1): void {
    const { v, f, kernel, size } = this;
    v.scope(() => {
      const [from, to] = [this.copy(source), this.copy(table)];
      this.repeat(kernel.states, "constant", () => {
        v.scope(() => {
          const value = v.fresh();
          f.get(this.zero()).set(value);
          for (let lane = 0; lane < live; lane++) {
            f.get(from)
              .get(value)
              .memoryLane(size === 8 ? "v128.load64_lane" : "v128.load32_lane", lane, lane * kernel.states * size, 0)
              .set(value);
          }
          this.store(scale === 1 ? value : this.mul(value, this.constant(scale)), to);
        });
        this.move(from, size);
        this.move(to, 16);
      });
    });
  }

  /** The other way round. */
  unpack(table: Local, target: Local, live: number): void {
    const { v, f, kernel, size } = this;
    v.scope(() => {
      const [from, to] = [this.copy(table), this.copy(target)];
      this.repeat(kernel.states, "constant", () => {
        v.scope(() => {
          const value = this.load(from);
          for (let lane = 0; lane < live; lane++) {
            f.get(to)
              .get(value)
              .memoryLane(size === 8 ? "v128.store64_lane" : "v128.store32_lane", lane, lane * kernel.states * size, 0);
          }
        });
        this.move(from, 16);
        this.move(to, size);
      });
    });
  }

  /** Emits `body(live channels)` for whole blocks and for the last, where `isLast` pushes whether it is that one. */
  blocks(isLast: Push, body: (live: number) => void): void {
    const rest = this.kernel.channels % this.width;
    if (rest === 0) body(this.width);
    else if (this.kernel.channels < this.width) body(rest);
    else {
      isLast(this.f);
      this.f.if(
        () => this.v.scope(() => body(rest)),
        () => this.v.scope(() => body(this.width)),
      );
    }
  }
}
