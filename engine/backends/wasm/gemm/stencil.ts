// Products over windows that few rows use, as depthwise convolutions are: lanes straight from memory, nothing packed.

import type { FunctionBuilder, ModuleBuilder } from "../assembler/asm.ts";
import { countDown, helper, type Lanes, lanesOf, loadPart, multiplyAdd, storePart } from "./lanes.ts";
import type { Plan } from "./plan.ts";
import { inSteps, push, type Range, sum, type Value } from "./ranges.ts";
import { accumulators, type Stencil, type Taps, walkCols, walkRows } from "./slide.ts";

export interface DirectTask {
  readonly a: Value;
  readonly b: Value;
  readonly c: Value;
  readonly rows: Range;
  readonly cols: Range;
  /** The tables, filled. */
  readonly tables: Value;
}

/** A range of C of a plan that has a direct way. */
export function emitDirectRange(module: ModuleBuilder, f: FunctionBuilder, plan: Plan, task: DirectTask): void {
  if (plan.direct?.kind === "stencil") emitStencils(module, f, plan, plan.direct, task);
  else if (plan.direct !== undefined) emitTaps(module, f, plan, plan.direct, task);
}

/** Vectors of a tile: where each starts in its lines, in elements; the last one of a line may overlap the one before. */
interface Tile {
  readonly offsets: readonly { readonly line: number; readonly at: number }[];
}

const piece = (from: number, count: number, width: number): number[] =>
  Array.from({ length: Math.ceil(count / width) }, (_, i) => from + Math.max(0, Math.min(i * width, count - width)));

function emitStencils(module: ModuleBuilder, f: FunctionBuilder, plan: Plan, way: Stencil, task: DirectTask): void {
  const { line, across, lines, vectors } = way;
  const { a, n, k } = plan;
  const lanes = lanesOf[plan.dtype];
  const { bytes, width } = lanes;
  const [from, to] = task.cols.map((col): Value => {
    push(f, col).i32(line.side).op("i32.div_u");
    const index = f.local("i32");
    f.set(index);
    return { local: index };
  });
  const tileOf = (count: number, at: readonly number[]): Tile => ({
    offsets: Array.from({ length: count }, (_, i) => at.map((start) => ({ line: i, at: start }))).flat(),
  });
  const call = (row: Value, first: Value, start: Value, tile: Tile): void => {
    push(f, sum(f, task.b, [first, across.stride * bytes], [start, line.stride * bytes]));
    push(f, sum(f, task.a, [row, a.row * bytes])).i32(a.col * bytes);
    push(f, task.tables).i32(k);
    push(f, sum(f, task.c, [row, n * bytes], [first, line.side * bytes], [start, bytes]));
    f.call(stencilKernel(module, plan, tile, [across.stride * bytes, line.side * bytes], line.stride));
  };
  const whole = vectors * width >= line.side;
  const edges = Array.from({ length: lines - 1 }, (_, i) => i + 1).filter((r) => across.side % lines === r);
  inSteps(f, task.rows, 1, [], (row) =>
    inSteps(f, [from, to], lines, edges, (first, count) => {
      if (whole) return call(row, first, 0, tileOf(count, piece(0, line.side, width)));
      // A long line in pieces; what is left of it, perhaps less than a vector, reaches back into the last piece.
      const step = vectors * width;
      const left = line.side % step;
      inSteps(f, [0, line.side], step, [], (start) => call(row, first, start, tileOf(1, piece(0, step, width))));
      if (left > 0) {
        const reach = Math.max(left, width);
        call(row, first, line.side - reach, tileOf(1, piece(0, reach, width)));
      }
    }),
  );
}

/** (x, w, step of w, taps, count, c): c[tile] = the sum over taps of w * x[tile + tap]. */
function stencilKernel(
  module: ModuleBuilder,
  { dtype, fma }: Plan,
  { offsets }: Tile,
  [lineX, lineC]: readonly [number, number],
  stride: number,
): number {
  const lanes = lanesOf[dtype];
  const spots = offsets.map(({ line, at }) => [
    line * lineX + at * stride * lanes.bytes,
    line * lineC + at * lanes.bytes,
  ]);
  const name = `stencil_${dtype}${fma ? "_fma" : ""}_${stride}_${spots.join("_")}`;
  return helper(module, name, () =>
    module.func(name, new Array(6).fill("i32"), [], (f) => {
      const [x, w, stepW, taps, count, c] = [0, 1, 2, 3, 4, 5];
      const from = f.local("i32");
      const [weight, value] = [f.local("v128"), f.local("v128")];
      const acc = spots.map(() => f.local("v128"));
      countDown(f, count, () => {
        f.get(taps).load("i32.load").get(x).op("i32.add").set(from);
        f.get(w).load(lanes.splat).set(weight);
        spots.forEach(([at], i) => {
          loadStep(f, lanes, from, at, stride, value);
          multiplyAdd(f, lanes, fma, acc[i], weight, value);
        });
        f.get(taps).i32(4).op("i32.add").set(taps);
        f.get(w).get(stepW).op("i32.add").set(w);
      });
      spots.forEach(([, at], i) => {
        f.get(c).get(acc[i]).store("v128.store", at);
      });
    }),
  );
}

/** Sets `target` to a vector of elements `stride` apart, from (local) + offset on. */
function loadStep(
  f: FunctionBuilder,
  lanes: Lanes,
  from: number,
  offset: number,
  stride: number,
  target: number,
  count: number = lanes.width,
): void {
  if (stride === 1) {
    loadPart(f, lanes, count, from, offset);
    f.set(target);
    return;
  }
  const [zero, lane] =
    lanes.bytes === 4
      ? (["v128.load32_zero", "v128.load32_lane"] as const)
      : (["v128.load64_zero", "v128.load64_lane"] as const);
  f.get(from).load(zero, offset).set(target);
  for (let i = 1; i < count; i++) {
    f.get(from)
      .get(target)
      .memoryLane(lane, i, offset + i * stride * lanes.bytes)
      .set(target);
  }
}

/** Runs along k that both operands walk evenly, as a table of pairs of offsets: one pair for each whole vector. */
function emitTaps(module: ModuleBuilder, f: FunctionBuilder, plan: Plan, way: Taps, task: DirectTask): void {
  const { a, b, n, k } = plan;
  const lanes = lanesOf[plan.dtype];
  const { bytes, width } = lanes;
  const { group, run } = way;
  const runs = k / run;
  const [whole, tail] = [Math.floor(run / width), run % width];
  const outerB = walkCols(b, n).slice(0, -1);
  const chunks = Array.from(
    { length: Math.ceil(group.side / accumulators) },
    (_, i, all = Math.ceil(group.side / accumulators)) => {
      const size = Math.ceil(group.side / all);
      return { from: i * size, count: Math.min(size, group.side - i * size) };
    },
  ).filter(({ count }) => count > 0);
  const tails = sum(f, task.tables, [1, 8 * runs * whole]);
  inSteps(f, task.rows, 1, [], (row) =>
    inSteps(f, task.cols, group.side, [], (col) => {
      push(f, col).i32(group.side).op("i32.div_u");
      const first = f.local("i32");
      f.set(first);
      const start = sum(f, task.b, [walkOffset(f, outerB, first), bytes]);
      for (const { from, count } of chunks) {
        push(f, sum(f, task.a, [row, a.row * bytes]));
        push(f, sum(f, start, [1, from * group.stride * bytes]));
        push(f, task.tables).i32(runs * whole);
        push(f, tails).i32(tail === 0 ? 0 : runs);
        push(f, sum(f, task.c, [row, n * bytes], [col, bytes], [1, from * bytes]));
        f.call(tapsKernel(module, plan, count, group.stride, way.stepB, tail));
      }
    }),
  );
}

/** Pushes nothing; a local with the offset in elements of index `local` of a walk. */
function walkOffset(f: FunctionBuilder, walk: readonly { side: number; stride: number }[], index: number): Value {
  const [rest, at] = [f.local("i32"), f.local("i32")];
  f.get(index).set(rest);
  f.i32(0).set(at);
  for (const { side, stride } of walk.toReversed()) {
    f.get(at).get(rest).i32(side).op("i32.rem_u").i32(stride).op("i32.mul").op("i32.add").set(at);
    f.get(rest).i32(side).op("i32.div_u").set(rest);
  }
  return { local: at };
}

/** (a, b, pairs, count, tail pairs, tail count, c): c[j] = the sum over vectors of a * b[j], j < columns. */
function tapsKernel(
  module: ModuleBuilder,
  { dtype, fma }: Plan,
  columns: number,
  stride: number,
  stepB: number,
  tail: number,
): number {
  const lanes = lanesOf[dtype];
  const name = `taps_${dtype}${fma ? "_fma" : ""}_${columns}_${stride}_${stepB}_${tail}`;
  return helper(module, name, () =>
    module.func(name, new Array(7).fill("i32"), [], (f) => {
      const [a, b, pairs, count, tails, tailCount, c] = [0, 1, 2, 3, 4, 5, 6];
      const [atA, atB] = [f.local("i32"), f.local("i32")];
      const [left, right] = [f.local("v128"), f.local("v128")];
      const acc = Array.from({ length: columns }, () => f.local("v128"));
      // Windows may walk down: offsets of columns are added, not folded into the load, where they are negative.
      const step = (table: number, lanesLeft: number): void => {
        f.get(table).load("i32.load").get(a).op("i32.add").set(atA);
        f.get(table).load("i32.load", 4).get(b).op("i32.add").set(atB);
        loadPart(f, lanes, lanesLeft, atA, 0);
        f.set(left);
        acc.forEach((sums, j) => {
          loadStep(f, lanes, atB, Math.max(0, stride) * j * lanes.bytes, stepB, right, lanesLeft);
          multiplyAdd(f, lanes, fma, sums, left, right);
          if (stride < 0 && j < columns - 1)
            f.get(atB)
              .i32(stride * lanes.bytes)
              .op("i32.add")
              .set(atB);
        });
        f.get(table).i32(8).op("i32.add").set(table);
      };
      countDown(f, count, () => step(pairs, lanes.width));
      if (tail > 0) countDown(f, tailCount, () => step(tails, tail));
      acc.forEach((sums, j) => {
        const half = f.local("v128");
        const fold = (bytes: number): void => {
          f.get(sums).get(sums).get(sums);
          f.shuffle(Array.from({ length: 16 }, (_, i) => (i + bytes) % 16));
          f.op(lanes.add).set(sums);
        };
        fold(8);
        if (lanes.bytes === 4) fold(4);
        f.get(sums).set(half);
        storePart(f, lanes, 1, c, j * lanes.bytes, half);
      });
    }),
  );
}

/** Bytes of the tables of a direct way. */
export function directTableBytes({ k, direct, dtype }: Plan): number {
  if (direct === undefined) return 0;
  if (direct.kind === "stencil") return 4 * k;
  const runs = k / direct.run;
  return 8 * runs * (Math.floor(direct.run / lanesOf[dtype].width) + (direct.run % lanesOf[dtype].width === 0 ? 0 : 1));
}

/** Fills the pairs of offsets of `emitTaps`: first those of whole vectors, then those of what is left of each run. */
export function fillPairs(f: FunctionBuilder, plan: Plan, way: Taps, tables: Value): void {
  const { bytes, width } = lanesOf[plan.dtype];
  const [whole, tail] = [Math.floor(way.run / width), way.run % width];
  const runs = plan.k / way.run;
  const wholes = f.local("i32");
  const tails = f.local("i32");
  push(f, tables).set(wholes);
  push(f, sum(f, tables, [1, 8 * runs * whole])).set(tails);
  const walkB = walkRows(plan.b, plan.k).slice(0, -1);
  const walkA = walkCols(plan.a, plan.k);
  inSteps(f, [0, runs], 1, [], (index) => {
    const run = f.local("i32");
    const first = f.local("i32");
    push(f, index).set(run);
    f.get(run).i32(way.run).op("i32.mul").set(first);
    const [atA, atB] = [sum(f, 0, [walkOffset(f, walkA, first), bytes]), sum(f, 0, [walkOffset(f, walkB, run), bytes])];
    const put = (to: number, vector: Value): void => {
      push(f.get(to), sum(f, atA, [vector, 16])).store("i32.store");
      push(f.get(to), sum(f, atB, [vector, 16 * way.stepB])).store("i32.store", 4);
      f.get(to).i32(8).op("i32.add").set(to);
    };
    if (whole > 0) inSteps(f, [0, whole], 1, [], (vector) => put(wholes, vector));
    if (tail > 0) put(tails, whole);
  });
}
