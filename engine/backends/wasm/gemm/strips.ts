// Packing operands that walk several axes at once: the windows of a convolution become strips where they are used, and
// never lie in memory. Offsets come from tables in scratch memory, filled when the product starts.

import type { WalkAxis } from "../../../compile/ir.ts";
import type { FunctionBuilder, ModuleBuilder } from "../assembler/asm.ts";
import { countDown, helper, type Lanes, lanesOf, loadPart, storePart, vectorsOf } from "./lanes.ts";
import { transposeBlock } from "./pack.ts";
import type { Plan } from "./plan.ts";
import { keep, push, sum, type Value } from "./ranges.ts";
import { innermost, isComposite, walkCols, walkRows } from "./slide.ts";
import { directTableBytes, fillPairs } from "./stencil.ts";

/** A strip of `width` lanes and `count` steps of a composite operand, from the operand's start to `target`. */
export interface Strip {
  readonly base: Value;
  readonly tables: Value;
  readonly lane: Value;
  readonly step: Value;
  readonly target: Value;
  readonly count: Value;
  readonly width: number;
  /** Strips start at multiples of this. */
  readonly tile: number;
}

interface Table {
  /** Bytes from the start of the tables. */
  readonly at: number;
  readonly walk: readonly WalkAxis[];
}

/** The tables of a composite operand: an offset for each lane and each step along k. */
export interface Strips {
  readonly lanes: Table;
  readonly steps: Table;
}

export interface Composite {
  readonly a: Strips | undefined;
  readonly b: Strips | undefined;
  readonly bytes: number;
}

const countOf = (walk: readonly WalkAxis[]): number => walk.reduce((n, axis) => n * axis.side, 1);

/** The tables of a plan that packs; their order is that of the operands. */
export function compositeOf({ a, b, m, n, k, direct }: Plan): Composite {
  let at = 0;
  const table = (walk: readonly WalkAxis[]): Table => {
    const start = at;
    at += 4 * countOf(walk);
    return { at: start, walk };
  };
  if (direct !== undefined) return { a: undefined, b: undefined, bytes: 0 };
  const stripsA = isComposite(a) ? { lanes: table(walkRows(a, m)), steps: table(walkCols(a, k)) } : undefined;
  const stripsB = isComposite(b) ? { lanes: table(walkCols(b, n)), steps: table(walkRows(b, k)) } : undefined;
  return { a: stripsA, b: stripsB, bytes: Math.ceil(at / 64) * 64 };
}

/** Fills the tables of both operands. */
function fillTables(f: FunctionBuilder, { a, b }: Composite, tables: Value, bytes: number): void {
  for (const strips of [a, b]) {
    if (strips === undefined) continue;
    for (const { at, walk } of [strips.lanes, strips.steps]) fillTable(f, sum(f, tables, [1, at]), walk, bytes);
  }
}

/** Writes the byte offset of every index of a walk. */
function fillTable(f: FunctionBuilder, target: Value, walk: readonly WalkAxis[], bytes: number): void {
  if (countOf(walk) === 0) return;
  const to = f.local("i32");
  push(f, target).set(to);
  const level = (axis: number, base: number | undefined): void => {
    const [offset, left] = [f.local("i32"), f.local("i32")];
    if (base === undefined) f.i32(0).set(offset);
    else f.get(base).set(offset);
    f.i32(walk[axis].side).set(left);
    f.loop(() => {
      if (axis < walk.length - 1) level(axis + 1, offset);
      else {
        f.get(to).get(offset).store("i32.store");
        f.get(to).i32(4).op("i32.add").set(to);
      }
      f.get(offset)
        .i32(walk[axis].stride * bytes)
        .op("i32.add")
        .set(offset);
      f.get(left).i32(1).op("i32.sub").tee(left).brIf(0);
    });
  };
  level(0, undefined);
}

/** Emits the packing of a strip, by what lies contiguous: its lanes, its steps, or neither. */
export function emitStrip(module: ModuleBuilder, f: FunctionBuilder, dtype: Lanes["dtype"], strips: Strips, s: Strip) {
  const lanes = lanesOf[dtype];
  const [lane, step] = [innermost(strips.lanes.walk), innermost(strips.steps.walk)];
  const laneTable = sum(f, s.tables, [1, strips.lanes.at], [s.lane, 4]);
  const stepTable = sum(f, s.tables, [1, strips.steps.at], [s.step, 4]);
  const call = (fn: number, ...values: readonly Value[]): void => {
    for (const value of values) push(f, value);
    f.call(fn);
  };
  const any = (): void => call(anyPacker(module, dtype, s.width), s.base, laneTable, stepTable, s.target, s.count);
  if (lane.stride === 1 && lane.side >= lanes.width) {
    const copy = copyPacker(module, dtype, s.width);
    const run = (): void => {
      push(f, laneTable).load("i32.load");
      call(copy, sum(f, s.base, [keep(f), 1]), stepTable, s.target, s.count);
    };
    if (strips.lanes.walk.length === 1 || lane.side % s.tile === 0) return run();
    // Lanes that end a run and start the next one lie apart.
    push(f, s.lane)
      .i32(lane.side)
      .op("i32.rem_u")
      .i32(lane.side - s.width)
      .op("i32.le_s");
    f.if(run, any);
    return;
  }
  if (step.stride !== 1 || step.side < 2 * lanes.width) return any();
  push(f, s.step).i32(step.side).op("i32.rem_u");
  const passed = keep(f);
  push(f, step.side);
  push(f, passed).op("i32.sub");
  call(runPacker(module, dtype, s.width), s.base, laneTable, stepTable, s.target, s.count, keep(f), step.side);
}

/** (base, stepTable, target, count): lanes are neighbours. */
function copyPacker(module: ModuleBuilder, dtype: Lanes["dtype"], width: number): number {
  const [base, steps, target, count] = [0, 1, 2, 3];
  const lanes = lanesOf[dtype];
  return helper(module, `strip_copy_${dtype}_${width}`, (name) =>
    module.func(name, new Array(4).fill("i32"), [], (f) => {
      const [from, vector] = [f.local("i32"), f.local("v128")];
      countDown(f, count, () => {
        f.get(steps).load("i32.load").get(base).op("i32.add").set(from);
        vectorsOf(lanes, width).forEach((part, j) => {
          loadPart(f, lanes, part, from, 16 * j);
          f.set(vector);
          storePart(f, lanes, part, target, 16 * j, vector);
        });
        bump(f, steps, 4);
        bump(f, target, width * lanes.bytes);
      });
    }),
  );
}

/** (base, laneTable, stepTable, target, count): every element on its own. */
function anyPacker(module: ModuleBuilder, dtype: Lanes["dtype"], width: number): number {
  const [base, laneTable, steps, target, count] = [0, 1, 2, 3, 4];
  const lanes = lanesOf[dtype];
  return helper(module, `strip_any_${dtype}_${width}`, (name) =>
    module.func(name, new Array(5).fill("i32"), [], (f) => {
      const offsets = loadLanes(f, laneTable, width);
      const from = f.local("i32");
      countDown(f, count, () => {
        f.get(steps).load("i32.load").get(base).op("i32.add").set(from);
        copyLanes(f, lanes, from, offsets, target, 0);
        bump(f, steps, 4);
        bump(f, target, width * lanes.bytes);
      });
    }),
  );
}

/** (base, laneTable, stepTable, target, count, left, run): steps are neighbours in runs, `left` of the first one left. */
function runPacker(module: ModuleBuilder, dtype: Lanes["dtype"], width: number): number {
  const [base, laneTable, steps, target, count, left, run] = [0, 1, 2, 3, 4, 5, 6];
  const lanes = lanesOf[dtype];
  return helper(module, `strip_run_${dtype}_${width}`, (name) =>
    module.func(name, new Array(7).fill("i32"), [], (f) => {
      const offsets = loadLanes(f, laneTable, width);
      const [from, length, blocks] = [f.local("i32"), f.local("i32"), f.local("i32")];
      f.block(() =>
        f.loop(() => {
          f.get(count).op("i32.eqz").brIf(1);
          f.get(count).get(left).get(count).get(left).op("i32.lt_s").op("select").set(length);
          f.get(count).get(length).op("i32.sub").set(count);
          f.get(steps).load("i32.load").get(base).op("i32.add").set(from);
          f.get(steps).get(length).i32(4).op("i32.mul").op("i32.add").set(steps);
          f.get(length).i32(Math.log2(lanes.width)).op("i32.shr_u").set(blocks);
          countDown(f, blocks, () => {
            for (let lane = 0; lane < width; lane += lanes.width) {
              const rows = offsets.slice(lane, lane + lanes.width).map((offset) => {
                const vector = f.local("v128");
                f.get(from).get(offset).op("i32.add").load("v128.load").set(vector);
                return vector;
              });
              transposeBlock(f, lanes, rows, target, lane * lanes.bytes, width * lanes.bytes);
            }
            bump(f, from, 16);
            bump(f, target, lanes.width * width * lanes.bytes);
          });
          f.get(length)
            .i32(lanes.width - 1)
            .op("i32.and")
            .set(length);
          countDown(f, length, () => {
            copyLanes(f, lanes, from, offsets, target, 0);
            bump(f, from, lanes.bytes);
            bump(f, target, width * lanes.bytes);
          });
          f.get(run).set(left).br(0);
        }),
      );
    }),
  );
}

function loadLanes(f: FunctionBuilder, table: number, width: number): number[] {
  return Array.from({ length: width }, (_, lane) => {
    const offset = f.local("i32");
    f.get(table)
      .load("i32.load", 4 * lane)
      .set(offset);
    return offset;
  });
}

function copyLanes(
  f: FunctionBuilder,
  lanes: Lanes,
  from: number,
  offsets: readonly number[],
  target: number,
  at: number,
): void {
  offsets.forEach((offset, lane) => {
    f.get(target)
      .get(from)
      .get(offset)
      .op("i32.add")
      .load(lanes.load)
      .store(lanes.store, at + lane * lanes.bytes);
  });
}

const bump = (f: FunctionBuilder, pointer: number, by: number): FunctionBuilder =>
  f.get(pointer).i32(by).op("i32.add").set(pointer);

/** Bytes of all tables of a plan. */
export const tableBytes = (plan: Plan): number =>
  plan.direct === undefined ? compositeOf(plan).bytes : Math.ceil(directTableBytes(plan) / 64) * 64;

/** Fills them. */
export function fillPlanTables(f: FunctionBuilder, plan: Plan, tables: Value): void {
  const { bytes } = lanesOf[plan.dtype];
  if (plan.direct === undefined) fillTables(f, compositeOf(plan), tables, bytes);
  else if (plan.direct.kind === "taps") fillPairs(f, plan, plan.direct, tables);
  else fillTable(f, tables, walkRows(plan.b, plan.k), bytes);
}
