// How elements of each dtype move between memory and vector lanes. In registers: f32 and i32 in 32-bit lanes, bool as a
// mask of 32-bit lanes, f64 in 64-bit lanes; with two lanes a vector, 32-bit values sit in the lower two lanes.

import type { DType } from "../../../dtype.ts";
import type { MemoryLaneOpcode } from "../assembler/asm.ts";
import type { Local, Vector } from "./vector.ts";

/** Lanes of a vector: 4, or 2 in a kernel that touches f64. */
export type Width = 2 | 4;

/** A byte address: a pointer in a local plus a constant. */
export interface Address {
  readonly pointer: Local;
  readonly offset: number;
  /** The pointer itself may lie outside memory (masked accesses): add before the load, so that the sum wraps. */
  readonly wraps: boolean;
}

/** Pushes what a memory instruction needs as its address; returns its constant offset. */
export function pushAddress(v: Vector, { pointer, offset, wraps }: Address): number {
  v.f.get(pointer);
  // Small offsets of masked accesses stay in bounds: an access begins at most a few vectors before its first element.
  if (offset >= 0 && (!wraps || offset < 1024)) return offset;
  v.f.i32(offset).op("i32.add");
  return 0;
}

/** Bytes 0 or 1 in the low bytes of a vector -> masks. */
function widen(v: Vector, bytes: Local): Local {
  const words = v.op("i32x4.extend_low_i16x8_u", v.op("i16x8.extend_low_i8x16_u", bytes));
  return v.op("i32x4.ne", words, v.i32(0));
}

/** Loads neighbouring elements; reads up to 16 bytes from the address. */
export function loadRun(v: Vector, dtype: DType, width: Width, address: Address): Local {
  const offset = pushAddress(v, address);
  const result = v.fresh();
  if (dtype === "bool") {
    v.f.load(width === 4 ? "v128.load32_zero" : "v128.load16_splat", offset, 0).set(result);
    return widen(v, result);
  }
  const half = width === 2 && dtype !== "f64";
  v.f.load(half ? "v128.load64_zero" : "v128.load", offset, 0).set(result);
  return result;
}

/** Loads one element into all lanes. */
export function loadSplat(v: Vector, dtype: DType, address: Address): Local {
  const offset = pushAddress(v, address);
  const result = v.fresh();
  if (dtype === "bool") {
    v.f.load("v128.load8_splat", offset).set(result);
    return v.op("i8x16.ne", result, v.i32(0));
  }
  v.f.load(dtype === "f64" ? "v128.load64_splat" : "v128.load32_splat", offset, 0).set(result);
  return result;
}

/** Vectors while they are filled lane by lane: as in registers, but bool as 0 or 1. */
export const rawFill = (v: Vector, dtype: DType, fill: number): Local =>
  dtype === "f32" ? v.f32(fill) : dtype === "f64" ? v.f64(fill) : v.i32(fill | 0);

export function loadLane(v: Vector, dtype: DType, lane: number, address: Address, into: Local): void {
  if (dtype === "bool") {
    v.f.get(into);
    const offset = pushAddress(v, address);
    v.f.load("i32.load8_u", offset).lane("i32x4.replace_lane", lane).set(into);
    return;
  }
  const offset = pushAddress(v, address);
  v.f
    .get(into)
    .memoryLane(dtype === "f64" ? "v128.load64_lane" : "v128.load32_lane", lane, offset, 0)
    .set(into);
}

export const finishRaw = (v: Vector, dtype: DType, raw: Local): Local =>
  dtype === "bool" ? v.op("i32x4.ne", raw, v.i32(0)) : raw;

/** A constant as it is held in registers. */
export const splatConstant = (v: Vector, dtype: DType, value: number): Local =>
  dtype === "bool" ? v.i32(value === 0 ? 0 : -1) : rawFill(v, dtype, value);

/** Masks -> bytes 0 or 1 in the low bytes. */
function narrow(v: Vector, mask: Local): Local {
  const halves = v.op("i16x8.narrow_i32x4_s", mask, mask);
  return v.op("v128.and", v.op("i8x16.narrow_i16x8_s", halves, halves), v.i32(0x01010101));
}

const laneStores: Record<number, MemoryLaneOpcode> = {
  1: "v128.store8_lane",
  2: "v128.store16_lane",
  4: "v128.store32_lane",
  8: "v128.store64_lane",
};

/** Stores the first `live` lanes to neighbouring elements, and touches nothing else. */
export function storeRun(v: Vector, dtype: DType, live: number, address: Address, value: Local): void {
  const size = dtype === "bool" ? 1 : dtype === "f64" ? 8 : 4;
  const bits = dtype === "bool" ? narrow(v, value) : value;
  let done = 0;
  while (done < live * size) {
    const left = live * size - done;
    const piece = left >= 16 ? 16 : left >= 8 ? 8 : left >= 4 ? 4 : left >= 2 ? 2 : 1;
    const offset = pushAddress(v, { ...address, offset: address.offset + done });
    v.f.get(bits);
    if (piece === 16) v.f.store("v128.store", offset, 0);
    else v.f.memoryLane(laneStores[piece], done / piece, offset, 0);
    done += piece;
  }
}

/** Stores the first lanes `step` bytes apart. */
export function storeLanes(v: Vector, dtype: DType, live: number, address: Address, step: number, value: Local): void {
  const size = dtype === "bool" ? 1 : dtype === "f64" ? 8 : 4;
  const bits = dtype === "bool" ? narrow(v, value) : value;
  for (let lane = 0; lane < live; lane++) {
    const offset = pushAddress(v, { ...address, offset: address.offset + lane * step });
    v.f.get(bits).memoryLane(laneStores[size], lane, offset, 0);
  }
}

/** A 64-bit mask as a mask of the lower two 32-bit lanes, and back. */
export const narrowMask = (v: Vector, mask: Local): Local =>
  v.shuffle(mask, mask, [0, 1, 2, 3, 8, 9, 10, 11, 0, 1, 2, 3, 8, 9, 10, 11]);
export const widenMask = (v: Vector, mask: Local): Local => v.op("i64x2.extend_low_i32x4_s", mask);
