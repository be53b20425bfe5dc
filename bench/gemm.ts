// GFLOP/s of the WASM matrix product on one thread, next to what its micro-kernel reaches with all operands in L1.
// Run with `npx tsx bench/gemm.ts`, or `... mul-add` for the code of machines without relaxed FMA. Minima over
// interleaved repeats: each round runs everything once, so that a busy moment falls on all alike.

import v8 from "node:v8";
import { ModuleBuilder } from "../engine/backends/wasm/assembler/asm.ts";
import { emitGemm, gemmScratchBytes, gemmUnits } from "../engine/backends/wasm/gemm/gemm.ts";
import { fullTile, tileKernel } from "../engine/backends/wasm/gemm/kernel.ts";
import { lanesOf } from "../engine/backends/wasm/gemm/lanes.ts";
import type { ContractKernel } from "../engine/compile/ir.ts";

type Layout = "NN" | "NT" | "TN" | "TT";
type DType = ContractKernel["dtype"];

/** A batch of products of contiguous matrices, either of which may be stored transposed. */
function product(layout: Layout, m: number, k: number, n: number, batch = 1, dtype: DType = "f32"): ContractKernel {
  const [transposedA, transposedB] = [layout[0] === "T", layout[1] === "T"];
  const [a, b] = [
    { batch: [m * k], row: transposedA ? 1 : k, col: transposedA ? m : 1, offset: 0 },
    { batch: [k * n], row: transposedB ? 1 : n, col: transposedB ? k : 1, offset: 0 },
  ];
  const read = { dtype, mode: "read" } as const;
  return { kind: "contract", dtype, batch: [batch], m, n, k, a, b, args: [read, read, { dtype, mode: "write" }] };
}

const sizes = [64, 65, 100, 127, 128, 255, 256, 333, 511, 512, 777, 1000, 1024];
const squares = (["NN", "NT", "TN", "TT"] as const).flatMap((layout) => sizes.map((n) => product(layout, n, n, n)));
const typical = [
  product("NN", 128, 24, 32, 8),
  product("TN", 24, 128, 32, 8),
  product("NT", 128, 32, 24, 8),
  product("NN", 64, 8, 8, 64),
  product("NN", 128, 324, 32),
  product("NN", 64, 784, 256),
  product("TN", 784, 64, 256),
  product("NT", 64, 256, 784),
  product("NN", 1024, 128, 512),
  ...[1, 4, 8, 16, 32, 64].map((m) => product("NN", m, 512, 512)),
  ...[1, 8, 64].map((m) => product("NT", m, 512, 512)),
  product("NT", 128, 32, 128, 16),
  product("NN", 128, 128, 32, 16),
  product("NT", 1024, 512, 3),
  product("NN", 512, 1, 512),
  product("NN", 256, 256, 256, 1, "f64"),
  product("NN", 512, 512, 512, 1, "f64"),
];

interface Entry {
  readonly name: string;
  readonly flop: number;
  readonly run: () => void;
  best: number;
}

const wantsFma = !process.argv.includes("mul-add");
if (wantsFma) v8.setFlagsFromString("--experimental-wasm-relaxed-simd");
const fma = wantsFma && hasRelaxedFma();

function hasRelaxedFma(): boolean {
  const module = new ModuleBuilder();
  module.func("probe", ["v128"], ["v128"], (f) => f.get(0).get(0).get(0).op("f32x4.relaxed_madd"));
  return WebAssembly.validate(module.toBytes());
}

/** Entries for the ceilings and for all products, in one module over one memory. */
function compile(kernels: readonly ContractKernel[]): Entry[] {
  const megabyte = 1 << 20;
  const [scratch, a, b, c, end] = [1024, 8 * megabyte, 24 * megabyte, 40 * megabyte, 64 * megabyte];
  const module = new ModuleBuilder();
  module.importMemory("env", "memory", { min: end / 65536 });
  const ceilings = (["f32", "f64"] as const).map((dtype) => {
    const { rows, cols } = fullTile(dtype, fma);
    const index = tileKernel(module, { dtype, fma, rows, cols, a: "panel" });
    const { bytes } = lanesOf[dtype];
    const k = 256;
    const calls = 100;
    module.func(
      `ceiling_${dtype}`,
      ["i32"],
      [],
      (f) => {
        f.loop(() => {
          f.i32(a)
            .i32(0)
            .i32(rows * bytes);
          f.i32(b).i32(cols * bytes);
          f.i32(c)
            .i32(cols * bytes)
            .i32(k)
            .i32(0)
            .call(index);
          f.get(0).i32(1).op("i32.sub").tee(0).brIf(0);
        });
      },
      { export: true },
    );
    return {
      name: `ceiling ${dtype} ${rows}x${cols}`,
      export: `ceiling_${dtype}`,
      args: [calls],
      flop: 2 * rows * cols * k * calls,
    };
  });
  const products = kernels.map((kernel, i) => {
    if (gemmScratchBytes(kernel, { fma }) > a - scratch) throw new Error("the bench leaves too little scratch memory");
    const index = emitGemm(module, kernel, { fma, scratch: (f) => f.i32(scratch) });
    module.func(
      `gemm_${i}`,
      ["i32", "i32", "i32", "i32", "i32"],
      [],
      (f) => f.get(0).get(1).get(2).get(3).get(4).call(index),
      { export: true },
    );
    const { m, k, n, batch, dtype } = kernel;
    const layout = (kernel.a.row === 1 && m > 1 ? "T" : "N") + (kernel.b.row === 1 && n > 1 ? "T" : "N");
    return {
      name: `${dtype} ${layout} ${batch[0] > 1 ? `${batch[0]} of ` : ""}${m}x${k}x${n}`,
      export: `gemm_${i}`,
      args: [a, b, c, 0, gemmUnits(kernel, { fma })],
      flop: 2 * m * k * n * batch[0],
    };
  });
  const memory = new WebAssembly.Memory({ initial: end / 65536 });
  new Float32Array(memory.buffer).fill(0.5);
  const instance = new WebAssembly.Instance(new WebAssembly.Module(module.toBytes()), { env: { memory } });
  return [...ceilings, ...products].map(({ name, export: exported, args, flop }) => {
    const call = instance.exports[exported] as (...args: number[]) => void;
    const repeats = Math.ceil(2e6 / (flop + 1e4));
    const run = (): void => {
      for (let i = 0; i < repeats; i++) call(...args);
    };
    return { name, flop: flop * repeats, run, best: Number.POSITIVE_INFINITY };
  });
}

const entries = compile([...squares, ...typical]);
const timed = (entry: Entry): number => {
  const start = performance.now();
  entry.run();
  return performance.now() - start;
};
// Enough calls for V8 to put every kernel through its optimizing compiler, which works beside us.
for (const entry of entries) for (let spent = 0; spent < 30; ) spent += timed(entry);
await new Promise((resolve) => setTimeout(resolve, 100));
for (const start = performance.now(); performance.now() - start < 20_000; )
  for (const entry of entries) entry.best = Math.min(entry.best, timed(entry));

const gflops = (entry: Entry): number => entry.flop / entry.best / 1e6;
console.log(`one thread, ${fma ? "relaxed FMA" : "mul and add"}, GFLOP/s and share of the ceiling`);
for (const entry of entries) {
  const ceiling = entries[entry.name.includes("f64") ? 1 : 0];
  const share = ((100 * gflops(entry)) / gflops(ceiling)).toFixed(0);
  console.log(`${entry.name.padEnd(28)}${gflops(entry).toFixed(1).padStart(6)}${share.padStart(5)} %`);
}
