// The gradient of the selective scan as a function (u, delta, A, B, C, h0, borders, gy, gLast, du, dDelta, dA, dB, dC, dh0,
// lo, hi). A unit is a group of channels of one batch element. Chunks of steps from the last to the first: the states of
// a chunk are computed again from its border state, block by block, and dB and dC of the chunk are added up over blocks.

import type { SelectiveKernel } from "../../../compile/ir.ts";
import type { Env } from "../vector/env.ts";
import { type Local, Vector } from "../vector/vector.ts";
import { tableBytes, widthOf } from "./selective-code.ts";
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

/** Scratch memory, in tables: of each block A, the gradients of the state and of A; of each step h, decay, dB and dC. */
type Area = "a" | "flow" | "da" | "h" | "decay" | "db" | "dc";

export function emitSelectiveGradient(env: Env, kernel: SelectiveKernel, name: string): number {
  const blocks = groupBlocks(kernel);
  const counts: Record<Area, number> = {
    ...{ a: blocks, flow: blocks, da: blocks },
    ...{ h: kernel.chunk + 1, decay: kernel.chunk, db: kernel.chunk, dc: kernel.chunk },
  };
  const total = Object.values(counts).reduce((sum, count) => sum + count, 0);
  env.needScratch(total * tableBytes(kernel));
  return env.module.func(name, new Array(17).fill("i32"), [], (f) => {
    const code = new Gradient(new Vector(f, env), kernel);
    let start = 0;
    const areas = {} as Record<Area, Local>;
    for (const [area, count] of Object.entries(counts)) {
      const offset = start;
      areas[area as Area] = code.int(() => f.globalGet(env.scratchGlobal).i32(offset).op("i32.add"));
      start += count * tableBytes(kernel);
    }
    code.emit(areas);
  });
}

class Gradient extends SelectivePlaces {
  private areas = {} as Record<Area, Local>;

  emit(areas: Record<Area, Local>): void {
    const { v, f, kernel } = this;
    this.areas = areas;
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
    this.eachBlock(unit, (block, tables, live) => {
      this.pack(this.place(a, block, 0), tables.a, live, Math.LOG2E);
      this.pack(this.place(gLast, block, this.perBatch(unit)), tables.flow, live);
      f.get(tables.da).i32(0).i32(bytes).memoryFill();
    });
    const chunks = Math.ceil(length / chunk);
    const first = this.int(() => f.i32((chunks - 1) * chunk));
    const count = this.int(() => f.i32(length - (chunks - 1) * chunk));
    this.repeat(chunks, "constant", () => {
      v.scope(() => this.chunk({ ...unit, first, count }));
      this.move(first, -chunk);
      f.i32(chunk).set(count);
    });
    this.eachBlock(unit, (block, tables, live) => {
      this.unpack(tables.flow, this.place(dh0, block, this.perBatch(unit)), live);
      this.unpack(tables.da, this.place(dA, block, this.perBatch(unit)), live);
    });
  }

  /** Runs `body` for each block of the group, with its tables. */
  private eachBlock(
    unit: Unit,
    body: (block: Local, tables: Record<"a" | "flow" | "da", Local>, live: number) => void,
  ): void {
    const { v, f, kernel } = this;
    v.scope(() => {
      const block = this.int(() => f.get(unit.group).i32(groupBlocks(kernel)).op("i32.mul"));
      const tables = { a: this.copy(this.areas.a), flow: this.copy(this.areas.flow), da: this.copy(this.areas.da) };
      const last = Math.ceil(kernel.channels / this.width) - 1;
      this.repeat(unit.blocks, "local", () => {
        this.blocks(
          () => f.get(block).i32(last).op("i32.eq"),
          (live) => v.scope(() => body(block, tables, live)),
        );
        this.move(block, 1);
        for (const table of Object.values(tables)) this.move(table, tableBytes(kernel));
      });
    });
  }

  private chunk(chunk: Chunk): void {
    const { f, kernel } = this;
    const bytes = tableBytes(kernel);
    for (const area of [this.areas.db, this.areas.dc]) {
      f.get(area).i32(0).get(chunk.count).i32(bytes).op("i32.mul").memoryFill();
    }
    this.eachBlock(chunk, (block, tables, live) => {
      this.states0(chunk, block);
      this.forward(chunk, block, tables.a, live);
      this.backward(chunk, block, tables, live);
    });
    this.addUp(chunk, this.areas.db, dB);
    this.addUp(chunk, this.areas.dc, dC);
  }

  /** The border state of the chunk as the first of its states. */
  private states0({ batch, first }: Chunk, block: Local): void {
    const { f, kernel, size } = this;
    const { channels, states, chunk } = kernel;
    const padded = Math.ceil(channels / 4) * 4 * states * size;
    f.get(this.areas.h);
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

  /** States and decays of the chunk, from its first to its last step. */
  private forward(chunk: Chunk, block: Local, table: Local, live: number): void {
    const { v, kernel, size } = this;
    v.scope(() => {
      const [uAt, deltaAt] = [u, delta].map((arg) => this.rowOfBlock(arg, chunk, chunk.first, block));
      const bAt = this.rowOfStates(b, chunk, chunk.first);
      const [h, decays] = [this.copy(this.areas.h), this.copy(this.areas.decay)];
      const largest = this.largest(table);
      this.repeat(chunk.count, "local", () => {
        v.scope(() => {
          const stepSize = this.loadLive(deltaAt, live);
          const input = this.mul(stepSize, this.loadLive(uAt, live));
          const at = this.copy(table);
          const moving = [
            { local: at, step: 16 },
            { local: h, step: 16 },
            { local: decays, step: 16 },
            { local: bAt, step: size },
          ];
          // After the states all pointers have moved on, whichever way they went.
          this.withExp2(stepSize, largest, (exp2) =>
            this.states(moving, (i) => {
              const decay = exp2(this.mul(stepSize, this.load(at, i * 16)));
              this.store(decay, decays, i * 16);
              const drive = this.mul(input, this.splat(bAt, i * size));
              this.store(this.madd(decay, this.load(h, i * 16), drive), h, tableBytes(kernel) + i * 16);
            }),
          );
        });
        for (const pointer of [uAt, deltaAt]) this.move(pointer, kernel.channels * size);
      });
    });
  }

  private backward(chunk: Chunk, block: Local, tables: Record<"a" | "flow" | "da", Local>, live: number): void {
    const { v, f, kernel, size } = this;
    const bytes = tableBytes(kernel);
    v.scope(() => {
      const last = this.int(() => f.get(chunk.first).get(chunk.count).op("i32.add").i32(1).op("i32.sub"));
      const rows = [u, delta, gy, du, dDelta].map((arg) => this.rowOfBlock(arg, chunk, last, block));
      const [uAt, deltaAt, gyAt, duAt, dDeltaAt] = rows;
      const [bAt, cAt] = [b, c].map((arg) => this.rowOfStates(arg, chunk, last));
      const areas = (["h", "decay", "db", "dc"] as const).map((area) =>
        this.int(() =>
          f.get(this.areas[area]).get(chunk.count).i32(1).op("i32.sub").i32(bytes).op("i32.mul").op("i32.add"),
        ),
      );
      this.repeat(chunk.count, "local", () => {
        v.scope(() => {
          const [x, stepSize, g] = [uAt, deltaAt, gyAt].map((pointer) => this.loadLive(pointer, live));
          const input = this.mul(stepSize, x);
          const [viaB, viaA] = [v.fresh(), v.fresh()];
          for (const sum of [viaB, viaA]) f.get(this.zero()).set(sum);
          const [hAt, decayAt, dbAt, dcAt] = areas.map((pointer) => this.copy(pointer));
          const [table, flowAt, daAt] = [tables.a, tables.flow, tables.da].map((pointer) => this.copy(pointer));
          const [bNow, cNow] = [bAt, cAt].map((pointer) => this.copy(pointer));
          const moving = [
            ...[hAt, decayAt, dbAt, dcAt, table, flowAt, daAt].map((local) => ({ local, step: 16 })),
            ...[bNow, cNow].map((local) => ({ local, step: size })),
          ];
          this.states(moving, (i) => {
            const o = i * 16;
            const flow = this.onlyLive(this.madd(g, this.splat(cNow, i * size), this.load(flowAt, o)), live);
            const after = this.onlyLive(this.load(hAt, bytes + o), live);
            this.store(this.madd(g, after, this.load(dcAt, o)), dcAt, o);
            this.store(this.madd(flow, input, this.load(dbAt, o)), dbAt, o);
            this.set(viaB, this.madd(flow, this.splat(bNow, i * size), viaB));
            const before = this.mul(flow, this.load(decayAt, o));
            this.store(before, flowAt, o);
            const viaDecay = this.mul(before, this.load(hAt, o));
            this.set(viaA, this.madd(viaDecay, this.load(table, o), viaA));
            this.store(this.madd(viaDecay, stepSize, this.load(daAt, o)), daAt, o);
          });
          this.store(this.mul(viaB, stepSize), duAt, 0, live);
          // The table holds A log2(e).
          this.store(this.madd(viaA, this.constant(Math.LN2), this.mul(viaB, x)), dDeltaAt, 0, live);
        });
        for (const pointer of rows) this.move(pointer, -kernel.channels * size);
        for (const pointer of [bAt, cAt]) this.move(pointer, -kernel.states * size);
        for (const pointer of areas) this.move(pointer, -bytes);
      });
    });
  }

  /** Sums over lanes of a chunk's tables -> [group, batch, step, state]. */
  private addUp(chunk: Chunk, area: Local, target: number): void {
    const { v, f, kernel, size, width } = this;
    const { batch, length, states } = kernel;
    v.scope(() => {
      const to = this.int(() =>
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
      );
      const from = this.copy(area);
      const times = this.int(() => f.get(chunk.count).i32(states).op("i32.mul"));
      const lanes = kernel.dtype === "f32" ? "f32x4" : "f64x2";
      this.repeat(times, "local", () => {
        v.scope(() => {
          let sum = this.load(from);
          if (width === 4) sum = this.add(sum, v.upper(sum));
          f.get(to).get(sum).lane(`${lanes}.extract_lane`, 0).get(sum).lane(`${lanes}.extract_lane`, 1);
          f.op(`${kernel.dtype}.add`).store(`${kernel.dtype}.store`);
        });
        this.move(from, 16);
        this.move(to, size);
      });
    });
  }
}
