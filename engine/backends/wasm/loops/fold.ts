// Folds: partial results in accumulators, identities in dead lanes, and the steps that leave the result in every lane.

import type { DType } from "../../../dtype.ts";
import type { ReduceOp } from "../../../graph/vocabulary.ts";
import type { Opcode } from "../assembler/asm.ts";
import { splatConstant, type Width } from "../vector/lanes.ts";
import type { Local, Vector } from "../vector/vector.ts";
import type { Slot } from "./cursor.ts";

export interface Way {
  readonly identity: number;
  /** Adds a value to an accumulator. */
  readonly step: Opcode;
  /** Joins accumulators, where that differs from `step`. */
  readonly join?: Opcode;
}

const floatWays = (lanes: "f32x4" | "f64x2"): Record<ReduceOp, Way> => ({
  sum: { identity: 0, step: `${lanes}.add` },
  prod: { identity: 1, step: `${lanes}.mul` },
  // pmax and pmin are one instruction but lose NaN: a separate mask remembers it, and the join propagates it.
  max: { identity: Number.NEGATIVE_INFINITY, step: `${lanes}.pmax`, join: `${lanes}.max` },
  min: { identity: Number.POSITIVE_INFINITY, step: `${lanes}.pmin`, join: `${lanes}.min` },
});

const ways: Record<DType, Record<ReduceOp, Way>> = {
  f32: floatWays("f32x4"),
  f64: floatWays("f64x2"),
  i32: {
    sum: { identity: 0, step: "i32x4.add" },
    prod: { identity: 1, step: "i32x4.mul" },
    max: { identity: -2147483648, step: "i32x4.max_s" },
    min: { identity: 2147483647, step: "i32x4.min_s" },
  },
  bool: {
    sum: { identity: 0, step: "v128.or" },
    prod: { identity: 1, step: "v128.and" },
    max: { identity: 0, step: "v128.or" },
    min: { identity: 1, step: "v128.and" },
  },
};

export const foldWay = (op: ReduceOp, dtype: DType): Way => ways[dtype][op];

/** Clears the lanes of `sound` in which the term is a NaN. */
export function soundStep(v: Vector, dtype: DType, term: Local, sound: Local): void {
  const eq = dtype === "f64" ? "f64x2.eq" : "f32x4.eq";
  v.f.get(term).get(term).op(eq).get(sound).op("v128.and").set(sound);
}

/** What a fold that loses NaN has found: NaN where one was met, and one zero for both, whichever came first. */
export function sound(v: Vector, dtype: DType, value: Local, mask: Local): Local {
  const known = v.select(mask, value, splatConstant(v, dtype, Number.NaN));
  return v.op(dtype === "f64" ? "f64x2.add" : "f32x4.add", known, splatConstant(v, dtype, 0));
}

const ones = (live: number, width: Width): number[] => Array.from({ length: width }, (_, i) => (i < live ? -1 : 0));

/** The fold of one value of a stage, while its loops are emitted. */
export class Accumulation {
  private readonly v: Vector;
  private readonly dtype: DType;
  private readonly width: Width;
  private readonly way: Way;
  /** Vectors of partial results. */
  private readonly parts: readonly Local[];
  /** Per part: the lanes that never met a NaN; only where the step would lose it. */
  private readonly sound: readonly Local[];

  constructor(v: Vector, op: ReduceOp, dtype: DType, width: Width, parts: number) {
    this.v = v;
    this.dtype = dtype;
    this.width = width;
    this.way = foldWay(op, dtype);
    const start = (value: Local) => {
      const local = v.fresh();
      v.f.get(value).set(local);
      return local;
    };
    const identity = splatConstant(v, dtype, this.way.identity);
    this.parts = Array.from({ length: parts }, () => start(identity));
    this.sound = this.way.join === undefined ? [] : this.parts.map(() => start(v.i32(-1)));
  }

  add(value: Local, slot: Slot): void {
    const { v, way } = this;
    const part = slot.index % this.parts.length;
    const into = this.parts[part];
    let term = value;
    if (slot.live < this.width) {
      const live = ones(slot.live, this.width);
      const mask = v.i32(...(this.dtype === "f64" ? live.flatMap((bit) => [bit, bit]) : [...live, 0, 0].slice(0, 4)));
      term = v.select(mask, value, splatConstant(v, this.dtype, way.identity));
    }
    v.f.get(into).get(term).op(way.step).set(into);
    if (this.sound.length > 0) soundStep(v, this.dtype, term, this.sound[part]);
  }

  /** Moves partial results `count` accumulators on, so that the next vector's are in the first one. */
  turn(count: number): void {
    const { f } = this.v;
    for (const list of [this.parts, this.sound]) {
      const by = count % Math.max(1, list.length);
      if (by === 0) continue;
      for (const local of list) f.get(local);
      for (let i = list.length - 1; i >= 0; i--) f.set(list[(i - by + list.length) % list.length]);
    }
  }

  /** Each part's value by itself: the result of lanes that are outer indices. */
  finishParts(): readonly Local[] {
    const { v } = this;
    return this.sound.length === 0
      ? this.parts
      : this.parts.map((part, i) => sound(v, this.dtype, part, this.sound[i]));
  }

  /** All parts and lanes joined, each with the one half of them further on, in every lane: the result of lanes along the row. */
  finish(): Local {
    const { v, dtype } = this;
    const join = this.way.join ?? this.way.step;
    let parts = this.finishParts();
    while (parts.length > 1) {
      const half = Math.ceil(parts.length / 2);
      parts = parts
        .slice(0, half)
        .map((part, i) => (i + half < parts.length ? v.op(join, part, parts[i + half]) : part));
    }
    let all = parts[0];
    const rotate = (bytes: number) =>
      v.shuffle(
        all,
        all,
        Array.from({ length: 16 }, (_, i) => (i + bytes) % 16),
      );
    if (dtype === "f64") return v.op(join, all, rotate(8));
    if (this.width === 4) {
      all = v.op(join, all, rotate(8));
      return v.op(join, all, rotate(4));
    }
    // Two lanes: the upper two hold nothing.
    const pair = Array.from({ length: 16 }, (_, i) => i % 8);
    all = v.shuffle(all, all, pair);
    return v.op(join, all, rotate(4));
  }
}
