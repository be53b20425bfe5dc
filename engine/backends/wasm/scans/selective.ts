// The selective scan as a function (u, delta, A, B, C, h0, y, last, borders, lo, hi). A unit is a block of channels of
// one batch element; its states stay in the first cache from the first step to the last.

import type { SelectiveKernel } from "../../../compile/ir.ts";
import type { Env } from "../vector/env.ts";
import { type Local, Vector } from "../vector/vector.ts";
import { blocksOf, type Moving, SelectiveCode, tableBytes } from "./selective-code.ts";
import { emitSelectiveGradient, gradientUnits } from "./selective-grad.ts";

export const selectiveUnits = (kernel: SelectiveKernel): number =>
  kernel.gradient ? gradientUnits(kernel) : kernel.batch * blocksOf(kernel);

/** Vector instructions of a whole call: mostly exponentials. */
export const selectiveWork = (kernel: SelectiveKernel): number =>
  kernel.batch * kernel.length * blocksOf(kernel) * kernel.states * (kernel.gradient ? 60 : 35);

export function emitSelective(env: Env, kernel: SelectiveKernel, name: string): number {
  if (kernel.gradient) return emitSelectiveGradient(env, kernel, name);
  env.needScratch(2 * tableBytes(kernel));
  return env.module.func(name, new Array(11).fill("i32"), [], (f) => {
    const forward = new Forward(new Vector(f, env), kernel);
    forward.emit(env.scratchGlobal);
  });
}

const [u, delta, a, b, c, h0, y, last, borders, lo, hi] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10];

/** The forward kernel; the benchmark of its ceilings leaves parts of a step out. */
export class Forward extends SelectiveCode {
  emit(scratch: number): void {
    const { v, f, kernel } = this;
    const table = this.int(() => f.globalGet(scratch));
    const h = this.int(() => f.get(table).i32(tableBytes(kernel)).op("i32.add"));
    const blocks = blocksOf(kernel);
    f.get(lo).get(hi).op("i32.lt_u");
    f.if(() =>
      f.loop(() => {
        v.scope(() => {
          const batch = this.int(() => f.get(lo).i32(blocks).op("i32.div_u"));
          const block = this.int(() => f.get(lo).i32(blocks).op("i32.rem_u"));
          this.blocks(
            () =>
              f
                .get(block)
                .i32(blocks - 1)
                .op("i32.eq"),
            (live) => this.unit(batch, block, table, h, live),
          );
        });
        f.get(lo).i32(1).op("i32.add").tee(lo).get(hi).op("i32.lt_u").brIf(0);
      }),
    );
  }

  private unit(batch: Local, block: Local, table: Local, h: Local, live: number): void {
    const { f, kernel, size, width } = this;
    const { length, channels, states, chunk } = kernel;
    /** The address of [batch, (0,) block] in an argument whose rows are `row` bytes and batches `whole` bytes. */
    const place = (arg: number, whole: number, perBlock: number): Local =>
      this.int(() =>
        f
          .get(arg)
          .get(batch)
          .i32(whole)
          .op("i32.mul")
          .op("i32.add")
          .get(block)
          .i32(perBlock)
          .op("i32.mul")
          .op("i32.add"),
      );
    const rows = length * channels * size;
    const [uAt, deltaAt, yAt] = [u, delta, y].map((arg) => place(arg, rows, width * size));
    const [bAt, cAt] = [b, c].map((arg) => place(arg, length * states * size, 0));
    const perChannel = channels * states * size;
    const perBlock = width * states * size;
    // Powers of two: one multiplication less a step.
    this.pack(place(a, 0, perBlock), table, live, Math.LOG2E);
    this.pack(place(h0, perChannel, perBlock), h, live);
    const largest = this.largest(table);
    const padded = blocksOf(kernel) * tableBytes(kernel);
    const borderAt = place(borders, padded, tableBytes(kernel));
    const steps = (times: number): void => {
      if (times === 0) return;
      if (kernel.borders) {
        f.get(borderAt).get(h).i32(tableBytes(kernel)).memoryCopy();
        this.move(borderAt, kernel.batch * Math.ceil(channels / 4) * 4 * states * size);
      }
      this.repeat(times, "constant", () => {
        this.step({ uAt, deltaAt, yAt, bAt, cAt, table }, largest, live);
        for (const pointer of [uAt, deltaAt, yAt]) this.move(pointer, channels * size);
        for (const pointer of [bAt, cAt]) this.move(pointer, states * size);
      });
    };
    if (!kernel.borders) steps(length);
    else {
      this.repeat(Math.floor(length / chunk), "constant", () => steps(chunk));
      steps(length % chunk);
    }
    this.unpack(h, place(last, perChannel, perBlock), live);
  }

  protected step(
    at: Record<"uAt" | "deltaAt" | "yAt" | "bAt" | "cAt" | "table", Local>,
    largest: Local,
    live: number,
  ): void {
    const { v, f, kernel, size } = this;
    /** States lie behind the table: one pointer leads to both. */
    const state = tableBytes(kernel);
    v.scope(() => {
      const stepSize = this.loadLive(at.deltaAt, live);
      const input = this.mul(stepSize, this.loadLive(at.uAt, live));
      const sum = v.fresh();
      f.get(this.zero()).set(sum);
      const [table, b, c] = [at.table, at.bAt, at.cAt].map((pointer) => this.copy(pointer));
      const moving: [Moving, ...Moving[]] = [
        { local: table, step: 16 },
        { local: b, step: size },
        { local: c, step: size },
      ];
      this.withExp2(stepSize, largest, (exp2) =>
        this.states(moving, () => {
          const decay = exp2(this.mul(stepSize, this.load(table)));
          const drive = this.mul(this.splat(b), input);
          const next = this.madd(this.load(table, state), decay, drive);
          this.store(next, table, state);
          this.set(sum, this.madd(this.splat(c), next, sum));
        }),
      );
      this.store(sum, at.yAt, 0, live);
    });
  }
}
