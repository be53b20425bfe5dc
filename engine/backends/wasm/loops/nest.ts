// A loop kernel made ready for code: sides of 1 dropped, neighbouring axes merged, units of work and lanes chosen.

import type { LoopKernel, Stage } from "../../../compile/ir.ts";
import type { Access, View } from "../../../compile/view.ts";
import { weightOf } from "../vector/apply.ts";
import type { Width } from "../vector/lanes.ts";

type Range = readonly [lo: number, hi: number];

/** An access over the axes of a nest: the first view of the chain, then the rest. */
export interface Site {
  readonly strides: readonly number[];
  readonly offset: number;
  /** Per axis; undefined where the axis is not masked. */
  readonly mask: readonly (Range | undefined)[];
  /** Views that the flat position goes through next; empty when it is the position in the buffer. */
  readonly rest: readonly View[];
  /** Masked everywhere. */
  readonly never: boolean;
}

export interface Nest {
  readonly kernel: LoopKernel;
  /** The first `outer` are walked by units, the others by loops. */
  readonly sides: readonly number[];
  readonly outer: number;
  /**
   * Where SIMD lanes run: along the last row axis; along the last outer axis in blocks of a few vectors, whose
   * registers are locals; or in wide pieces of it, whose registers are memory.
   */
  readonly mode: "row" | "block" | "wide";
  readonly width: Width;
  readonly sites: ReadonlyMap<Access, Site>;
  /** Sites read across their memory, where units are tiles of several rows; otherwise empty. */
  readonly across: ReadonlySet<Site>;
  /** Outer indices in a row whose stores with `add` go to the same place: they are one unit of work. */
  readonly block: number;
  /** Elements of the lane axis that one unit covers, and how many such pieces there are. */
  readonly piece: number;
  readonly pieces: number;
}

/** Elements of a row that make one unit when a row may be cut: 16 KiB of f32. */
const granule = 4096;
/** Vectors of neighbouring outer indices that one unit carries through its row loops. */
const blockVectors = 4;
/** The same where registers are memory, from how many lanes and rows on that pays, and how many lanes it takes. */
const wideVectors = 128;
const wideRows = 16;
/** Rows of a tile: half a cache line of an f32 operand read across; more would share one set of the first cache. */
export const tileRows = 8;
/** Bodies up to this many machine instructions a vector gain from tiles. */
const tileWeight = 16;

export const laneAxis = (nest: Nest): number => (nest.mode === "row" ? nest.sides.length - 1 : nest.outer - 1);

/** The axis of a tile's rows: the last one walked. */
export const tileAxis = (nest: Nest): number => nest.outer - 1;

/** An axis that units walk: `count` steps of `step` indices. */
export interface Walk {
  readonly axis: number;
  readonly count: number;
  readonly step: number;
}

export function walksOf(nest: Nest): Walk[] {
  const { sides, outer, mode, across, piece, pieces } = nest;
  const walks = sides.slice(0, mode === "row" ? outer : outer - 1).map((side, axis) => {
    const step = across.size > 0 && axis === tileAxis(nest) ? tileRows : 1;
    return { axis, count: Math.ceil(side / step), step };
  });
  return pieces === 1 ? walks : [...walks, { axis: laneAxis(nest), count: pieces, step: piece }];
}

/** How many times a kernel's innermost walk steps in all. */
export const stepCount = (nest: Nest): number => walksOf(nest).reduce((n, { count }) => n * count, 1);

/** How many units of work a kernel has; any range of them can run on its own. */
export const unitCount = (nest: Nest): number => stepCount(nest) / nest.block;

function touchesF64(kernel: LoopKernel): boolean {
  return (
    kernel.registers.includes("f64") ||
    kernel.stages.some((stage) =>
      stage.instrs.some((instr) => instr.dtype === "f64" || ("arg" in instr && kernel.args[instr.arg].dtype === "f64")),
    )
  );
}

function site(access: Access, axes: readonly number[]): Site {
  const [view, ...rest] = access;
  // A point stage's access knows the outer axes only.
  const strides = axes.map((side, i) => (side === 1 || i >= view.strides.length ? 0 : view.strides[i]));
  const mask = axes.map((side, i): Range | undefined => {
    const range = view.mask?.[i];
    return range === undefined || (range[0] <= 0 && range[1] >= side) ? undefined : range;
  });
  return { strides, offset: view.offset, mask, rest, never: mask.some((range) => range && range[0] >= range[1]) };
}

const without = (s: Site, axis: number): Site => {
  const excluded = s.mask[axis] !== undefined;
  return {
    ...s,
    strides: s.strides.toSpliced(axis, 1),
    mask: s.mask.toSpliced(axis, 1),
    never: s.never || excluded,
  };
};

/** Whether axis and the next one can be walked as one. */
const mergeable = (s: Site, axis: number, sides: readonly number[]): boolean =>
  s.never || (s.mask[axis + 1] === undefined && s.strides[axis] === s.strides[axis + 1] * sides[axis + 1]);

function merged(s: Site, axis: number, sides: readonly number[]): Site {
  const range = s.mask[axis];
  const inner = sides[axis + 1];
  const scaled: Range | undefined = range && [range[0] * inner, range[1] * inner];
  return {
    ...s,
    strides: s.strides.toSpliced(axis, 1),
    mask: s.mask.toSpliced(axis, 2, s.never ? undefined : scaled),
  };
}

interface Space {
  sides: number[];
  outer: number;
  sites: Map<Access, Site>;
  /** The last row axis merges with another only where it is a multiple of this: partial results of folds stay the same. */
  readonly parts: number;
}

function collapse(space: Space): void {
  const each = (change: (s: Site) => Site) => {
    for (const [access, s] of space.sites) space.sites.set(access, change(s));
  };
  const drop = (axis: number) => {
    space.sides.splice(axis, 1);
    if (axis < space.outer) space.outer -= 1;
  };
  for (let axis = space.sides.length - 1; axis >= 0; axis--) {
    if (space.sides[axis] !== 1) continue;
    each((s) => without(s, axis));
    drop(axis);
  }
  for (let axis = space.sides.length - 2; axis >= 0; axis--) {
    if (axis === space.outer - 1) continue;
    if (axis + 2 === space.sides.length && axis >= space.outer && space.sides[axis + 1] % space.parts > 0) continue;
    if (![...space.sites.values()].every((s) => mergeable(s, axis, space.sides))) continue;
    each((s) => merged(s, axis, space.sides));
    space.sides[axis] *= space.sides[axis + 1];
    drop(axis + 1);
  }
}

/** One row stage without folds: every element stands alone, so rows may be cut anywhere. */
function isMap(stages: readonly Stage[]): boolean {
  const rows = stages.filter((stage) => stage.over === "row");
  return (
    rows.length === 1 &&
    stages.every((stage) => stage.folds.length === 0 && (stage.over === "row" || stage.stores.length === 0))
  );
}

/** The sites that a lone map reads along the last walked axis rather than along its lanes. */
function acrossSites(stages: readonly Stage[], space: Space, width: Width): Set<Site> {
  const { sides, outer, sites } = space;
  const [rows, lanes] = [outer - 1, sides.length - 1];
  const across = new Set<Site>();
  const weight = stages[0].instrs.reduce((sum, instr) => sum + weightOf(instr), 0);
  if (stages.length > 1 || outer === 0 || sides[rows] < width || sides[lanes] < width || weight > tileWeight)
    return across;
  for (const instr of stages[0].instrs) {
    if (instr.op !== "load") continue;
    const site = sites.get(instr.access) as Site;
    const plain = site.rest.length === 0 && site.mask.every((range) => range === undefined);
    if (plain && site.strides[rows] === 1 && Math.abs(site.strides[lanes]) > 1) across.add(site);
  }
  return across;
}

function sitesOf({ stages, axes }: LoopKernel): Map<Access, Site> {
  const sites = new Map<Access, Site>();
  for (const stage of stages) {
    for (const part of [...stage.instrs, ...stage.stores]) {
      if ("access" in part) sites.set(part.access, site(part.access, axes));
    }
  }
  return sites;
}

/** A map whose rows are its last axis as it is, each a unit. */
export function rowsNest(kernel: LoopKernel): Nest {
  const sides = kernel.axes;
  const piece = sides[sides.length - 1];
  const shape = { sides, outer: sides.length - 1, mode: "row", across: new Set<Site>(), block: 1 } as const;
  return { ...shape, kernel, sites: sitesOf(kernel), width: touchesF64(kernel) ? 2 : 4, piece, pieces: 1 };
}

export function nestOf(kernel: LoopKernel): Nest {
  const sites = sitesOf(kernel);
  const folds = kernel.stages.flatMap((stage) => stage.folds);
  const parts = Math.max(1, ...folds.map((fold) => fold.parts ?? 1));
  const space: Space = { sides: [...kernel.axes], outer: kernel.outer, sites, parts };
  const { outer: outside, summed = 0 } = kernel;
  const block = kernel.axes.slice(outside - summed, outside).reduce((n, side) => n * side, 1);
  const map = summed === 0 && isMap(kernel.stages);
  let { lanes } = kernel;
  // A lone row stage has nothing that tells outer axes from row axes: all but the last left are walked by units.
  const alone = map && kernel.stages.length === 1;
  if (alone && kernel.outer === kernel.axes.length) lanes = "row";
  if (alone && lanes === "row") space.outer = 0;
  collapse(space);
  if (map && lanes === "row") space.outer = Math.max(space.outer, space.sides.length - 1);
  if (space.sides.length === space.outer) {
    // No row axes are left: lanes run along the outer ones, or along an axis of one element.
    lanes = "outer";
    if (space.outer === 0) {
      space.sides.push(1);
      for (const [access, s] of sites) sites.set(access, { ...s, strides: [0], mask: [undefined] });
      lanes = "row";
    }
  } else if (space.outer === 0 && lanes === "outer" && folds.length > 0) {
    // Lanes along the outer axes, of which there is one of one index.
    space.outer = 1;
    space.sides.unshift(1);
    for (const [access, s] of sites)
      sites.set(access, { ...s, strides: [0, ...s.strides], mask: [undefined, ...s.mask] });
  } else if (space.outer === 0) lanes = "row";
  const width: Width = touchesF64(kernel) ? 2 : 4;
  const { sides, outer } = space;
  const axis = lanes === "row" ? sides.length - 1 : outer - 1;
  const side = sides[axis];
  const rows = sides.slice(outer).reduce((n, each) => n * each, 1);
  const isWide = !map && rows >= wideRows && side >= 32 * width;
  const mode = lanes === "row" ? "row" : isWide ? "wide" : "block";
  const whole = map && side > 2 * granule ? granule : side;
  const piece = mode === "row" ? whole : (mode === "wide" ? wideVectors : blockVectors) * width;
  const across = map && mode === "row" ? acrossSites(kernel.stages, space, width) : new Set<Site>();
  // Folds over no elements still have a result.
  const pieces = piece === 0 ? (map ? 0 : 1) : Math.ceil(side / piece);
  return { kernel, sides, outer, mode, width, sites, across, block, piece, pieces };
}
