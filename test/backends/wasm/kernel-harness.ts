// Runs one kernel on the WASM code generator, with guarded arguments, whole or cut into unit ranges.

import { emitScatter, scatterUnits } from "../../../engine/backends/wasm/indexed/scatter.ts";
import { emitSort, sortUnits } from "../../../engine/backends/wasm/indexed/sort.ts";
import { emitLoop, loopUnits } from "../../../engine/backends/wasm/loops/loop.ts";
import { errorAddress, Heap } from "../../../engine/backends/wasm/memory/heap.ts";
import { emitScan, scanUnits } from "../../../engine/backends/wasm/scans/scan.ts";
import { Env } from "../../../engine/backends/wasm/vector/env.ts";
import type { LoopKernel, ScanKernel, ScatterKernel, SortKernel } from "../../../engine/compile/ir.ts";
import { bytesPerElement, type HostArray } from "../../../engine/dtype.ts";

type Testable = LoopKernel | ScanKernel | ScatterKernel | SortKernel;

export const heap = new Heap();

/** Bytes around each argument that no kernel may change. */
const guardBytes = 128;
const guardByte = 0xa5;

interface Emitted {
  readonly run: (...args: number[]) => void;
  readonly units: number;
  readonly scratch: (address: number) => void;
  readonly scratchBytes: number;
}

export function compileKernel(kernel: Testable, fma?: boolean): Emitted {
  const env = new Env(heap, fma);
  const emitted = emit(env, kernel);
  const params = [...kernel.args.map(() => "i32" as const), "i32" as const, "i32" as const];
  env.module.func(
    "kernel",
    params,
    [],
    (f) => {
      for (let i = 0; i < params.length; i++) f.get(i);
      f.call(emitted.index);
    },
    { export: true },
  );
  env.module.func("scratch", ["i32"], [], (f) => f.get(0).globalSet(env.scratchGlobal), { export: true });
  const { exports } = env.instantiate();
  return {
    run: exports.kernel as (...args: number[]) => void,
    units: emitted.units,
    scratch: exports.scratch as (address: number) => void,
    scratchBytes: env.scratchBytes,
  };
}

function emit(env: Env, kernel: Testable): { readonly index: number; readonly units: number } {
  switch (kernel.kind) {
    case "loop":
      return { index: emitLoop(env, kernel, "loop"), units: loopUnits(kernel) };
    case "scan":
      return { index: emitScan(env, kernel, "scan"), units: scanUnits(kernel) };
    case "scatter":
      return { index: emitScatter(env, kernel, "scatter"), units: scatterUnits(kernel) };
    case "sort":
      return { index: emitSort(env, kernel, "sort"), units: sortUnits(kernel) };
  }
}

export interface RunOptions {
  /** Where to cut the units, as fractions. */
  readonly cuts?: readonly number[];
  readonly fma?: boolean;
  /** [a, b]: argument b is the memory of argument a. */
  readonly shared?: readonly [number, number];
}

/** The arguments after the kernel ran on copies of them. Throws when a guard byte changed. */
export function runKernel(kernel: Testable, args: readonly HostArray[], options: RunOptions = {}): HostArray[] {
  const { run, units, scratch, scratchBytes } = compileKernel(kernel, options.fma);
  const spots = args.map((values) => {
    const bytes = values.length * bytesPerElement(dtypeOf(values));
    const block = heap.alloc(bytes + 2 * guardBytes);
    const all = heap.view("bool", block, bytes + 2 * guardBytes);
    all.fill(guardByte);
    heap.view(dtypeOf(values), block + guardBytes, values.length).set(values);
    return { block, bytes, address: block + guardBytes };
  });
  const scratchBlock = heap.alloc(scratchBytes);
  scratch(scratchBlock);
  if (options.shared !== undefined) spots[options.shared[1]] = spots[options.shared[0]];
  const bounds = [0, ...(options.cuts ?? []).map((cut) => Math.floor(cut * units)).sort((a, b) => a - b), units];
  for (let i = 0; i + 1 < bounds.length; i++) {
    if (bounds[i] < bounds[i + 1]) run(...spots.map((spot) => spot.address), bounds[i], bounds[i + 1]);
  }
  const results = args.map((values, i) => heap.read(dtypeOf(values), spots[i].address, values.length));
  for (const { block, bytes } of new Set(spots)) {
    const all = heap.view("bool", block, bytes + 2 * guardBytes);
    for (let i = 0; i < guardBytes; i++) {
      if (all[i] !== guardByte || all[guardBytes + bytes + i] !== guardByte) throw new Error("a guard byte changed");
    }
    heap.release(block);
  }
  heap.release(scratchBlock);
  return results;
}

/** [kernel + 1, index, bound] of the last index out of range, and forgets it. */
export function takeError(): [number, number, number] | undefined {
  const at = errorAddress / 4;
  const [kernel, index, bound] = heap.words.subarray(at, at + 3);
  heap.words[at] = 0;
  return kernel === 0 ? undefined : [kernel, index, bound];
}

export function dtypeOf(values: HostArray): "f32" | "f64" | "i32" | "bool" {
  if (values instanceof Float32Array) return "f32";
  if (values instanceof Float64Array) return "f64";
  return values instanceof Int32Array ? "i32" : "bool";
}
