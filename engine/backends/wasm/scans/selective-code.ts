// What the selective scan's kernels share: blocks of neighbouring channels in lanes, tables of one vector a state.

import type { SelectiveKernel } from "../../../compile/ir.ts";
import { bytesPerElement } from "../../../dtype.ts";
import type { FunctionBuilder } from "../assembler/asm.ts";
import { type Address, loadRun, loadSplat, storeRun, type Width } from "../vector/lanes.ts";
import { float32 } from "../vector/math.ts";
import type { Local, Vector } from "../vector/vector.ts";

export const widthOf = (kernel: SelectiveKernel): Width => (kernel.dtype === "f64" ? 2 : 4);
export const blocksOf = (kernel: SelectiveKernel): number => Math.ceil(kernel.channels / widthOf(kernel));
/** Bytes of a table that holds one vector for each state. */
export const tableBytes = (kernel: SelectiveKernel): number => kernel.states * 16;

/** Added to a small number, it leaves the nearest whole number in the low bits. */
const magic = 1.5 * 2 ** 23;
/** 2^r for r in [-1/2, 1/2] to 2^-28, lowest order first. */
const exp2Polynomial = [1, Math.LN2, 0.24022648, 0.0555036, 0.009618506, 0.0013390806, 0.00015326463];

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
   * Runs `body` with 2^x to 2 ulp, exactly 1 at 0, for x = stepSize times values of at most `largest`. Decays are mostly
   * small numbers: then a whole step goes a short way, which leaves out what only results near the ends of the range need.
   */
  withExp2(stepSize: Local, largest: Local, body: (exp2: (x: Local) => Local) => void): void {
    const { v, f } = this;
    if (this.kernel.dtype === "f64") {
      body((x) => v.lanes64("pow", v.f64(2), x));
      return;
    }
    f.get(v.op("f32x4.lt", this.mul(v.op("f32x4.abs", stepSize), largest), v.f32(126))).op("i32x4.all_true");
    f.if(
      () => v.scope(() => body((x) => this.smallExp2(x))),
      () => v.scope(() => body((x) => float32.exp2(v, x))),
    );
  }

  /** x = n + r: the polynomial of r, and n into the exponent. */
  private smallExp2(x: Local): Local {
    const { v } = this;
    const shifted = v.op("f32x4.add", x, v.f32(magic));
    const r = v.op("f32x4.sub", x, v.op("f32x4.sub", shifted, v.f32(magic)));
    return v.op("i32x4.add", v.estrin(r, exp2Polynomial), v.shift("i32x4.shl", shifted, 23));
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

  /** Runs `body(offset of the state in a table, and in elements)` for all states; `pointers` move along with them. */
  states(pointers: readonly { readonly local: Local; readonly step: number }[], body: (index: number) => void): void {
    const { states } = this.kernel;
    const unroll = states % 4 === 0 ? 4 : states % 2 === 0 ? 2 : 1;
    this.v.scope(() => {
      const moved = pointers.map(({ local }) => local);
      this.repeat(states / unroll, "constant", () => {
        for (let i = 0; i < unroll; i++) this.v.scope(() => body(i));
        moved.forEach((local, i) => {
          this.move(local, unroll * pointers[i].step);
        });
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
