// One stage of a loop kernel: its row loops, and in each the instructions that belong there.

import type { Instr, Stage } from "../../compile/ir.ts";
import { type Gathered, loadVector, sharedOffset, storeVector } from "./access.ts";
import { applyFn, type Operand, weightOf } from "./apply.ts";
import type { Cursor, Slot } from "./cursor.ts";
import { Accumulation } from "./fold.ts";
import { splatConstant } from "./lanes.ts";
import { laneAxis, type Nest } from "./nest.ts";
import type { Planner, StagePlan } from "./plan.ts";
import type { Local, Vector } from "./vector.ts";

/** How the row's lane loop is cut: `main` times `unroll` vectors, then single ones, the last perhaps partial. */
export interface LaneLoop {
  readonly unroll: number;
  /** Times the main loop runs: a number, or a local when the unit decides. */
  readonly main: number | { readonly local: Local };
  /** Vectors after it. */
  readonly rest: readonly number[];
  /** Pushes whether this unit has them; undefined: always. */
  readonly hasRest?: () => void;
}

/** Roughly how many machine instructions a vector of the stage's innermost level takes. */
export const stageWeight = (plan: StagePlan): number =>
  plan.stage.instrs.reduce((sum, instr, i) => (plan.levels[i] < plan.innermost ? sum : sum + weightOf(instr)), 0);

/** Row loops this short are written out instead. */
const unrollSides = 4;
const unrollWeight = 80;

export class StageEmitter {
  private readonly c: Cursor;
  private readonly v: Vector;
  private readonly nest: Nest;
  private readonly stage: Stage;
  private readonly plan: StagePlan;
  private readonly planner: Planner;
  private readonly registers: readonly (readonly Local[])[];
  private readonly bases: readonly Local[];
  /** Lanes along outer axes: all vectors of the unit's block. Along the row: one, which stands for any. */
  private readonly block: readonly Slot[];
  private readonly laneLoop: LaneLoop | undefined;
  /** Local of each instruction, per vector of the block when it varies from lane to lane. */
  private readonly values: (Local | undefined)[][] = [];
  private readonly offsets = new Map<Instr, Local>();
  private folds: readonly Accumulation[] = [];

  constructor(
    c: Cursor,
    planner: Planner,
    plan: StagePlan,
    bases: readonly Local[],
    registers: readonly (readonly Local[])[],
    block: readonly Slot[],
    laneLoop: LaneLoop | undefined,
  ) {
    this.c = c;
    this.v = c.v;
    this.nest = c.nest;
    this.stage = plan.stage;
    this.plan = plan;
    this.planner = planner;
    this.bases = bases;
    this.registers = registers;
    this.block = block;
    this.laneLoop = plan.stage.over === "row" ? laneLoop : undefined;
    this.values = plan.stage.instrs.map(() => []);
  }

  emit(): void {
    const { v, nest, stage } = this;
    v.scope(() => {
      const parts = nest.lanes === "outer" ? this.block.length : (this.laneLoop?.unroll ?? 1);
      this.folds = stage.folds.map((fold) => {
        const { dtype } = stage.instrs[fold.value];
        return new Accumulation(v, fold.op, dtype, nest.width, parts);
      });
      if (stage.over === "point" || nest.sides.slice(nest.outer).every((side) => side > 0)) this.level(1);
      stage.folds.forEach((fold, i) => {
        const results = nest.lanes === "outer" ? this.folds[i].finishParts() : [this.folds[i].finish()];
        results.forEach((result, part) => {
          v.f.get(result).set(this.registers[fold.register][part]);
        });
      });
    });
  }

  /** Everything inside the first `level` - 1 row loops. */
  private level(level: number): void {
    const { plan, nest, c, v } = this;
    for (const condition of plan.conditions) if (this.planner.levelOf(condition) === level) c.hold(condition);
    const last = level === plan.innermost;
    if (last && nest.lanes === "row" && this.laneLoop === undefined) {
      // A point stage of lanes along the row: one element, the same in all lanes.
      this.body(level, { index: 0, first: 0, live: 1 });
      return;
    }
    if (!last || nest.lanes === "outer") this.shared(level);
    if (last) {
      for (const slot of this.block) v.scope(() => this.body(level, slot));
      return;
    }
    const axis = nest.outer + level - 1;
    if (this.laneLoop !== undefined && axis === laneAxis(nest)) {
      this.lanes(level + 1, axis, this.laneLoop);
      return;
    }
    const side = nest.sides[axis];
    if (side <= unrollSides && side * stageWeight(plan) * this.block.length <= unrollWeight) {
      for (let i = 0; i < side; i++) c.shifted(axis, i, () => v.scope(() => this.level(level + 1)));
      return;
    }
    this.loop(axis, side, 1, () => v.scope(() => this.level(level + 1)));
  }

  /** Repeats `body` `count` times, moving the stage's pointers `step` along the axis each time; `after` sees them moved. */
  private loop(
    axis: number,
    count: number | { local: Local },
    step: number,
    body: () => void,
    after?: () => void,
  ): void {
    const { c, v } = this;
    const { f } = v;
    c.moving(this.plan.groups, axis, (advance) => {
      const left = v.fresh("i32");
      if (typeof count === "number") f.i32(count).set(left);
      else f.get(count.local).set(left);
      const turn = () =>
        f.loop(() => {
          body();
          advance(step);
          f.get(left).i32(1).op("i32.sub").tee(left).brIf(0);
        });
      if (typeof count === "number") turn();
      else f.get(left).if(turn);
      after?.();
    });
  }

  private lanes(level: number, axis: number, loop: LaneLoop): void {
    const { v, nest, plan, c } = this;
    const { width } = nest;
    const vectors = (lives: readonly number[]) =>
      lives.forEach((live, index) => {
        v.scope(() => this.body(level, { index, first: index * width, live }));
      });
    for (const condition of plan.conditions) if (this.planner.levelOf(condition) === level) c.hold(condition);
    const full = new Array<number>(loop.unroll).fill(width);
    const rest = () => {
      if (loop.rest.length === 0) return;
      if (loop.hasRest === undefined) return vectors(loop.rest);
      loop.hasRest();
      v.f.if(() => vectors(loop.rest));
    };
    if (loop.main === 0) rest();
    else if (loop.main === 1 && loop.hasRest === undefined) vectors([...full, ...loop.rest]);
    else this.loop(axis, loop.main, loop.unroll * width, () => vectors(full), rest);
  }

  /** Instructions of this level whose value all lanes or all vectors of a block share, or that are wanted further in. */
  private shared(level: number): void {
    const { plan, stage, nest } = this;
    const innermost = level === plan.innermost;
    stage.instrs.forEach((instr, i) => {
      if (plan.levels[i] !== level) return;
      if (!plan.varies[i] || nest.lanes === "row") this.values[i] = [this.instruction(instr, i, this.block[0])];
      else if (!innermost) this.values[i] = this.block.map((slot) => this.instruction(instr, i, slot));
    });
  }

  /** The innermost level for one vector: what is left to compute, then stores, folds and kept values. */
  private body(level: number, slot: Slot): void {
    const { plan, stage, nest, v, c } = this;
    stage.instrs.forEach((instr, i) => {
      if (plan.levels[i] !== level || (nest.lanes === "outer" && !plan.varies[i])) return;
      this.values[i] = [];
      this.values[i][nest.lanes === "outer" ? slot.index : 0] = this.instruction(instr, i, slot);
    });
    for (const store of stage.stores) {
      const place = plan.places.get(store);
      if (place === undefined) continue;
      storeVector(c, place, nest.kernel.args[store.arg].dtype, slot, this.value(store.value, slot));
    }
    stage.folds.forEach((fold, i) => {
      this.folds[i].add(this.value(fold.value, slot), slot);
    });
    for (const keep of stage.keeps) {
      v.f.get(this.value(keep.value, slot)).set(this.registers[keep.register][nest.lanes === "outer" ? slot.index : 0]);
    }
  }

  private value(instr: number, slot: Slot): Local {
    const list = this.values[instr];
    return (list[nestIndex(this.nest, slot)] ?? list[0]) as Local;
  }

  private instruction(instr: Instr, i: number, slot: Slot): Local {
    const { c, v, plan, nest } = this;
    const result = v.local(() => {
      switch (instr.op) {
        case "const":
          return splatConstant(v, instr.dtype, instr.value);
        case "register":
          return this.registers[instr.register][nestIndex(nest, slot)];
        case "apply":
          return applyFn(v, nest.width, instr, this.operands(instr.args, slot));
        default: {
          const place = plan.places.get(instr);
          if (place === undefined) throw new Error("an access without a place");
          if (instr.op === "index") return loadVector(c, place, { ...instr, base: undefined }, slot);
          const source = { dtype: instr.dtype, base: this.bases[instr.arg] };
          if (instr.op === "load") return loadVector(c, place, { ...source, fill: instr.fill }, slot);
          return loadVector(c, place, { ...source, fill: 0, gathered: this.gathered(instr, slot) }, slot);
        }
      }
    });
    if (!plan.varies[i]) this.shareOffsets(i, result);
    return result;
  }

  private operands(args: readonly number[], slot: Slot): Operand[] {
    return args.map((arg) => {
      const instr = this.stage.instrs[arg];
      const constant = instr.op === "const" ? instr.value : undefined;
      return { local: this.value(arg, slot), dtype: instr.dtype, constant };
    });
  }

  private gathered(instr: Extract<Instr, { op: "gather" }>, slot: Slot): Gathered {
    const bytes = this.offsets.get(instr);
    if (bytes !== undefined) return { kind: "same", bytes };
    return { kind: "lanes", index: this.value(instr.index, slot), stride: instr.stride, bound: instr.bound };
  }

  /** An index that all lanes share becomes a checked byte offset as soon as it is known, ahead of the lane loop. */
  private shareOffsets(index: number, local: Local): void {
    for (const instr of this.stage.instrs) {
      if (instr.op !== "gather" || instr.index !== index) continue;
      this.offsets.set(instr, sharedOffset(this.c, local, instr.stride, instr.bound, instr.dtype));
    }
  }
}

const nestIndex = (nest: Nest, slot: Slot): number => (nest.lanes === "outer" ? slot.index : 0);
