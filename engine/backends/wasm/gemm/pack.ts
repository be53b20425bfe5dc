// Packing: a strip of a strided matrix becomes k-major, so that the register tile reads it as one stream.

import type { FunctionBuilder, ModuleBuilder } from "../assembler/asm.ts";
import { advance, countDown, helper, type Lanes, lanesOf, loadPart, storePart, vectorsOf } from "./lanes.ts";

/** What lies contiguous in the source: a strip's lanes (copy), its steps along k (transpose), or neither. */
export type PackForm = "lanes" | "steps" | "any";

export const packForm = (laneStride: number, stepStride: number): PackForm =>
  laneStride === 1 ? "lanes" : stepStride === 1 ? "steps" : "any";

/**
 * Index of the function (source, laneStride, stepStride, target, count), strides in bytes: writes
 * target[k * width + lane] = source[lane, k] for k < count. Reads and writes nothing else.
 */
export function packer(module: ModuleBuilder, dtype: "f32" | "f64", width: number, form: PackForm): number {
  return helper(module, `gemm_pack_${dtype}_${width}_${form}`, (name) =>
    module.func(name, new Array(5).fill("i32"), [], (f) => emitPacker(f, lanesOf[dtype], width, form)),
  );
}

const [source, laneStride, stepStride, target, count] = [0, 1, 2, 3, 4];

function emitPacker(f: FunctionBuilder, lanes: Lanes, width: number, form: PackForm): void {
  const from = f.local("i32");
  const next = (steps: number, stride: () => void): void => {
    stride();
    f.get(source).op("i32.add").set(source);
    f.get(target)
      .i32(steps * width * lanes.bytes)
      .op("i32.add")
      .set(target);
  };
  if (form === "lanes") {
    const vector = f.local("v128");
    countDown(f, count, () => {
      vectorsOf(lanes, width).forEach((part, j) => {
        loadPart(f, lanes, part, source, 16 * j);
        f.set(vector);
        storePart(f, lanes, part, target, 16 * j, vector);
      });
      next(1, () => f.get(stepStride));
    });
    return;
  }
  if (form === "steps") {
    const blocks = f.local("i32");
    f.get(count).i32(Math.log2(lanes.width)).op("i32.shr_u").set(blocks);
    countDown(f, blocks, () => {
      f.get(source).set(from);
      for (let lane = 0; lane < width; lane += lanes.width) {
        const rows = Array.from({ length: Math.min(lanes.width, width - lane) }, () => {
          const vector = f.local("v128");
          f.get(from).load("v128.load").set(vector);
          advance(f, from, laneStride);
          return vector;
        });
        transposeBlock(f, lanes, rows, target, lane * lanes.bytes, width * lanes.bytes);
      }
      next(lanes.width, () => f.i32(16));
    });
    f.get(count)
      .i32(lanes.width - 1)
      .op("i32.and")
      .set(count);
  }
  countDown(f, count, () => {
    f.get(source).set(from);
    for (let lane = 0; lane < width; lane++) {
      f.get(target)
        .get(from)
        .load(lanes.load)
        .store(lanes.store, lane * lanes.bytes);
      if (lane < width - 1) advance(f, from, laneStride);
    }
    next(1, () => f.get(stepStride));
  });
}

/** From one vector along k of each of up to `width` lanes to a row of lanes for each k, at (local target) + offset. */
export function transposeBlock(
  f: FunctionBuilder,
  lanes: Lanes,
  rows: readonly number[],
  target: number,
  offset: number,
  row: number,
): void {
  const count = rows.length;
  /** A new vector of elements picked from two, at the granularity of 16 / picks.length bytes. */
  const pick = (a: number, b: number, ...picks: number[]): number => {
    const size = 16 / picks.length;
    const vector = f.local("v128");
    f.get(a)
      .get(b)
      .shuffle(picks.flatMap((p) => Array.from({ length: size }, (_, i) => p * size + i)));
    f.set(vector);
    return vector;
  };
  /** Stores piece number `piece` of a vector, `bytes` wide, as part of the row of step `k`. */
  const put = (vector: number, bytes: 4 | 8, piece: number, k: number, lane: number): void => {
    const at = offset + k * row + lane * lanes.bytes;
    f.get(target)
      .get(vector)
      .memoryLane(bytes === 4 ? "v128.store32_lane" : "v128.store64_lane", piece, at);
  };
  const [r0, r1, r2, r3] = rows;
  if (count === lanes.width) {
    const columns =
      lanes.width === 2
        ? [pick(r0, r1, 0, 2), pick(r0, r1, 1, 3)]
        : transpose4(
            pick,
            pick(r0, r1, 0, 4, 1, 5),
            pick(r2, r3, 0, 4, 1, 5),
            pick(r0, r1, 2, 6, 3, 7),
            pick(r2, r3, 2, 6, 3, 7),
          );
    columns.forEach((vector, k) => {
      f.get(target)
        .get(vector)
        .store("v128.store", offset + k * row);
    });
    return;
  }
  if (count >= 2) {
    const pairs = [pick(r0, r1, 0, 4, 1, 5), pick(r0, r1, 2, 6, 3, 7)];
    for (let k = 0; k < 4; k++) put(pairs[k >> 1], 8, k & 1, k, 0);
  }
  if (count !== 2) for (let k = 0; k < lanes.width; k++) put(rows[count - 1], lanes.bytes, k, k, count - 1);
}

/** From pairs of lanes 01 and 23 for steps 0-1 (`a`, `b`) and 2-3 (`c`, `d`) to the four rows of lanes. */
const transpose4 = (
  pick: (a: number, b: number, ...picks: number[]) => number,
  a: number,
  b: number,
  c: number,
  d: number,
): number[] => [pick(a, b, 0, 2), pick(a, b, 1, 3), pick(c, d, 0, 2), pick(c, d, 1, 3)];
