// Maps that read some operand across its memory (a transpose): several rows at a time, so that the operand is loaded
// along its memory and turned in registers.

import type { Instr } from "../../../compile/ir.ts";
import { loadRun } from "../vector/lanes.ts";
import type { Local, Vector } from "../vector/vector.ts";
import { Body } from "./body.ts";
import type { Cursor, Slot } from "./cursor.ts";
import { type LaneLoop, overLanes } from "./loops.ts";
import { laneAxis, tileAxis } from "./nest.ts";
import type { Place, StagePlan } from "./plan.ts";
import type { Registers } from "./registers.ts";

/** Emits a unit of `rows` rows. */
export function emitTile(c: Cursor, plan: StagePlan, registers: Registers, laneLoop: LaneLoop, rows: number): void {
  const { v, nest } = c;
  const { width } = nest;
  const body = new Body(c, plan, registers);
  const axis = tileAxis(nest);
  const row = (slot: Slot, at: number, given: ReadonlyMap<number, Local>) =>
    c.shifted(axis, at, () =>
      v.scope(() => {
        for (const condition of plan.conditions) if (plan.levelOf(condition.axis) === plan.innermost) c.hold(condition);
        body.slot(plan.innermost, slot, false, given);
        body.effects(slot);
      }),
    );
  v.scope(() => {
    for (const condition of plan.conditions) if (plan.levelOf(condition.axis) === 1) c.hold(condition);
    body.shared(1, [{ index: 0, first: 0, live: width }], true);
    overLanes(c, plan.groups, laneAxis(nest), laneLoop, (slot) => {
      const whole = rows - (rows % width);
      for (let first = 0; first < whole; first += width) {
        v.scope(() => {
          const turned = new Map<number, readonly Local[]>();
          plan.stage.instrs.forEach((instr, i) => {
            const place = plan.places.get(instr);
            if (instr.op !== "load" || place === undefined || !nest.across.has(place.site)) return;
            c.shifted(axis, first, () => turned.set(i, turnedLoad(c, instr, place, slot)));
          });
          for (let j = 0; j < width; j++) {
            row(slot, first + j, new Map([...turned].map(([i, vectors]) => [i, vectors[j]])));
          }
        });
      }
      for (let at = whole; at < rows; at++) row(slot, at, new Map());
    });
  });
}

/** The vectors of `width` rows, loaded along the rows' axis. */
function turnedLoad(c: Cursor, instr: Extract<Instr, { op: "load" }>, place: Place, slot: Slot): readonly Local[] {
  const { v, nest } = c;
  const columns = Array.from({ length: nest.width }, (_, lane) => {
    // Lanes that are no elements may hold anything, but must not be read from beyond the operand.
    if (lane >= slot.live) return v.i32(0);
    const { local, delta } = c.spot(place.group, place.site.offset, slot.first + lane);
    return loadRun(v, instr.dtype, nest.width, { pointer: local, offset: delta, wraps: false });
  });
  if (nest.width === 4) return turn4(v, columns);
  const bytes = instr.dtype === "f64" ? 8 : 4;
  return [0, bytes].map((from) => v.shuffle(columns[0], columns[1], pick(bytes, from, 16 + from)));
}

/** `bytes` bytes from each of two places of a pair of vectors, twice over if they are short. */
const pick = (bytes: number, first: number, second: number): number[] =>
  Array.from({ length: 16 }, (_, i) => ((i / bytes) & 1 ? second : first) + (i % bytes));

function turn4(v: Vector, [a, b, c, d]: readonly Local[]): readonly Local[] {
  const words = (...lanes: number[]) => lanes.flatMap((lane) => [4 * lane, 4 * lane + 1, 4 * lane + 2, 4 * lane + 3]);
  const low = words(0, 4, 1, 5);
  const high = words(2, 6, 3, 7);
  const [ab, cd, abHigh, cdHigh] = [
    v.shuffle(a, b, low),
    v.shuffle(c, d, low),
    v.shuffle(a, b, high),
    v.shuffle(c, d, high),
  ];
  const first = words(0, 1, 4, 5);
  const second = words(2, 3, 6, 7);
  return [
    v.shuffle(ab, cd, first),
    v.shuffle(ab, cd, second),
    v.shuffle(abHigh, cdHigh, first),
    v.shuffle(abHigh, cdHigh, second),
  ];
}
