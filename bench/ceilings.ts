// The measured process of the machine's ceilings, on one thread: multiply-adds out of the L1 cache for workloads that
// compute, a copy for those that stream. `tsx bench/ceilings.ts`, started by the benchmark.

import { ModuleBuilder } from "../engine/backends/wasm/assembler/asm.ts";
import { enableRelaxedSimd } from "../engine/backends/wasm/assembler/features.ts";
import { fullTile, tileKernel } from "../engine/backends/wasm/gemm/kernel.ts";
import type { Job } from "./harness/protocol.ts";
import { serveWith } from "./harness/serve.ts";

const fma = enableRelaxedSimd();

/** About `flop` operations of the matrix product's micro-kernel on operands that stay in L1; ms are scaled to `flop`. */
function multiplyAdds(flop: number): Job {
  const module = new ModuleBuilder();
  module.importMemory("env", "memory", { min: 4 });
  const { rows, cols } = fullTile("f32", fma);
  const tile = tileKernel(module, { dtype: "f32", fma, rows, cols, a: "panel" });
  const [depth, a, b, c] = [256, 1024, 65536, 131072];
  const body = (f: Parameters<Parameters<ModuleBuilder["func"]>[3]>[0]): unknown =>
    f.loop(() => {
      f.i32(a)
        .i32(0)
        .i32(rows * 4);
      f.i32(b).i32(cols * 4);
      f.i32(c)
        .i32(cols * 4)
        .i32(depth)
        .i32(0)
        .call(tile);
      f.get(0).i32(1).op("i32.sub").tee(0).brIf(0);
    });
  module.func("peak", ["i32"], [], body as Parameters<ModuleBuilder["func"]>[3], { export: true });
  const memory = new WebAssembly.Memory({ initial: 4 });
  new Float32Array(memory.buffer).fill(0.5);
  const instance = new WebAssembly.Instance(new WebAssembly.Module(module.toBytes()), { env: { memory } });
  const peak = instance.exports.peak as (calls: number) => void;
  const calls = Math.max(1, Math.round(flop / (2 * rows * cols * depth)));
  return { run: () => peak(calls), result: () => [] };
}

/** A copy that moves `bytes` bytes, read and written ones counted alike. */
function copy(bytes: number): Job {
  const [from, to] = [new Uint8Array(bytes / 2).fill(1), new Uint8Array(bytes / 2).fill(2)];
  return { run: () => to.set(from), result: () => [] };
}

await serveWith(`${fma ? "relaxed FMA" : "mul + add"}; copy`, ({ flop, bytes }) => {
  if (flop !== undefined) return multiplyAdds(flop);
  return bytes === undefined ? undefined : copy(bytes);
});
