// One stage of a loop kernel whose unit is many neighbouring outer indices: rows are read as they lie in memory, and
// registers and folds live in scratch memory that stays in the first cache level. A column sum at memory speed.

import { splatConstant } from "../vector/lanes.ts";
import type { Local } from "../vector/vector.ts";
import { Body } from "./body.ts";
import type { Cursor, Slot } from "./cursor.ts";
import { foldWay, sound, soundStep } from "./fold.ts";
import { type LaneLoop, overLanes, repeat } from "./loops.ts";
import { laneAxis } from "./nest.ts";
import type { Group, StagePlan } from "./plan.ts";
import type { MemoryRegisters } from "./registers.ts";
import { stageWeight } from "./stage.ts";

/** Rows whose values are joined before the accumulator is stored again. */
const jam = 4;
const jamWeight = 12;

/** Folds of a stage that remember NaN need a register more each, numbered from the kernel's own. */
export const extraRegisters = (plan: StagePlan): number =>
  plan.stage.folds.filter((fold) => foldWay(fold.op, plan.stage.instrs[fold.value].dtype).join !== undefined).length;

export class WideStage {
  private readonly c: Cursor;
  private readonly plan: StagePlan;
  private readonly registers: MemoryRegisters;
  private readonly body: Body;
  private readonly laneLoop: LaneLoop;
  private readonly groups: ReadonlySet<Group>;
  private readonly folds: readonly WideFold[];

  constructor(c: Cursor, plan: StagePlan, registers: MemoryRegisters, laneLoop: LaneLoop) {
    this.c = c;
    this.plan = plan;
    this.registers = registers;
    this.body = new Body(c, plan, registers);
    this.laneLoop = laneLoop;
    this.groups = new Set([...plan.groups, registers.group]);
    let extra = c.nest.kernel.registers.length;
    this.folds = plan.stage.folds.map(({ op, value, register }) => {
      const { dtype } = plan.stage.instrs[value];
      const way = foldWay(op, dtype);
      return { way, dtype, value, register, sound: way.join === undefined ? undefined : extra++ };
    });
  }

  emit(): void {
    const { c, plan } = this;
    const { v, nest } = c;
    v.scope(() => {
      if (this.folds.length > 0) this.lanes((slot) => this.start(slot));
      if (plan.stage.over === "point" || nest.sides.slice(nest.outer).every((side) => side > 0)) this.level(1);
      if (this.folds.some((fold) => fold.sound !== undefined)) this.lanes((slot) => this.finish(slot));
    });
  }

  private lanes(body: (slot: Slot) => void): void {
    overLanes(this.c, this.groups, laneAxis(this.c.nest), this.laneLoop, body);
  }

  private level(level: number): void {
    const { plan, c, body } = this;
    const { v, nest } = c;
    const hold = (at: number) => {
      for (const condition of plan.conditions) if (plan.levelOf(condition.axis) === at) c.hold(condition);
    };
    hold(level);
    body.shared(level, [{ index: 0, first: 0, live: nest.width }], true);
    if (level + 1 === plan.innermost) {
      this.lanes((slot) => this.vector(slot, undefined, 1));
      return;
    }
    const axis = plan.loops[level - 1];
    const side = nest.sides[axis];
    const inner = () => v.scope(() => this.level(level + 1));
    if (level + 2 !== plan.innermost || !this.mayJam(level + 1)) {
      repeat(c, this.groups, axis, side, 1, inner);
      return;
    }
    const rows = (count: number) => this.lanes((slot) => this.vector(slot, axis, count));
    const rest = () => {
      if (side % jam > 0) rows(side % jam);
    };
    if (side < jam) rest();
    else repeat(c, this.groups, axis, Math.floor(side / jam), jam, () => v.scope(() => rows(jam)), rest);
  }

  /** Several rows at a time need all that is computed per row inside the loop over lanes. */
  private mayJam(level: number): boolean {
    const { plan } = this;
    const perRow = plan.levels.includes(level) || plan.conditions.some(({ axis }) => plan.levelOf(axis) === level);
    return this.folds.length > 0 && !perRow && stageWeight(plan) <= jamWeight;
  }

  /** One vector of `count` rows. */
  private vector(slot: Slot, axis: number | undefined, count: number): void {
    const { c, plan, body, registers, folds } = this;
    const { v } = c;
    const own = (register: number): Local => {
      const local = v.fresh();
      v.f.get(registers.read(register, slot)).set(local);
      return local;
    };
    const held = folds.map(({ register, sound }) => ({
      sum: own(register),
      sound: sound === undefined ? undefined : own(sound),
    }));
    const row = () => {
      body.slot(plan.innermost, slot, false);
      body.effects(slot);
      folds.forEach(({ way, dtype, value }, i) => {
        const { sum, sound } = held[i];
        const term = body.value(value, slot);
        v.f.get(sum).get(term).op(way.step).set(sum);
        if (sound !== undefined) soundStep(v, dtype, term, sound);
      });
    };
    for (let r = 0; r < count; r++) {
      if (axis === undefined) row();
      else c.shifted(axis, r, () => v.scope(row));
    }
    folds.forEach(({ register, sound }, i) => {
      registers.write(register, slot, held[i].sum);
      if (sound !== undefined) registers.write(sound, slot, held[i].sound as Local);
    });
  }

  private start(slot: Slot): void {
    const { v } = this.c;
    for (const { way, dtype, register, sound } of this.folds) {
      this.registers.write(register, slot, splatConstant(v, dtype, way.identity));
      if (sound !== undefined) this.registers.write(sound, slot, v.i32(-1));
    }
  }

  /** NaN where one was met. */
  private finish(slot: Slot): void {
    const { v } = this.c;
    for (const { dtype, register, sound: mask } of this.folds) {
      if (mask === undefined) continue;
      const value = this.registers.read(register, slot);
      this.registers.write(register, slot, sound(v, dtype, value, this.registers.read(mask, slot)));
    }
  }
}

interface WideFold {
  readonly way: ReturnType<typeof foldWay>;
  readonly dtype: Parameters<typeof splatConstant>[1];
  readonly value: number;
  readonly register: number;
  /** Register of the lanes that never met a NaN. */
  readonly sound: number | undefined;
}
