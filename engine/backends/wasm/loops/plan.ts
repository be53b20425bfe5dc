// Where each instruction of a stage belongs: the outermost loop it can leave for, and how its element is addressed.

import type { Instr, Stage, Store } from "../../../compile/ir.ts";
import { bytesPerElement } from "../../../dtype.ts";
import { laneAxis, type Nest, type Site, tileAxis } from "./nest.ts";

/**
 * Something that moves with the loops: a pointer into an argument (in bytes), or a flat position (in elements, `arg`
 * undefined). Accesses with equal strides share one, at constant distances.
 */
export interface Group {
  readonly arg: number | undefined;
  readonly scale: number;
  readonly strides: readonly number[];
  /** The smallest offset of its accesses, in elements. */
  offset: number;
}

/** lo <= index of the axis < hi. */
export interface Condition {
  readonly axis: number;
  readonly lo: number;
  readonly hi: number;
  readonly position: Group;
}

/** An access, ready to be emitted. */
export interface Place {
  readonly site: Site;
  readonly group: Group;
  readonly masked: boolean;
  readonly conditions: readonly Condition[];
  /** The condition on the lane axis, which differs from lane to lane. */
  readonly lane: Condition | undefined;
  /** Stride along the lane axis, in elements. */
  readonly step: number;
  readonly varies: boolean;
}

export interface StagePlan {
  readonly stage: Stage;
  /** Axes of the loops inside a unit, outermost first. */
  readonly loops: readonly number[];
  /** Per instruction. 1: once a unit; 2 + j: inside loop j. */
  readonly levels: readonly number[];
  readonly innermost: number;
  /** The level at which the index of an axis is known. */
  readonly levelOf: (axis: number) => number;
  /** Whether the value differs from lane to lane. */
  readonly varies: readonly boolean[];
  readonly places: ReadonlyMap<Instr | Store, Place>;
  readonly groups: ReadonlySet<Group>;
  readonly conditions: readonly Condition[];
}

function loopsOf(nest: Nest, stage: Stage): number[] {
  const rows = nest.sides.map((_, axis) => axis).slice(nest.outer);
  const loops = stage.over === "row" ? rows : [];
  return nest.mode === "wide" ? [...loops, laneAxis(nest)] : loops;
}

/** The groups and conditions of a kernel, each once. */
export class Planner {
  readonly groups = new Map<string, Group>();
  private readonly conditions = new Map<string, Condition>();
  private readonly nest: Nest;

  constructor(nest: Nest) {
    this.nest = nest;
  }

  private group(arg: number | undefined, strides: readonly number[], offset: number, apart: boolean): Group {
    const key = `${arg}|${strides.join()}|${apart ? offset : ""}`;
    const known = this.groups.get(key);
    if (known !== undefined) {
      known.offset = Math.min(known.offset, offset);
      return known;
    }
    const scale = arg === undefined ? 1 : bytesPerElement(this.nest.kernel.args[arg].dtype);
    const group: Group = { arg, scale, strides, offset };
    this.groups.set(key, group);
    return group;
  }

  private condition(axis: number, lo: number, hi: number): Condition {
    const key = `${axis}:${lo}:${hi}`;
    const known = this.conditions.get(key);
    if (known !== undefined) return known;
    const strides = this.nest.sides.map((_, i) => (i === axis ? 1 : 0));
    const condition = { axis, lo, hi, position: this.group(undefined, strides, 0, false) };
    this.conditions.set(key, condition);
    return condition;
  }

  private place(part: Extract<Instr, { access: unknown }> | Store): Place {
    const site = this.nest.sites.get(part.access) as Site;
    const axis = laneAxis(this.nest);
    const masked = site.mask.some((range) => range !== undefined);
    const arg = "arg" in part && site.rest.length === 0 ? part.arg : undefined;
    // A masked access's pointer may lie outside memory; sharing it would send the others there.
    const group = this.group(arg, site.strides, site.offset, masked && arg !== undefined);
    const conditions: Condition[] = [];
    site.mask.forEach((range, i) => {
      if (range !== undefined && i !== axis) conditions.push(this.condition(i, ...range));
    });
    const range = site.mask[axis];
    const lane = range && this.condition(axis, ...range);
    const step = site.strides[axis] ?? 0;
    return { site, group, masked, conditions, lane, step, varies: step !== 0 || lane !== undefined };
  }

  plan(stage: Stage): StagePlan {
    const { nest } = this;
    const loops = loopsOf(nest, stage);
    const innermost = 1 + loops.length;
    // The rows of a tile are told apart only inside its loop over lanes.
    const tiled = nest.across.size > 0 ? tileAxis(nest) : undefined;
    const levelOf = (axis: number) => (axis === tiled ? innermost : 2 + loops.indexOf(axis));
    const stored = new Set(stage.stores.map((store) => store.arg));
    const places = new Map<Instr | Store, Place>();
    const levels: number[] = [];
    const varies: boolean[] = [];
    for (const instr of stage.instrs) {
      let varying = instr.op === "register" && nest.mode !== "row";
      let level = varying && nest.mode === "wide" ? innermost : 1;
      if ("access" in instr) {
        const place = this.place(instr);
        places.set(instr, place);
        place.site.strides.forEach((stride, axis) => {
          if (stride !== 0 || place.site.mask[axis] !== undefined) level = Math.max(level, levelOf(axis));
        });
        varying ||= place.varies;
        // What this stage overwrites must be read in place, not ahead of the loop.
        if (instr.op !== "index" && stored.has(instr.arg)) level = innermost;
      }
      for (const operand of operandsOf(instr)) {
        level = Math.max(level, levels[operand]);
        varying ||= varies[operand];
      }
      levels.push(Math.min(level, innermost));
      varies.push(varying);
    }
    for (const store of stage.stores) places.set(store, this.place(store));
    const conditions = new Set<Condition>();
    const groups = new Set<Group>();
    for (const place of places.values()) {
      groups.add(place.group);
      for (const condition of place.conditions) conditions.add(condition);
      if (place.lane !== undefined) groups.add(place.lane.position);
    }
    for (const condition of conditions) groups.add(condition.position);
    return { stage, loops, levels, innermost, levelOf, varies, places, groups, conditions: [...conditions] };
  }
}

const operandsOf = (instr: Instr): readonly number[] =>
  instr.op === "apply" ? instr.args : instr.op === "gather" ? [instr.index] : [];
