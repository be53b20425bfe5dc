// Loads and stores of a slot's vector through any access: runs, splats, strided lanes, masks, chains of views, gathers.

import type { Instr } from "../../../compile/ir.ts";
import type { DType } from "../../../dtype.ts";
import { bytesPerElement } from "../../../dtype.ts";
import type { IndexSource } from "../../../operation.ts";
import { contiguousStrides } from "../../../shape.ts";
import {
  type Address,
  finishRaw,
  loadLane,
  loadRun,
  loadSplat,
  rawFill,
  splatConstant,
  storeLanes,
  storeRun,
} from "../vector/lanes.ts";
import type { Local } from "../vector/vector.ts";
import type { Cursor, Slot } from "./cursor.ts";
import type { Place } from "./plan.ts";

/** What a load adds to its access: a gather's index. */
export type Gathered =
  /** One index for all lanes: byte offset in an i32 local. */
  | { readonly kind: "same"; readonly bytes: Local }
  /** An index per lane. */
  | {
      readonly kind: "lanes";
      readonly index: Local;
      readonly stride: number;
      readonly bound: number;
      readonly source: IndexSource;
    };

type Gather = Extract<Instr, { op: "gather" }>;

export interface Source {
  readonly dtype: DType;
  /** Local of the argument's base address; undefined for `index`, whose element is the position itself. */
  readonly base: Local | undefined;
  readonly fill: number;
  readonly gathered?: Gathered;
}

/** Pushes the slot's vector into a local. */
export function loadVector(c: Cursor, place: Place, source: Source, slot: Slot): Local {
  const { v } = c;
  const { dtype, fill } = source;
  if (place.site.never) return splatConstant(v, dtype, fill);
  return guarded(c, place, splatConstant(v, dtype, fill), () => {
    const direct = place.site.rest.length === 0 && source.gathered?.kind !== "lanes";
    if (!direct) return loadEach(c, place, source, slot);
    if (source.base === undefined) return masked(c, place, source, slot, () => positions(c, place, slot));
    if (place.step === 0)
      return masked(c, place, source, slot, () => loadSplat(v, dtype, addressOf(c, place, source, slot, 0)));
    if (place.step === 1) {
      return masked(c, place, source, slot, () =>
        loadRun(v, dtype, c.nest.width, addressOf(c, place, source, slot, 0)),
      );
    }
    return loadEach(c, place, source, slot);
  });
}

/** `otherwise` where a mask of a scalar axis excludes the element. */
function guarded(c: Cursor, place: Place, otherwise: Local, body: () => Local): Local {
  if (place.conditions.length === 0) return body();
  const { f } = c.v;
  const result = c.v.fresh();
  c.pushHeld(place.conditions);
  f.if(
    () => c.v.scope(() => f.get(body()).set(result)),
    () => f.get(otherwise).set(result),
  );
  return result;
}

/** The fill value in lanes that the mask of the lane axis excludes; the load is left out when it excludes them all. */
function masked(c: Cursor, place: Place, source: Source, slot: Slot, load: () => Local): Local {
  const { lane } = place;
  if (lane === undefined) return load();
  const { v } = c;
  const { f } = v;
  const { width } = c.nest;
  const { local, delta } = c.spot(lane.position, 0, slot.first);
  const result = v.fresh();
  const fill = splatConstant(v, source.dtype, source.fill);
  const mixed = () => {
    // Any lane inside: -width < position - lo < hi - lo.
    f.get(local)
      .i32(delta - lane.lo + width - 1)
      .op("i32.add")
      .i32(lane.hi - lane.lo + width - 1)
      .op("i32.lt_u");
    f.if(
      () =>
        v.scope(() => {
          const at = v.fresh();
          f.get(local)
            .i32(delta - lane.lo)
            .op("i32.add")
            .op("i32x4.splat")
            .set(at);
          const inside = v.op("i32x4.lt_u", v.op("i32x4.add", at, v.i32(0, 1, 2, 3)), v.i32(lane.hi - lane.lo));
          const mask = source.dtype === "f64" ? v.op("i64x2.extend_low_i32x4_s", inside) : inside;
          f.get(v.select(mask, load(), fill)).set(result);
        }),
      () => f.get(fill).set(result),
    );
  };
  const whole = lane.hi - lane.lo - width + 1;
  if (whole <= 0) mixed();
  else {
    f.get(local)
      .i32(delta - lane.lo)
      .op("i32.add")
      .i32(whole)
      .op("i32.lt_u");
    f.if(() => v.scope(() => f.get(load()).set(result)), mixed);
  }
  return result;
}

function positions(c: Cursor, place: Place, slot: Slot): Local {
  const { v } = c;
  const { local, delta } = c.spot(place.group, place.site.offset, slot.first);
  const first = v.fresh();
  v.f.get(local);
  if (delta !== 0) v.f.i32(delta).op("i32.add");
  v.f.op("i32x4.splat").set(first);
  if (place.step === 0) return first;
  return v.op("i32x4.add", first, v.i32(0, place.step, 2 * place.step, 3 * place.step));
}

function addressOf(c: Cursor, place: Place, source: Source, slot: Slot, lane: number): Address {
  const { v } = c;
  const { local, delta } = c.spot(place.group, place.site.offset, slot.first + lane);
  if (source.gathered?.kind !== "same") return { pointer: local, offset: delta, wraps: place.masked };
  const pointer = v.fresh("i32");
  v.f.get(local).get(source.gathered.bytes).op("i32.add").set(pointer);
  return { pointer, offset: delta, wraps: place.masked };
}

/** Lane by lane: live lanes only, since the others may lie anywhere. */
function loadEach(c: Cursor, place: Place, source: Source, slot: Slot): Local {
  const { v } = c;
  const { f } = v;
  const { dtype, gathered } = source;
  const raw = v.fresh();
  f.get(rawFill(v, dtype, source.fill)).set(raw);
  const same = place.step === 0 && place.lane === undefined && gathered?.kind !== "lanes";
  const lanes = same ? 1 : slot.live;
  for (let lane = 0; lane < lanes; lane++) {
    v.scope(() => {
      const load = () => {
        if (place.site.rest.length === 0) {
          const address = addressOf(c, place, source, slot, lane);
          if (source.base === undefined) pushPosition(c, address, lane, raw);
          else loadLane(v, dtype, lane, gatheredAddress(c, source, lane, address), raw);
          return;
        }
        chain(c, place, slot.first + lane, (position) => {
          if (source.base === undefined) {
            pushPosition(c, { pointer: position, offset: 0, wraps: false }, lane, raw);
            return;
          }
          const pointer = v.fresh("i32");
          f.get(position).i32(bytesPerElement(dtype)).op("i32.mul").get(source.base).op("i32.add");
          if (gathered?.kind === "same") f.get(gathered.bytes).op("i32.add");
          f.set(pointer);
          loadLane(v, dtype, lane, gatheredAddress(c, source, lane, { pointer, offset: 0, wraps: false }), raw);
        });
      };
      if (place.lane === undefined) return load();
      c.pushCondition(place.lane, slot.first + lane);
      f.if(load);
    });
  }
  if (!same) return finishRaw(v, dtype, raw);
  const repeat = dtype === "f64" ? [0, 1, 2, 3, 4, 5, 6, 7] : [0, 1, 2, 3];
  const bytes = Array.from({ length: 16 }, (_, i) => repeat[i % repeat.length]);
  return finishRaw(v, dtype, v.shuffle(raw, raw, bytes));
}

function pushPosition(c: Cursor, { pointer, offset }: Address, lane: number, raw: Local): void {
  c.v.f.get(raw).get(pointer).i32(offset).op("i32.add").lane("i32x4.replace_lane", lane).set(raw);
}

/** Follows a flat position through the further views; calls `found` with the last one unless a mask excludes it. */
function chain(c: Cursor, place: Place, first: number, found: (position: Local) => void): void {
  const { v } = c;
  const { f } = v;
  const { local, delta } = c.spot(place.group, place.site.offset, first);
  const flat = v.fresh("i32");
  const at = v.fresh("i32");
  const next = v.fresh("i32");
  f.get(local).i32(delta).op("i32.add").set(flat);
  f.block(() => {
    for (const view of place.site.rest) {
      const strides = contiguousStrides(view.shape);
      f.i32(view.offset).set(next);
      view.shape.forEach((side, axis) => {
        const mask = view.mask?.[axis];
        if (side === 1 || (view.strides[axis] === 0 && mask === undefined)) {
          if (mask !== undefined && (mask[0] > 0 || mask[1] < 1)) f.br(0);
          return;
        }
        f.get(flat);
        if (strides[axis] !== 1) f.i32(strides[axis]).op("i32.div_u");
        // The first axis that counts needs no wrap: the position lies inside the view's shape.
        if (view.shape.slice(0, axis).some((outer) => outer !== 1)) f.i32(side).op("i32.rem_u");
        f.set(at);
        if (mask !== undefined)
          f.get(at)
            .i32(mask[0])
            .op("i32.sub")
            .i32(Math.max(0, mask[1] - mask[0]))
            .op("i32.ge_u")
            .brIf(0);
        f.get(at).i32(view.strides[axis]).op("i32.mul").get(next).op("i32.add").set(next);
      });
      f.get(next).set(flat);
    }
    found(flat);
  });
}

/** Pushes index * stride in bytes, or 0 and an error record where the index is out of range; pops the i32 index. */
function checkedOffset(c: Cursor, bound: number, source: IndexSource, bytes: number): void {
  const { f, env } = c.v;
  const index = c.v.fresh("i32");
  f.tee(index).i32(bound).op("i32.ge_u");
  f.if(() => {
    env.report(
      f,
      source,
      () => f.get(index),
      () => f.i32(bound),
    );
    f.i32(0).set(index);
  });
  f.get(index).i32(bytes).op("i32.mul");
}

function gatheredAddress(c: Cursor, source: Source, lane: number, address: Address): Address {
  const { v } = c;
  if (source.gathered?.kind !== "lanes") return address;
  const { index, stride, bound, source: from } = source.gathered;
  const pointer = v.fresh("i32");
  v.f.get(index).lane("i32x4.extract_lane", lane);
  checkedOffset(c, bound, from, stride * bytesPerElement(source.dtype));
  v.f.get(address.pointer).op("i32.add").set(pointer);
  return { ...address, pointer };
}

/** The byte offset of an index that is the same in all lanes, checked. */
export function sharedOffset(c: Cursor, index: Local, { stride, bound, source, dtype }: Gather): Local {
  const { v } = c;
  const offset = v.fresh("i32");
  v.f.get(index).lane("i32x4.extract_lane", 0);
  checkedOffset(c, bound, source, stride * bytesPerElement(dtype));
  v.f.set(offset);
  return offset;
}

/** Stores the slot's live lanes, or one element where the access does not move with the lanes. */
export function storeVector(c: Cursor, place: Place, dtype: DType, slot: Slot, value: Local): void {
  const { v } = c;
  const { local, delta } = c.spot(place.group, place.site.offset, slot.first);
  const address: Address = { pointer: local, offset: delta, wraps: false };
  if (place.step === 0) storeRun(v, dtype, 1, address, value);
  else if (place.step === 1) storeRun(v, dtype, slot.live, address, value);
  else storeLanes(v, dtype, slot.live, address, place.step * bytesPerElement(dtype), value);
}
