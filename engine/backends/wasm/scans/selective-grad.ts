// The gradient of the selective scan as a function (u, delta, A, B, C, h0, borders, gy, gLast, du, dDelta, dA, dB, dC, dh0,
// lo, hi). A unit is a group of channels of one batch element. Chunks of steps from the last to the first: the states of
// a chunk are computed again from its border state, block by block, and dB and dC of the chunk are added up over blocks.

import type { SelectiveKernel } from "../../../compile/ir.ts";
import type { Env } from "../vector/env.ts";
import { type Local, Vector } from "../vector/vector.ts";
import { type Moving, tableBytes, widthOf } from "./selective-code.ts";
import { type Chunk, SelectivePlaces, type Unit } from "./selective-places.ts";

const groupsOf = (kernel: SelectiveKernel): number => Math.ceil(kernel.channels / kernel.group);
/** Blocks in a group (fewer in the last). */
const groupBlocks = (kernel: SelectiveKernel): number =>
  Math.ceil(Math.min(kernel.group, kernel.channels) / widthOf(kernel));

export const gradientUnits = (kernel: SelectiveKernel): number => kernel.batch * groupsOf(kernel);

const [u, delta, a, b, c, , borders, gy, gLast, du, dDelta, dA, dB, dC, dh0, lo, hi] = Array.from(
  { length: 17 },
  (_, i) => i,
);

/** Scratch memory, in tables: of each block A and the gradients of its state and of A, so that one pointer leads to all. */
const blockRecord = { a: 0, flow: 1, da: 2 } as const;
const blockTables = 3;
/** Of each step of a chunk the state before it, its decays, and its shares of dB and dC, added up over blocks. */
const stepRecord = { h: 0, decay: 1, db: 2, dc: 3 } as const;
const stepTables = 4;

export function emitSelectiveGradient(env: Env, kernel: SelectiveKernel, name: string): number {
  const blocks = groupBlocks(kernel) * blockTables;
  env.needScratch((blocks + (kernel.chunk + 1) * stepTables) * tableBytes(kernel));
  return env.module.func(name, new Array(17).fill("i32"), [], (f) => {
    const code = new Gradient(new Vector(f, env), kernel);
    const records = code.int(() => f.globalGet(env.scratchGlobal));
    const steps = code.int(() =>
      f
        .get(records)
        .i32(blocks * tableBytes(kernel))
        .op("i32.add"),
    );
    code.emit(records, steps);
  });
}

class Gradient extends SelectivePlaces {
  /** Addresses of the first block's and the first step's record. */
  private records = 0;
  private steps = 0;

  /** Bytes from a record to one of its tables. */
  private of(table: 0 | 1 | 2 | 3): number {
    return table * tableBytes(this.kernel);
  }
  private get stepBytes(): number {
    return stepTables * tableBytes(this.kernel);
  }

  emit(records: Local, steps: Local): void {
    const { v, f, kernel } = this;
    this.records = records;
    this.steps = steps;
    const groups = groupsOf(kernel);
    const all = Math.ceil(kernel.channels / this.width);
    const perGroup = groupBlocks(kernel);
    f.get(lo).get(hi).op("i32.lt_u");
    f.if(() =>
      f.loop(() => {
        v.scope(() => {
          const batch = this.int(() => f.get(lo).i32(groups).op("i32.div_u"));
          const group = this.int(() => f.get(lo).i32(groups).op("i32.rem_u"));
          const left = this.int(() => f.i32(all).get(group).i32(perGroup).op("i32.mul").op("i32.sub"));
          const blocks = this.int(() => f.get(left).i32(perGroup).get(left).i32(perGroup).op("i32.lt_u").op("select"));
          this.unit({ batch, group, blocks });
        });
        f.get(lo).i32(1).op("i32.add").tee(lo).get(hi).op("i32.lt_u").brIf(0);
      }),
    );
  }

  private unit(unit: Unit): void {
    const { v, f, kernel } = this;
    const { chunk, length } = kernel;
    const bytes = tableBytes(kernel);
    this.eachBlock(unit, (block, record, live) => {
      this.pack(this.place(a, block, 0), record, live, Math.LOG2E);
      this.pack(this.place(gLast, block, this.perBatch(unit)), this.table(record, "flow"), live);
      f.get(this.table(record, "da")).i32(0).i32(bytes).memoryFill();
    });
    const chunks = Math.ceil(length / chunk);
    const first = this.int(() => f.i32((chunks - 1) * chunk));
    const count = this.int(() => f.i32(length - (chunks - 1) * chunk));
    this.repeat(chunks, "constant", () => {
      v.scope(() => this.chunk({ ...unit, first, count }));
      this.move(first, -chunk);
      f.i32(chunk).set(count);
    });
    this.eachBlock(unit, (block, record, live) => {
      this.unpack(this.table(record, "flow"), this.place(dh0, block, this.perBatch(unit)), live);
      this.unpack(this.table(record, "da"), this.place(dA, block, this.perBatch(unit)), live);
    });
  }

  private table(record: Local, table: keyof typeof blockRecord): Local {
    return this.int((f) => f.get(record).i32(this.of(blockRecord[table])).op("i32.add"));
  }

  /** Runs `body` for each block of the group, with its record. */
  private eachBlock(unit: Unit, body: (block: Local, record: Local, live: number) => void): void {
    const { v, f, kernel } = this;
    v.scope(() => {
      const block = this.int(() => f.get(unit.group).i32(groupBlocks(kernel)).op("i32.mul"));
      const record = this.copy(this.records);
      const last = Math.ceil(kernel.channels / this.width) - 1;
      this.repeat(unit.blocks, "local", () => {
        this.blocks(
          () => f.get(block).i32(last).op("i32.eq"),
          (live) => v.scope(() => body(block, record, live)),
        );
        this.move(block, 1);
        this.move(record, blockTables * tableBytes(kernel));
      });
    });
  }

  /** Pulls `flow` back through the steps of a chunk, and leaves its shares of all gradients. */
  private chunk(chunk: Chunk): void {
    const { f } = this;
    f.get(this.steps).i32(0).get(chunk.count).i32(this.stepBytes).op("i32.mul").memoryFill();
    this.eachBlock(chunk, (block, record, live) => {
      this.states0(chunk, block);
      this.forward(chunk, block, record, live);
      this.backward(chunk, block, record, live);
    });
    this.addUp(chunk);
  }

  /** The border state of the chunk as the first of its states. */
  private states0({ batch, first }: Chunk, block: Local): void {
    const { f, kernel, size } = this;
    const { channels, states, chunk } = kernel;
    const padded = Math.ceil(channels / 4) * 4 * states * size;
    f.get(this.steps);
    f.get(borders);
    f.get(first)
      .i32(chunk)
      .op("i32.div_u")
      .i32(kernel.batch * padded)
      .op("i32.mul")
      .op("i32.add");
    // Blocks lie one after the other as the scan stored them.
    f.get(batch)
      .i32(Math.ceil(channels / this.width) * tableBytes(kernel))
      .op("i32.mul")
      .op("i32.add");
    f.get(block).i32(tableBytes(kernel)).op("i32.mul").op("i32.add");
    f.i32(tableBytes(kernel)).memoryCopy();
  }

  /** States and decays of the chunk, from its first to its last step, and what the states are to dC. */
  private forward(chunk: Chunk, block: Local, record: Local, live: number): void {
    const { v, kernel, size } = this;
    v.scope(() => {
      const rows = [u, delta, gy].map((arg) => this.rowOfBlock(arg, chunk, chunk.first, block));
      const [uAt, deltaAt, gyAt] = rows;
      const bAt = this.rowOfStates(b, chunk, chunk.first);
      const step = this.copy(this.steps);
      const largest = this.largest(record);
      this.repeat(chunk.count, "local", () => {
        v.scope(() => {
          const [x, stepSize, g] = [uAt, deltaAt, gyAt].map((pointer) => this.loadLive(pointer, live));
          const input = this.mul(stepSize, x);
          const table = this.copy(record);
          const moving: [Moving, ...Moving[]] = [
            { local: step, step: 16 },
            { local: table, step: 16 },
            { local: bAt, step: size },
          ];
          // After the states all pointers have moved on, whichever way they went.
          this.withExp2(stepSize, largest, (exp2) =>
            this.states(moving, () => {
              const decay = exp2(this.mul(stepSize, this.load(table)));
              const drive = this.mul(this.splat(bAt), input);
              const before = this.load(step, this.of(stepRecord.h));
              const dc = this.load(step, this.of(stepRecord.dc));
              this.store(decay, step, this.of(stepRecord.decay));
              const after = this.madd(before, decay, drive);
              this.store(after, step, this.stepBytes + this.of(stepRecord.h));
              this.store(this.madd(this.onlyLive(after, live), g, dc), step, this.of(stepRecord.dc));
            }),
          );
        });
        for (const pointer of rows) this.move(pointer, kernel.channels * size);
        this.move(step, this.stepBytes - tableBytes(kernel));
      });
    });
  }

  private backward(chunk: Chunk, block: Local, record: Local, live: number): void {
    const { v, f, kernel, size } = this;
    v.scope(() => {
      const last = this.int(() => f.get(chunk.first).get(chunk.count).op("i32.add").i32(1).op("i32.sub"));
      const rows = [u, delta, gy, du, dDelta].map((arg) => this.rowOfBlock(arg, chunk, last, block));
      const [uAt, deltaAt, gyAt, duAt, dDeltaAt] = rows;
      const [bAt, cAt] = [b, c].map((arg) => this.rowOfStates(arg, chunk, last));
      const step = this.int(() =>
        f.get(this.steps).get(chunk.count).i32(1).op("i32.sub").i32(this.stepBytes).op("i32.mul").op("i32.add"),
      );
      this.repeat(chunk.count, "local", () => {
        v.scope(() => {
          const [x, stepSize, g] = [uAt, deltaAt, gyAt].map((pointer) => this.loadLive(pointer, live));
          const input = this.mul(stepSize, x);
          const [viaB, viaA] = [v.fresh(), v.fresh()];
          for (const sum of [viaB, viaA]) f.get(this.zero()).set(sum);
          const table = this.copy(record);
          const moving: [Moving, ...Moving[]] = [
            { local: table, step: 16 },
            { local: step, step: 16 },
            { local: bAt, step: size },
            { local: cAt, step: size },
          ];
          const [flowAt, daAt] = [this.of(blockRecord.flow), this.of(blockRecord.da)];
          this.states(moving, () => {
            // Loads first, stores last: the engine keeps their order, and fits the arithmetic in between.
            const [came, decay, before] = [
              this.load(table, flowAt),
              this.load(step, this.of(stepRecord.decay)),
              this.load(step, this.of(stepRecord.h)),
            ];
            const [da, db, rate] = [this.load(table, daAt), this.load(step, this.of(stepRecord.db)), this.load(table)];
            const [bNow, cNow] = [this.splat(bAt), this.splat(cAt)];
            const flow = this.onlyLive(this.madd(cNow, g, came), live);
            const back = this.mul(decay, flow);
            const viaDecay = this.mul(before, back);
            this.store(back, table, flowAt);
            this.store(this.madd(viaDecay, stepSize, da), table, daAt);
            this.store(this.madd(flow, input, db), step, this.of(stepRecord.db));
            this.set(viaB, this.madd(bNow, flow, viaB));
            this.set(viaA, this.madd(rate, viaDecay, viaA));
          });
          this.store(this.mul(viaB, stepSize), duAt, 0, live);
          // The table holds A log2(e).
          this.store(this.madd(viaA, this.constant(Math.LN2), this.mul(viaB, x)), dDeltaAt, 0, live);
        });
        for (const pointer of rows) this.move(pointer, -kernel.channels * size);
        for (const pointer of [bAt, cAt]) this.move(pointer, -2 * kernel.states * size);
        this.move(step, -this.stepBytes - tableBytes(kernel));
      });
    });
  }

  /** Sums over lanes of a chunk's shares of dB and dC -> [group, batch, step, state]. */
  private addUp(chunk: Chunk): void {
    const { v, f, kernel, size, width } = this;
    const { batch, length, states } = kernel;
    v.scope(() => {
      const targets = [dB, dC].map((target) =>
        this.int(() =>
          f
            .get(target)
            .get(chunk.group)
            .i32(batch)
            .op("i32.mul")
            .get(chunk.batch)
            .op("i32.add")
            .i32(length)
            .op("i32.mul")
            .get(chunk.first)
            .op("i32.add")
            .i32(states * size)
            .op("i32.mul")
            .op("i32.add"),
        ),
      );
      const step = this.copy(this.steps);
      const lanes = kernel.dtype === "f32" ? "f32x4" : "f64x2";
      const moving: [Moving, ...Moving[]] = [
        { local: step, step: 16 },
        ...targets.map((local) => ({ local, step: size })),
      ];
      this.repeat(chunk.count, "local", () => {
        this.states(moving, () => {
          [stepRecord.db, stepRecord.dc].forEach((table, i) => {
            let sum = this.load(step, this.of(table));
            if (width === 4) sum = this.add(sum, v.upper(sum));
            f.get(targets[i]).get(sum).lane(`${lanes}.extract_lane`, 0).get(sum).lane(`${lanes}.extract_lane`, 1);
            f.op(`${kernel.dtype}.add`).store(`${kernel.dtype}.store`);
          });
        });
        this.move(step, this.stepBytes - tableBytes(kernel));
      });
    });
  }
}
