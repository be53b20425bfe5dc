// Where the generated loops are: for every group of accesses, the local that holds its pointer or position now.

import type { Local, Vector } from "../vector/vector.ts";
import { laneAxis, type Nest } from "./nest.ts";
import type { Condition, Group } from "./plan.ts";

/** One vector of a stage's body. */
export interface Slot {
  readonly index: number;
  /** Its first lane, in elements of the lane axis from where the pointers are. */
  readonly first: number;
  /** Lanes that are elements; the others hold anything and must leave no trace. */
  readonly live: number;
}

interface Spot {
  readonly local: Local;
  /** Added to the local: bytes or elements, as the group's scale says. */
  readonly delta: number;
}

export class Cursor {
  readonly v: Vector;
  readonly nest: Nest;
  private spots = new Map<Group, Spot>();
  private readonly held = new Map<Condition, Local>();

  constructor(v: Vector, nest: Nest) {
    this.v = v;
    this.nest = nest;
  }

  place(group: Group, local: Local): void {
    this.spots.set(group, { local, delta: 0 });
  }

  /** The group's local, and what must be added to it for an access at `offset` of the slot that starts at `first`. */
  spot(group: Group, offset: number, first: number): Spot {
    const { local, delta } = this.spots.get(group) as Spot;
    const step = group.strides[laneAxis(this.nest)] ?? 0;
    return { local, delta: delta + (offset - group.offset + first * step) * group.scale };
  }

  /** Evaluates `body` with every group moved `count` steps along the axis, at no cost. */
  shifted(axis: number, count: number, body: () => void): void {
    const outer = this.spots;
    this.spots = new Map(outer);
    for (const [group, { local, delta }] of outer) {
      const step = group.strides[axis] * group.scale;
      if (step !== 0) this.spots.set(group, { local, delta: delta + count * step });
    }
    body();
    this.spots = outer;
  }

  /** Gives the groups that move along the axis pointers of their own inside `body`, which calls `advance` to move them. */
  moving(groups: Iterable<Group>, axis: number, body: (advance: (count: number) => void) => void): void {
    const { f } = this.v;
    const outer = this.spots;
    this.spots = new Map(outer);
    const moved: (readonly [Local, number])[] = [];
    for (const group of groups) {
      const step = group.strides[axis] * group.scale;
      if (step === 0) continue;
      const { local, delta } = outer.get(group) as Spot;
      const own = this.v.fresh("i32");
      f.get(local);
      if (delta !== 0) f.i32(delta).op("i32.add");
      f.set(own);
      this.place(group, own);
      moved.push([own, step]);
    }
    body((count) => {
      for (const [local, step] of moved)
        f.get(local)
          .i32(step * count)
          .op("i32.add")
          .set(local);
    });
    this.spots = outer;
  }

  /** Evaluates a condition once for everything inside the loop over its axis. */
  hold(condition: Condition): void {
    const local = this.v.fresh("i32");
    this.pushCondition(condition, 0);
    this.v.f.set(local);
    this.held.set(condition, local);
  }

  /** Pushes 1 or 0: lo <= position + first < hi. */
  pushCondition(condition: Condition, first: number): void {
    const { lo, hi, position } = condition;
    const { local, delta } = this.spot(position, 0, first);
    this.v.f
      .get(local)
      .i32(delta - lo)
      .op("i32.add")
      .i32(hi - lo)
      .op("i32.lt_u");
  }

  /** Pushes whether all held conditions hold; `conditions` is not empty. */
  pushHeld(conditions: readonly Condition[]): void {
    conditions.forEach((condition, i) => {
      this.v.f.get(this.held.get(condition) as Local);
      if (i > 0) this.v.f.op("i32.and");
    });
  }
}
