// A loop kernel as one WebAssembly function (base address of each argument, lo, hi): runs its units [lo, hi).

import type { LoopKernel } from "../../../compile/ir.ts";
import { bytesPerElement } from "../../../dtype.ts";
import { weightOf } from "../vector/apply.ts";
import type { Env } from "../vector/env.ts";
import { type Local, Vector } from "../vector/vector.ts";
import { Cursor, type Slot } from "./cursor.ts";
import type { LaneLoop } from "./loops.ts";
import { laneAxis, type Nest, nestOf, tileAxis, tileRows, unitCount, type Walk, walksOf } from "./nest.ts";
import { type Place, Planner, type StagePlan } from "./plan.ts";
import { LocalRegisters, MemoryRegisters } from "./registers.ts";
import { emitStage, stageWeight } from "./stage.ts";
import { emitTile } from "./tile.ts";
import { extraRegisters, WideStage } from "./wide.ts";

/** How many units of work the kernel has: outer indices, blocks of them, or pieces of a long row. */
export const loopUnits = (kernel: LoopKernel): number => unitCount(nestOf(kernel));

/** Vector instructions that take as long as eight multiply-adds of a product, the unit of work: measured. */
const instructionsPerWork = 3;

/** The work of all units, in the time that eight multiply-adds of a product take. */
export function loopWork({ axes, outer, stages }: LoopKernel): number {
  const elements = (sides: readonly number[]): number => sides.reduce((n, side) => n * side, 1);
  const instructions = stages.map(({ over, instrs, stores, folds }) => {
    const weights = instrs.map((instr) => weightOf(instr) * (instr.dtype === "f64" ? 2 : 1));
    const each = weights.reduce((sum, weight) => sum + weight, stores.length + 2 * folds.length);
    return (elements(over === "row" ? axes : axes.slice(0, outer)) / 4) * each;
  });
  return instructions.reduce((sum, n) => sum + n, 0) / instructionsPerWork;
}

/** Index of the kernel's function in the module. */
export const emitLoop = (env: Env, kernel: LoopKernel, name: string): number => emitNest(env, nestOf(kernel), name);

/** As `emitLoop`, for a nest that is given. */
export function emitNest(env: Env, nest: Nest, name: string): number {
  const params = [...nest.kernel.args.map(() => "i32" as const), "i32" as const, "i32" as const];
  return env.module.func(name, params, [], (f) => {
    if (unitCount(nest) === 0) return;
    new LoopEmitter(new Vector(f, env), nest).emit();
  });
}

/** Accumulators that leave enough registers for the rest of a row's code. */
const accumulators = 4;
/** Sums of bodies between so many machine instructions a vector take several vectors at a time. */
const heavy = 40;
const heaviest = 100;
/** Lines of fewer terms are short. */
const shortLine = 256;

/** The largest power of two up to a number, 1 at least. */
const powerOfTwo = (most: number): number => (most >= 4 ? 4 : most >= 2 ? 2 : 1);

/** A unit axis and where the generated code is along it. */
interface Walking extends Walk {
  readonly counter: Local;
}

class LoopEmitter {
  private readonly v: Vector;
  private readonly nest: Nest;
  private readonly cursor: Cursor;
  private readonly planner: Planner;
  private readonly plans: readonly StagePlan[];
  private readonly walks: readonly Walking[];
  private readonly lo: Local;
  private readonly hi: Local;
  private readonly pointers: Map<string, Local>;

  constructor(v: Vector, nest: Nest) {
    this.v = v;
    this.nest = nest;
    this.cursor = new Cursor(v, nest);
    this.planner = new Planner(nest);
    this.plans = nest.kernel.stages.map((stage) => this.planner.plan(stage));
    this.lo = nest.kernel.args.length;
    this.hi = this.lo + 1;
    this.walks = walksOf(nest).map((walk) => ({ ...walk, counter: v.fresh("i32") }));
    this.pointers = new Map([...this.planner.groups.keys()].map((key) => [key, v.fresh("i32")]));
  }

  emit(): void {
    const { f } = this.v;
    const { block } = this.nest;
    if (block > 1) for (const end of [this.lo, this.hi]) f.get(end).i32(block).op("i32.mul").set(end);
    this.start();
    const run = this.unit();
    const unit = () => {
      this.clearSums();
      run();
    };
    f.get(this.lo).get(this.hi).op("i32.lt_u");
    f.if(() =>
      f.loop(() => {
        unit();
        f.get(this.lo).i32(1).op("i32.add").tee(this.lo).get(this.hi).op("i32.lt_u");
        f.if(() => {
          this.advance(this.walks.length - 1, new Map());
          f.br(1);
        });
      }),
    );
  }

  /** Sums of a block start at 0. */
  private clearSums(): void {
    const { f } = this.v;
    const { kernel, sides, outer, block } = this.nest;
    const sums = this.plans.flatMap(({ stage, places }) =>
      stage.stores.flatMap((store) => (store.add ? [{ store, place: places.get(store) as Place }] : [])),
    );
    if (sums.length === 0) return;
    const elements = sides.slice(outer).reduce((n, side) => n * side, 1);
    f.get(this.lo).i32(block).op("i32.rem_u").op("i32.eqz");
    f.if(() => {
      for (const { store, place } of sums) {
        const { local, delta } = this.cursor.spot(place.group, place.site.offset, 0);
        f.get(local).i32(delta).op("i32.add").i32(0);
        f.i32(elements * bytesPerElement(kernel.args[store.arg].dtype)).memoryFill();
      }
    });
  }

  /** Sets counters and pointers to unit `lo`. */
  private start(): void {
    const { f } = this.v;
    const rest = this.v.fresh("i32");
    f.get(this.lo).set(rest);
    this.walks.toReversed().forEach(({ count, counter }, i) => {
      if (i === this.walks.length - 1) f.get(rest).set(counter);
      else {
        f.get(rest).i32(count).op("i32.rem_u").set(counter);
        f.get(rest).i32(count).op("i32.div_u").set(rest);
      }
    });
    for (const [key, group] of this.planner.groups) {
      const pointer = this.pointers.get(key) as Local;
      f.i32(group.offset * group.scale);
      if (group.arg !== undefined) f.get(group.arg).op("i32.add");
      for (const { axis, step, counter } of this.walks) {
        const stride = group.strides[axis] * step * group.scale;
        if (stride !== 0) f.get(counter).i32(stride).op("i32.mul").op("i32.add");
      }
      f.set(pointer);
      this.cursor.place(group, pointer);
    }
  }

  /** Moves counters and pointers to the next unit: an odometer, so that no unit multiplies or divides. */
  private advance(position: number, carry: ReadonlyMap<string, number>): void {
    if (position < 0) return;
    const { f } = this.v;
    const { axis, count, step, counter } = this.walks[position];
    f.get(counter).i32(1).op("i32.add").set(counter);
    const wrap = new Map<string, number>();
    for (const [key, group] of this.planner.groups) {
      const stride = group.strides[axis] * step * group.scale;
      wrap.set(key, -count * stride);
      const move = stride + (carry.get(key) ?? 0);
      const pointer = this.pointers.get(key) as Local;
      if (move !== 0) f.get(pointer).i32(move).op("i32.add").set(pointer);
    }
    if (position === 0) return;
    f.get(counter).i32(count).op("i32.eq");
    f.if(() => {
      f.i32(0).set(counter);
      this.advance(position - 1, wrap);
    });
  }

  /** Pushes whether this is the last step along the axis. */
  private pushLast(axis: number): void {
    const { counter, count } = this.walks.find((walk) => walk.axis === axis) as Walking;
    this.v.f
      .get(counter)
      .i32(count - 1)
      .op("i32.eq");
  }

  private pushLastPiece(): void {
    this.pushLast(laneAxis(this.nest));
  }

  /** Runs `partial` in the last step along the axis, `full` in the others. */
  private byStep(axis: number, steps: number, partial: () => void, full: () => void): () => void {
    if (steps === 1) return partial;
    return () => {
      this.pushLast(axis);
      this.v.f.if(partial, full);
    };
  }

  /** What one unit runs. */
  private unit(): () => void {
    const { nest, v, cursor, plans } = this;
    if (nest.mode === "wide") {
      const extra = Math.max(...plans.map(extraRegisters));
      const registers = new MemoryRegisters(cursor, nest.kernel.registers.length + extra);
      return () => {
        for (const plan of plans) v.scope(() => new WideStage(cursor, plan, registers, this.laneLoop(plan)).emit());
      };
    }
    const registers = new LocalRegisters(v, nest);
    if (nest.across.size > 0) return this.tile(registers);
    const stages = (block: readonly Slot[]) => {
      for (const plan of plans) {
        const along = nest.mode === "row" && plan.stage.over === "row";
        v.scope(() => emitStage(cursor, plan, registers, block, along ? this.laneLoop(plan) : undefined));
      }
    };
    if (nest.mode === "row") return () => stages([{ index: 0, first: 0, live: nest.width }]);
    const axis = laneAxis(nest);
    const last = nest.sides[axis] - (nest.pieces - 1) * nest.piece;
    const full = () => stages(slots(nest.piece, nest.width));
    if (last === nest.piece) return full;
    return this.byStep(axis, nest.pieces, () => stages(slots(last, nest.width)), full);
  }

  private tile(registers: LocalRegisters): () => void {
    const { nest, v, cursor, plans } = this;
    const axis = tileAxis(nest);
    const steps = Math.ceil(nest.sides[axis] / tileRows);
    const last = nest.sides[axis] - (steps - 1) * tileRows;
    const rows = (count: number) => () =>
      v.scope(() => emitTile(cursor, plans[0], registers, this.laneLoop(plans[0], 1), count));
    return last === tileRows ? rows(tileRows) : this.byStep(axis, steps, rows(last), rows(tileRows));
  }

  private laneLoop(plan: StagePlan, most = 4): LaneLoop {
    const { nest, v } = this;
    const { width, piece, pieces } = nest;
    const weight = stageWeight(plan);
    const last = nest.sides[laneAxis(nest)] - (pieces - 1) * piece;
    const { folds } = plan.stage;
    const sums = Math.max(0, ...folds.map(({ parts = 0 }) => parts / width));
    // Light bodies gain up to 1.6 in the first cache levels. Heavy ones gain nothing, but for sums: the heaviest, where
    // several independent vectors hide latencies, and short lines, where several phases cost more than longer code.
    const several = sums > 1 && weight <= heaviest && (weight > heavy || piece < shortLine);
    const wanted = weight <= 10 || several ? 4 : weight <= 20 ? 2 : 1;
    // Accumulators in use stay in registers next to what is being computed.
    const held = Math.floor(accumulators / Math.max(1, folds.length));
    const unroll = powerOfTwo(Math.min(wanted, most, held, Math.floor(piece / width)));
    const phases = Math.max(1, sums / unroll);
    const span = phases * unroll * width;
    const lastMain = Math.floor(last / span);
    const rest = slots(last - lastMain * span, width).map((slot) => slot.live);
    if (pieces === 1) return { unroll, phases, main: lastMain, rest };
    const local = v.fresh("i32");
    v.f.i32(lastMain).i32(piece / span);
    this.pushLastPiece();
    v.f.op("select").set(local);
    return { unroll, phases, main: { local }, rest, hasRest: () => this.pushLastPiece() };
  }
}

/** `count` lanes as vectors, the last perhaps partial. */
const slots = (count: number, width: number): Slot[] =>
  Array.from({ length: Math.ceil(count / width) }, (_, index) => ({
    index,
    first: index * width,
    live: Math.min(width, count - index * width),
  }));
