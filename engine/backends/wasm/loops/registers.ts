// Where a kernel keeps what its stages hand on: in locals, or in scratch memory when a unit has many lanes.

import type { Local, Vector } from "../vector/vector.ts";
import type { Cursor, Slot } from "./cursor.ts";
import { laneAxis, type Nest } from "./nest.ts";
import type { Group } from "./plan.ts";

export interface Registers {
  /** The register's value for a slot; may be the very local that the next `write` changes. */
  read(register: number, slot: Slot): Local;
  write(register: number, slot: Slot, value: Local): void;
}

/** One local per register, or per register and vector of the block. */
export class LocalRegisters implements Registers {
  private readonly v: Vector;
  private readonly locals: readonly (readonly Local[])[];

  constructor(v: Vector, nest: Nest) {
    this.v = v;
    const copies = nest.mode === "block" ? nest.piece / nest.width : 1;
    this.locals = nest.kernel.registers.map(() => Array.from({ length: copies }, () => v.fresh()));
  }

  private at(register: number, slot: Slot): Local {
    const list = this.locals[register];
    return list[list.length === 1 ? 0 : slot.index];
  }
  read(register: number, slot: Slot): Local {
    return this.at(register, slot);
  }
  write(register: number, slot: Slot, value: Local): void {
    this.v.f.get(value).set(this.at(register, slot));
  }
}

/** A vector per register and vector of the unit, in scratch memory. */
export class MemoryRegisters implements Registers {
  private readonly c: Cursor;
  /** Moves with the lanes; starts at the scratch memory in each unit. */
  readonly group: Group;
  private readonly bytes: number;

  /** `count` includes those that folds need besides the kernel's own. */
  constructor(c: Cursor, count: number) {
    const { v, nest } = c;
    const strides = nest.sides.map((_, axis) => (axis === laneAxis(nest) ? 1 : 0));
    this.c = c;
    this.group = { arg: undefined, scale: 16 / nest.width, strides, offset: 0 };
    this.bytes = (nest.piece / nest.width) * 16;
    v.env.needScratch(count * this.bytes);
    const base = v.fresh("i32");
    v.f.globalGet(v.env.scratchGlobal).set(base);
    c.place(this.group, base);
  }

  private offset(register: number, slot: Slot): { readonly local: Local; readonly offset: number } {
    const { local, delta } = this.c.spot(this.group, 0, slot.first);
    return { local, offset: delta + register * this.bytes };
  }
  read(register: number, slot: Slot): Local {
    const { v } = this.c;
    const { local, offset } = this.offset(register, slot);
    const value = v.fresh();
    v.f.get(local).load("v128.load", offset).set(value);
    return value;
  }
  write(register: number, slot: Slot, value: Local): void {
    const { local, offset } = this.offset(register, slot);
    this.c.v.f.get(local).get(value).store("v128.store", offset);
  }
}
