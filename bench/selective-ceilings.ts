// What bounds the selective scan's forward kernel, from its own code: the loop without exponentials, and the exponentials
// without the recurrence, each over the same operands. Their sum is what no overlap would take; the larger is the floor.

import { Heap } from "../engine/backends/wasm/memory/heap.ts";
import { Forward } from "../engine/backends/wasm/scans/selective.ts";
import { blocksOf, type Moving, tableBytes } from "../engine/backends/wasm/scans/selective-code.ts";
import { Env } from "../engine/backends/wasm/vector/env.ts";
import { type Local, Vector } from "../engine/backends/wasm/vector/vector.ts";
import type { SelectiveKernel } from "../engine/compile/ir.ts";

export interface SelectiveSides {
  readonly batch: number;
  readonly length: number;
  readonly channels: number;
  readonly states: number;
}

class WithoutExp extends Forward {
  override withExp2(_step: Local, _largest: Local, body: (exp2: (x: Local) => Local) => void): void {
    body((x) => x);
  }
}

class OnlyExp extends Forward {
  protected override step(at: Parameters<Forward["step"]>[0], largest: Local, live: number): void {
    this.v.scope(() => {
      const stepSize = this.loadLive(at.deltaAt, live);
      const sum = this.v.fresh();
      this.set(sum, this.zero());
      const table = this.copy(at.table);
      const moving: [Moving] = [{ local: table, step: 16 }];
      this.withExp2(stepSize, largest, (exp2) =>
        this.states(moving, () => this.set(sum, this.add(sum, exp2(this.mul(stepSize, this.load(table)))))),
      );
      this.store(sum, at.yAt, 0, live);
    });
  }
}

/** Functions that run one of these on one thread; `inputs` are u, delta, A, B, C and h0. */
export function selectiveCeilings(
  sides: SelectiveSides,
  inputs: readonly Float32Array[],
): Readonly<Record<string, () => void>> {
  const kernel: SelectiveKernel = {
    kind: "selective",
    ...{ gradient: false, dtype: "f32", ...sides, chunk: sides.length, group: 64, borders: false, args: [] },
  };
  const { batch, length, channels, states } = sides;
  const build = (Code: typeof Forward): (() => void) => {
    const heap = new Heap();
    const env = new Env(heap);
    const scratch = heap.alloc(2 * tableBytes(kernel));
    env.module.func(
      "scan",
      new Array(11).fill("i32"),
      [],
      (f) => {
        f.i32(scratch).globalSet(env.scratchGlobal);
        new Code(new Vector(f, env), kernel).emit(env.scratchGlobal);
      },
      { export: true },
    );
    const addresses = inputs.map((values) => {
      const address = heap.alloc(values.byteLength);
      heap.view("f32", address, values.length).set(values);
      return address;
    });
    const results = [batch * length * channels, batch * channels * states, 0].map((n) => heap.alloc(4 * n));
    const scan = env.instantiate().exports.scan as (...args: number[]) => void;
    return () => scan(...addresses, ...results, 0, batch * blocksOf(kernel));
  };
  return { "its loop without exponentials": build(WithoutExp), "its exponentials alone": build(OnlyExp) };
}
