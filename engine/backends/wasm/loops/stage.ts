// One stage of a loop kernel whose lanes run along the row, or along a block of outer indices: its row loops, and in
// each the instructions that belong there. Folds accumulate in locals.

import { weightOf } from "../vector/apply.ts";
import { Body } from "./body.ts";
import type { Cursor, Slot } from "./cursor.ts";
import { Accumulation } from "./fold.ts";
import { type LaneLoop, overLanes, repeat } from "./loops.ts";
import type { StagePlan } from "./plan.ts";
import type { Registers } from "./registers.ts";

/** Roughly how many machine instructions a vector of the stage's innermost level takes. */
export const stageWeight = (plan: StagePlan): number =>
  plan.stage.instrs.reduce((sum, instr, i) => (plan.levels[i] < plan.innermost ? sum : sum + weightOf(instr)), 0);

/** Row loops this short are written out instead. */
const shortSide = 4;
const shortWeight = 80;

/**
 * Emits a stage. `block`: all vectors of the unit, where lanes run along outer indices; one that stands for any where
 * they run along the row, as `laneLoop` says (undefined in a point stage: one element, the same in all lanes).
 */
export function emitStage(
  c: Cursor,
  plan: StagePlan,
  registers: Registers,
  block: readonly Slot[],
  laneLoop: LaneLoop | undefined,
): void {
  const { stage } = plan;
  const { v, nest } = c;
  const along = nest.mode === "row";
  v.scope(() => {
    const folds = stage.folds.map(({ op, value, parts }) => {
      const vectors = along ? (parts === undefined ? (laneLoop?.unroll ?? 1) : parts / nest.width) : block.length;
      return new Accumulation(v, op, stage.instrs[value].dtype, nest.width, vectors);
    });
    if (stage.over === "point" || nest.sides.slice(nest.outer).every((side) => side > 0)) {
      new StageEmitter(c, plan, registers, folds, block, laneLoop).level(1);
    }
    stage.folds.forEach(({ register }, i) => {
      const results = along ? [folds[i].finish()] : folds[i].finishParts();
      for (const [at, result] of results.entries()) registers.write(register, block[at], result);
    });
  });
}

class StageEmitter {
  private readonly c: Cursor;
  private readonly plan: StagePlan;
  private readonly body: Body;
  private readonly folds: readonly Accumulation[];
  private readonly block: readonly Slot[];
  private readonly laneLoop: LaneLoop | undefined;

  constructor(
    c: Cursor,
    plan: StagePlan,
    registers: Registers,
    folds: readonly Accumulation[],
    block: readonly Slot[],
    laneLoop: LaneLoop | undefined,
  ) {
    this.c = c;
    this.plan = plan;
    this.body = new Body(c, plan, registers);
    this.folds = folds;
    this.block = block;
    this.laneLoop = laneLoop;
  }

  /** Everything inside the first `level` - 1 loops. */
  level(level: number): void {
    const { plan, c, body, folds, block, laneLoop } = this;
    const { nest, v } = c;
    for (const condition of plan.conditions) if (plan.levelOf(condition.axis) === level) c.hold(condition);
    const last = level === plan.innermost;
    if (nest.mode === "block") body.shared(level, block, !last);
    else if (!last) body.shared(level, block, true);
    if (last) {
      // A point stage of lanes along the row has one element.
      const vectors = nest.mode === "block" ? block : [{ ...block[0], live: 1 }];
      for (const slot of vectors) v.scope(() => this.vector(slot));
      return;
    }
    const axis = plan.loops[level - 1];
    if (laneLoop !== undefined && level + 1 === plan.innermost) {
      for (const condition of plan.conditions) if (plan.levelOf(condition.axis) === level + 1) c.hold(condition);
      const turn = () => {
        for (const fold of folds) fold.turn(laneLoop.unroll);
      };
      overLanes(c, plan.groups, axis, laneLoop, (slot) => this.vector(slot), turn);
      return;
    }
    const side = nest.sides[axis];
    const inner = () => v.scope(() => this.level(level + 1));
    if (side <= shortSide && side * stageWeight(plan) * block.length <= shortWeight) {
      for (let i = 0; i < side; i++) c.shifted(axis, i, inner);
    } else repeat(c, plan.groups, axis, side, 1, inner);
  }

  /** The innermost level for one vector: what is left to compute, then stores, kept values and folds. */
  private vector(slot: Slot): void {
    const { plan, body, folds } = this;
    body.slot(plan.innermost, slot, this.c.nest.mode === "block");
    body.effects(slot);
    plan.stage.folds.forEach(({ value }, i) => {
      folds[i].add(body.value(value, slot), slot);
    });
  }
}
