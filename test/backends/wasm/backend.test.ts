// Programs bound to storages: what stays in memory, what is copied, what is released, what goes wrong.

import { beforeAll, describe, expect, it } from "vitest";
import { WasmExecutable } from "../../../engine/backends/wasm/index.ts";
import { Heap } from "../../../engine/backends/wasm/memory/heap.ts";
import { Runner } from "../../../engine/backends/wasm/threads/runner.ts";
import type { LoopKernel, Program } from "../../../engine/compile/ir.ts";
import { identityAccess } from "../../../engine/compile/view.ts";
import { ShapeError } from "../../../engine/errors.ts";
import { Storage } from "../../../engine/graph/storage.ts";
import { gather, setBackend, tensor } from "../../../engine/index.ts";

const length = 10;
const access = identityAccess([length]);

/** w += g, in place. */
const update: LoopKernel = {
  kind: "loop",
  axes: [length],
  outer: 0,
  lanes: "row",
  args: [
    { dtype: "f32", mode: "readwrite" },
    { dtype: "f32", mode: "read" },
  ],
  registers: [],
  stages: [
    {
      over: "row",
      instrs: [
        { op: "load", dtype: "f32", arg: 0, access, fill: 0 },
        { op: "load", dtype: "f32", arg: 1, access, fill: 0 },
        { op: "apply", dtype: "f32", fn: "add", args: [0, 1] },
      ],
      stores: [{ arg: 0, access, value: 2 }],
      folds: [],
      keeps: [],
    },
  ],
};

/** Buffers: state w, input g; the outputs are w, and g as it came. */
const program: Program = {
  buffers: [
    { dtype: "f32", length, role: "state" },
    { dtype: "f32", length, role: "input" },
  ],
  kernels: [update],
  calls: [{ kernel: 0, args: [0, 1] }],
  inputs: [0, 1],
  outputs: [0, 1],
  copies: [],
  arena: { bytes: 64, offsets: [undefined, 0] },
};

const filled = (value: number) => new Storage("f32", length, new Float32Array(length).fill(value));

describe("wasm executable", () => {
  it("keeps state in its memory from run to run", () => {
    const heap = new Heap();
    const run = new WasmExecutable(new Runner(heap), program);
    const w = filled(1);
    w.persistent = true;
    const before = heap.bytesInUse;
    for (const g of [2, 3]) {
      const copy = new Storage("f32", length);
      void run.run([w, filled(g)], [w, copy]);
      expect(copy.host).toEqual(new Float32Array(length).fill(g));
    }
    expect(w.host).toBeUndefined();
    expect(w.device?.read()).toEqual(new Float32Array(length).fill(6));
    const used = heap.bytesInUse;
    for (let i = 0; i < 100; i++) void run.run([w, filled(0)], [w, new Storage("f32", length)]);
    expect(heap.bytesInUse).toBe(used);
    w.overwrite(new Float32Array(length));
    void run.run([w, filled(5)], [w, new Storage("f32", length)]);
    expect(w.device?.read()).toEqual(new Float32Array(length).fill(5));
    w.device?.release();
    run.release();
    expect(heap.bytesInUse).toBeLessThan(before + 4096);
  });

  it("leaves an input that is also a result as it is, and copies a state that is asked for elsewhere", () => {
    const heap = new Heap(false);
    const run = new WasmExecutable(new Runner(heap), program);
    const w = filled(1);
    const [seen, copy] = [new Storage("f32", length), new Storage("f32", length)];
    void run.run([w, filled(2)], [seen, copy]);
    expect(seen.host).toEqual(new Float32Array(length).fill(3));
  });

  it("tells what it compiled", () => {
    expect(new WasmExecutable(new Runner(new Heap()), program).explain()).toMatch(/bytes of code[\s\S]*loop/);
  });
});

describe("through tensors", () => {
  beforeAll(() => setBackend("wasm"));
  it("reports an index out of range", () => {
    const x = tensor([1, 2, 3]);
    expect(() => gather(x, 0, tensor([0, 12], { dtype: "i32" })).dataSync()).toThrow(ShapeError);
    expect(() => gather(x, 0, tensor([0, 12], { dtype: "i32" })).dataSync()).toThrow(
      "index 12 is out of range for axis 0 of length 3",
    );
    expect(Array.from(gather(x, 0, tensor([2, 0], { dtype: "i32" })).dataSync())).toEqual([3, 1]);
  });
});
