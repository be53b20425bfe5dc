// The vector vocabulary of the matrix product: f32x4 and f64x2 under one set of names, and exact partial vectors.

import type { FunctionBuilder, MemoryOpcode, ModuleBuilder, Opcode } from "../assembler/asm.ts";

export interface Lanes {
  readonly dtype: "f32" | "f64";
  /** Bytes of an element, and elements of a vector. */
  readonly bytes: 4 | 8;
  readonly width: 4 | 2;
  readonly splat: MemoryOpcode;
  readonly load: MemoryOpcode;
  readonly store: MemoryOpcode;
  readonly add: Opcode;
  readonly mul: Opcode;
  readonly madd: Opcode;
}

export const lanesOf: Record<"f32" | "f64", Lanes> = {
  f32: {
    dtype: "f32",
    bytes: 4,
    width: 4,
    splat: "v128.load32_splat",
    load: "f32.load",
    store: "f32.store",
    add: "f32x4.add",
    mul: "f32x4.mul",
    madd: "f32x4.relaxed_madd",
  },
  f64: {
    dtype: "f64",
    bytes: 8,
    width: 2,
    splat: "v128.load64_splat",
    load: "f64.load",
    store: "f64.store",
    add: "f64x2.add",
    mul: "f64x2.mul",
    madd: "f64x2.relaxed_madd",
  },
};

/** How `cols` elements fall into vectors: their lane counts, all full but perhaps the last. */
export function vectorsOf(lanes: Lanes, cols: number): readonly number[] {
  const full = new Array<number>(Math.floor(cols / lanes.width)).fill(lanes.width);
  return cols % lanes.width === 0 ? full : [...full, cols % lanes.width];
}

/** Pushes `count` elements at (local address) + offset as a vector, other lanes zero; touches no byte beyond them. */
export function loadPart(f: FunctionBuilder, lanes: Lanes, count: number, address: number, offset: number): void {
  const bytes = count * lanes.bytes;
  f.get(address).load(bytes === 16 ? "v128.load" : bytes === 4 ? "v128.load32_zero" : "v128.load64_zero", offset);
  if (bytes !== 12) return;
  // The lane load takes the address below the vector, which is on the stack already.
  const vector = f.local("v128");
  f.set(vector)
    .get(address)
    .get(vector)
    .memoryLane("v128.load32_lane", 2, offset + 8);
}

/** Stores the first `count` lanes of the vector local at (local address) + offset, and nothing else. */
export function storePart(
  f: FunctionBuilder,
  lanes: Lanes,
  count: number,
  address: number,
  offset: number,
  vector: number,
): void {
  const bytes = count * lanes.bytes;
  f.get(address).get(vector);
  if (bytes === 16) f.store("v128.store", offset);
  else if (bytes === 4) f.memoryLane("v128.store32_lane", 0, offset);
  else f.memoryLane("v128.store64_lane", 0, offset);
  if (bytes === 12)
    f.get(address)
      .get(vector)
      .memoryLane("v128.store32_lane", 2, offset + 8);
}

/** Local acc = acc + a * b, fused where the machine may. */
export function multiplyAdd(f: FunctionBuilder, lanes: Lanes, fma: boolean, acc: number, a: number, b: number): void {
  if (fma) f.get(a).get(b).get(acc).op(lanes.madd);
  else f.get(acc).get(a).get(b).op(lanes.mul).op(lanes.add);
  f.set(acc);
}

/** Runs `body` while the i32 local is not zero, counting down: tested at the top, which is what keeps V8 from spilling. */
export function countDown(f: FunctionBuilder, counter: number, body: () => void): void {
  f.block(() =>
    f.loop(() => {
      f.get(counter).op("i32.eqz").brIf(1);
      body();
      f.get(counter).i32(1).op("i32.sub").set(counter).br(0);
    }),
  );
}

/** Local += bytes held in another local. */
export const advance = (f: FunctionBuilder, local: number, by: number): FunctionBuilder =>
  f.get(local).get(by).op("i32.add").set(local);

const helpers = new WeakMap<ModuleBuilder, Map<string, number>>();

/** Index of a function that a module has once, however many products ask for it. */
export function helper(module: ModuleBuilder, name: string, emit: (name: string) => number): number {
  const known = helpers.get(module) ?? new Map<string, number>();
  helpers.set(module, known);
  const index = known.get(name) ?? emit(name);
  known.set(name, index);
  return index;
}
