// scatterAdd as a function (x, index, updates, out, lo, hi) over outer indices: copy x, then add in order.

import type { ScatterKernel } from "../../../compile/ir.ts";
import { bytesPerElement, type DType } from "../../../dtype.ts";
import type { FunctionBuilder, MemoryOpcode, Opcode } from "../assembler/asm.ts";
import type { Env } from "../vector/env.ts";

const scalars: Record<DType, readonly [load: MemoryOpcode, add: Opcode, store: MemoryOpcode]> = {
  f32: ["f32.load", "f32.add", "f32.store"],
  f64: ["f64.load", "f64.add", "f64.store"],
  i32: ["i32.load", "i32.add", "i32.store"],
  bool: ["i32.load8_u", "i32.or", "i32.store8"],
};

export const scatterUnits = (kernel: ScatterKernel): number => kernel.outer;

export function emitScatter(env: Env, kernel: ScatterKernel, name: string): number {
  return env.module.func(name, new Array(6).fill("i32"), [], (f) => {
    const [x, index, updates, out, lo, hi] = [0, 1, 2, 3, 4, 5];
    const size = bytesPerElement(kernel.dtype);
    const { bound, count, inner } = kernel;
    const block = bound * inner * size;
    const move = (pointer: number, bytes: number) =>
      f.get(pointer).get(lo).i32(bytes).op("i32.mul").op("i32.add").set(pointer);
    move(x, block);
    move(out, block);
    move(index, count * inner * 4);
    move(updates, count * inner * size);
    const units = () => f.get(hi).get(lo).op("i32.sub");
    const place = () => {
      f.get(out).get(x);
      units().i32(block).op("i32.mul").memoryCopy();
    };
    f.get(out).get(x).op("i32.ne");
    if (count * inner === 0) {
      f.if(place);
      return;
    }
    // In place there is no way back: first all indices, then the first element.
    f.if(place, () => emitIndexCheck(f, env, kernel, index));
    const rows = f.local("i32");
    const column = f.local("i32");
    units().i32(count).op("i32.mul").set(rows);
    const row = f.local("i32");
    f.i32(0).set(row);
    const scatter = new Scatter(f, env, kernel, { index, updates, out, column });
    f.get(rows).if(() =>
      f.loop(() => {
        scatter.row();
        // The next row of updates; after `count` of them, the next block of out.
        f.get(row).i32(1).op("i32.add").tee(row).i32(count).op("i32.eq");
        f.if(() => {
          f.i32(0).set(row);
          f.get(out).i32(block).op("i32.add").set(out);
        });
        f.get(rows).i32(1).op("i32.sub").tee(rows).brIf(0);
      }),
    );
  });
}

/** Leaves the function, with an error record, if one of the `count * inner` indices is out of range. */
function emitIndexCheck(f: FunctionBuilder, env: Env, kernel: ScatterKernel, index: number): void {
  const length = kernel.count * kernel.inner;
  const [at, end] = [f.local("i32"), f.local("i32")];
  const each = (from: number, to: number, step: number, body: () => void): void => {
    if (from === to) return;
    f.get(index)
      .i32(from * 4)
      .op("i32.add")
      .set(at);
    f.get(index)
      .i32(to * 4)
      .op("i32.add")
      .set(end);
    f.loop(() => {
      body();
      f.get(at)
        .i32(step * 4)
        .op("i32.add")
        .tee(at)
        .get(end)
        .op("i32.lt_u")
        .brIf(0);
    });
  };
  const value = () => f.get(at).load("i32.load");
  const bound = () => f.i32(kernel.bound);
  const wrong = (): void => {
    value();
    bound().op("i32.ge_u");
  };
  const whole = length - (length % 4);
  const [limit, found] = [f.local("v128"), f.local("v128")];
  bound().op("i32x4.splat").set(limit);
  f.i32(0).op("i32x4.splat").set(found);
  each(0, whole, 4, () =>
    f.get(at).load("v128.load", 0, 2).get(limit).op("i32x4.ge_u").get(found).op("v128.or").set(found),
  );
  each(whole, length, 1, () => {
    wrong();
    f.op("i32x4.splat").get(found).op("v128.or").set(found);
  });
  f.get(found).op("v128.any_true");
  f.if(() =>
    each(0, length, 1, () => {
      wrong();
      f.if(() => {
        env.report(f, kernel.source, value, bound);
        f.ret();
      });
    }),
  );
}

interface Places {
  readonly index: number;
  readonly updates: number;
  readonly out: number;
  readonly column: number;
}

class Scatter {
  private readonly f: FunctionBuilder;
  private readonly kernel: ScatterKernel;
  private readonly env: Env;
  private readonly at: Places;
  private readonly target: number;

  constructor(f: FunctionBuilder, env: Env, kernel: ScatterKernel, at: Places) {
    this.f = f;
    this.kernel = kernel;
    this.env = env;
    this.at = at;
    this.target = f.local("i32");
  }

  /** One row of updates: `inner` elements, four at a time where neighbours go to one row of out. */
  row(): void {
    const { f, kernel, at } = this;
    const size = bytesPerElement(kernel.dtype);
    const fast = (kernel.dtype === "f32" || kernel.dtype === "i32") && kernel.inner >= 4;
    const vectors = fast ? Math.floor(kernel.inner / 4) : 0;
    f.i32(0).set(at.column);
    if (vectors > 0) this.loop(vectors * 4, 4, () => this.four());
    if (vectors * 4 < kernel.inner) this.loop(kernel.inner, 1, () => this.one(0));
    f.get(at.index)
      .i32(kernel.inner * 4)
      .op("i32.add")
      .set(at.index);
    f.get(at.updates)
      .i32(kernel.inner * size)
      .op("i32.add")
      .set(at.updates);
  }

  private loop(end: number, step: number, body: () => void): void {
    const { f, at } = this;
    f.loop(() => {
      body();
      f.get(at.column).i32(step).op("i32.add").tee(at.column).i32(end).op("i32.lt_u").brIf(0);
    });
  }

  /** Pushes pointer + column * bytes. */
  private column(pointer: number, bytes: number): FunctionBuilder {
    return this.f.get(pointer).get(this.at.column).i32(bytes).op("i32.mul").op("i32.add");
  }

  /** Pops an index and sets `target` to its row of out at this column; out of range: row 0 and an error record. */
  private aim(): void {
    const { f, env, kernel, at, target } = this;
    f.tee(target).i32(kernel.bound).op("i32.ge_u");
    f.if(() => {
      env.report(
        f,
        kernel.source,
        () => f.get(target),
        () => f.i32(kernel.bound),
      );
      f.i32(0).set(target);
    });
    const size = bytesPerElement(kernel.dtype);
    this.column(at.out, size)
      .get(target)
      .i32(kernel.inner * size)
      .op("i32.mul")
      .op("i32.add")
      .set(target);
  }

  private one(lane: number): void {
    const { f, kernel, at, target } = this;
    if (kernel.bound === 0) return;
    const [load, add, store] = scalars[kernel.dtype];
    const size = bytesPerElement(kernel.dtype);
    this.column(at.index, 4).load("i32.load", lane * 4);
    this.aim();
    f.get(target)
      .get(target)
      .load(load, lane * size);
    this.column(at.updates, size)
      .load(load, lane * size)
      .op(add)
      .store(store, lane * size);
  }

  private four(): void {
    const { f, kernel, at, target } = this;
    if (kernel.bound === 0) return;
    const indices = f.local("v128");
    this.column(at.index, 4).load("v128.load", 0, 2).tee(indices);
    f.get(indices)
      .get(indices)
      .shuffle([0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3])
      .op("i32x4.eq")
      .op("i32x4.all_true");
    f.if(
      () => {
        f.get(indices).lane("i32x4.extract_lane", 0);
        this.aim();
        f.get(target).get(target).load("v128.load", 0, 2);
        this.column(at.updates, 4).load("v128.load", 0, 2);
        f.op(kernel.dtype === "f32" ? "f32x4.add" : "i32x4.add").store("v128.store", 0, 2);
      },
      () => {
        for (let lane = 0; lane < 4; lane++) this.one(lane);
      },
    );
  }
}
