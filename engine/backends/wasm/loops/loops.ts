// Counted loops that move the cursor, and the loop over lanes with its unrolled part and its tail.

import type { Local } from "../vector/vector.ts";
import type { Cursor, Slot } from "./cursor.ts";
import type { Group } from "./plan.ts";

/**
 * How a lane loop is cut: into `main` blocks of `phases` times `unroll` vectors, then single ones, the last perhaps
 * partial. With several phases, the loop goes over the line once for each, with `unroll` vectors of every block.
 */
export interface LaneLoop {
  readonly unroll: number;
  readonly phases: number;
  /** How many blocks: a number, or (of one phase) a local when the unit decides. */
  readonly main: number | { readonly local: Local };
  /** Live lanes of the vectors after them. */
  readonly rest: readonly number[];
  /** Pushes whether this unit has them; undefined: always. */
  readonly hasRest?: () => void;
}

/**
 * Repeats `body` `count` times, moving the groups `step` along the axis each time; `after` sees them moved. A count
 * in a local may be 0.
 */
export function repeat(
  c: Cursor,
  groups: Iterable<Group>,
  axis: number,
  count: number | { readonly local: Local },
  step: number,
  body: () => void,
  after?: () => void,
): void {
  const { v } = c;
  const { f } = v;
  c.moving(groups, axis, (advance) => {
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

/** Runs `body` for every vector along the lane axis, and `turned` after each of several phases. */
export function overLanes(
  c: Cursor,
  groups: Iterable<Group>,
  axis: number,
  { unroll, phases, main, rest, hasRest }: LaneLoop,
  body: (slot: Slot) => void,
  turned: () => void = () => {},
): void {
  const step = unroll * c.nest.width;
  const vectors = (lives: readonly number[]) => {
    lives.forEach((live, index) => {
      c.v.scope(() => body({ index, first: index * c.nest.width, live }));
    });
  };
  const full = new Array<number>(unroll).fill(c.nest.width);
  const tail = () => {
    if (rest.length === 0) return;
    if (hasRest === undefined) return vectors(rest);
    hasRest();
    c.v.f.if(() => vectors(rest));
  };
  if (main === 0) tail();
  else if (phases > 1 && typeof main === "number") {
    repeat(c, groups, axis, phases, step, () => {
      repeat(c, groups, axis, main, phases * step, () => vectors(full));
      turned();
    });
    c.shifted(axis, main * phases * step, tail);
  } else if (main === 1 && hasRest === undefined) vectors([...full, ...rest]);
  else repeat(c, groups, axis, main, step, () => vectors(full), tail);
}
