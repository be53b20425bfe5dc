// Counted loops that move the cursor, and the loop over lanes with its unrolled part and its tail.

import type { Local } from "../vector/vector.ts";
import type { Cursor, Slot } from "./cursor.ts";
import type { Group } from "./plan.ts";

/** How a lane loop is cut: `main` times `unroll` vectors, then single ones, the last perhaps partial. */
export interface LaneLoop {
  readonly unroll: number;
  /** Times the main loop runs: a number, or a local when the unit decides. */
  readonly main: number | { readonly local: Local };
  /** Live lanes of the vectors after it. */
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

/** Runs `body` for every vector along the lane axis. */
export function overLanes(
  c: Cursor,
  groups: Iterable<Group>,
  axis: number,
  { unroll, main, rest, hasRest }: LaneLoop,
  body: (slot: Slot) => void,
): void {
  const { width } = c.nest;
  const vectors = (lives: readonly number[]) => {
    lives.forEach((live, index) => {
      c.v.scope(() => body({ index, first: index * width, live }));
    });
  };
  const full = new Array<number>(unroll).fill(width);
  const tail = () => {
    if (rest.length === 0) return;
    if (hasRest === undefined) return vectors(rest);
    hasRest();
    c.v.f.if(() => vectors(rest));
  };
  if (main === 0) tail();
  else if (main === 1 && hasRest === undefined) vectors([...full, ...rest]);
  else repeat(c, groups, axis, main, unroll * width, () => vectors(full), tail);
}
