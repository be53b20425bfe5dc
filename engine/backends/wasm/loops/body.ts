// The instructions of a stage as code, wherever its loops put them.

import type { Instr, Stage, Store } from "../../../compile/ir.ts";
import type { DType } from "../../../dtype.ts";
import { applyFn, type Operand } from "../vector/apply.ts";
import { splatConstant } from "../vector/lanes.ts";
import type { Local } from "../vector/vector.ts";
import { type Gathered, loadVector, sharedOffset, storeVector } from "./access.ts";
import { atMostZero } from "./bounds.ts";
import type { Cursor, Slot } from "./cursor.ts";
import type { Place, StagePlan } from "./plan.ts";
import type { Registers } from "./registers.ts";

export class Body {
  readonly plan: StagePlan;
  private readonly c: Cursor;
  private readonly stage: Stage;
  private readonly registers: Registers;
  /** Local of each instruction: one, or one per vector of a block where it varies from lane to lane. */
  private readonly values: (Local | undefined)[][];
  /** Byte offsets of gathers whose index all lanes share. */
  private readonly offsets = new Map<Instr, Local>();

  constructor(c: Cursor, plan: StagePlan, registers: Registers) {
    this.c = c;
    this.plan = plan;
    this.stage = plan.stage;
    this.registers = registers;
    this.values = plan.stage.instrs.map(() => []);
  }

  private copy(slot: Slot): number {
    return this.c.nest.mode === "block" ? slot.index : 0;
  }

  value(instr: number, slot: Slot): Local {
    const list = this.values[instr];
    return (list[this.copy(slot)] ?? list[0]) as Local;
  }

  /** Evaluates the level's instructions that all lanes share, and with `ahead` the others for every slot of a block. */
  shared(level: number, block: readonly Slot[], ahead: boolean): void {
    this.stage.instrs.forEach((instr, i) => {
      if (this.plan.levels[i] !== level) return;
      if (!this.plan.varies[i]) this.values[i] = [this.instruction(instr, i, block[0])];
      else if (ahead) this.values[i] = block.map((slot) => this.instruction(instr, i, slot));
    });
  }

  /**
   * Evaluates the level's instructions for one vector; with `varying`, only those that differ from lane to lane.
   * Values that are `given` need no code.
   */
  slot(level: number, slot: Slot, varying: boolean, given?: ReadonlyMap<number, Local>): void {
    this.stage.instrs.forEach((instr, i) => {
      if (this.plan.levels[i] !== level || (varying && !this.plan.varies[i])) return;
      this.values[i] = [];
      const known = given?.get(i);
      if (known !== undefined) {
        this.values[i] = [known];
        return;
      }
      this.values[i][this.copy(slot)] = this.instruction(instr, i, slot);
    });
  }

  /** Stores elements and keeps registers. */
  effects(slot: Slot): void {
    const { c, stage, plan, registers } = this;
    for (const store of stage.stores) {
      const place = plan.places.get(store);
      if (place === undefined) continue;
      const { dtype } = c.nest.kernel.args[store.arg];
      const value = this.value(store.value, slot);
      storeVector(c, place, dtype, slot, store.add ? this.added(store, dtype, place, slot, value) : value);
    }
    for (const { value, register } of stage.keeps) registers.write(register, slot, this.value(value, slot));
  }

  /** What is stored there so far, plus the value. */
  private added({ arg }: Store, dtype: DType, place: Place, slot: Slot, value: Local): Local {
    const { v } = this.c;
    const before = loadVector(this.c, place, { dtype, base: arg, fill: 0 }, slot);
    return v.op(dtype === "f64" ? "f64x2.add" : "f32x4.add", before, value);
  }

  private instruction(instr: Instr, i: number, slot: Slot): Local {
    const { c, plan } = this;
    const { v } = c;
    const result = v.local(() => {
      switch (instr.op) {
        case "const":
          return splatConstant(v, instr.dtype, instr.value);
        case "register":
          return this.registers.read(instr.register, slot);
        case "apply":
          return applyFn(v, c.nest.width, instr, this.operands(instr.args, slot));
        default: {
          const place = plan.places.get(instr);
          if (place === undefined) throw new Error("an access without a place");
          if (instr.op === "index") return loadVector(c, place, { ...instr, base: undefined }, slot);
          // Arguments are the function's first parameters.
          const source = { dtype: instr.dtype, base: instr.arg };
          if (instr.op === "load") return loadVector(c, place, { ...source, fill: instr.fill }, slot);
          return loadVector(c, place, { ...source, fill: 0, gathered: this.gathered(instr, slot) }, slot);
        }
      }
    });
    if (!plan.varies[i]) this.shareOffsets(i, result);
    return result;
  }

  private operands(args: readonly number[], slot: Slot): Operand[] {
    return args.map((arg) => {
      const instr = this.stage.instrs[arg];
      const constant = instr.op === "const" ? instr.value : undefined;
      const small = atMostZero(this.c.nest.kernel, this.stage, arg);
      return { local: this.value(arg, slot), dtype: instr.dtype, constant, atMostZero: small };
    });
  }

  private gathered(instr: Extract<Instr, { op: "gather" }>, slot: Slot): Gathered {
    const bytes = this.offsets.get(instr);
    if (bytes !== undefined) return { kind: "same", bytes };
    const { stride, bound, source } = instr;
    return { kind: "lanes", index: this.value(instr.index, slot), stride, bound, source };
  }

  /** An index that all lanes share becomes a checked byte offset as soon as it is known, ahead of the lane loop. */
  private shareOffsets(index: number, local: Local): void {
    for (const instr of this.stage.instrs) {
      if (instr.op !== "gather" || instr.index !== index) continue;
      this.offsets.set(instr, sharedOffset(this.c, local, instr));
    }
  }
}
