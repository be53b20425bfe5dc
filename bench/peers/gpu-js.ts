// The measured process of gpu.js without a GPU: `gpu-js.ts 1 <webasm|cpu>`. Kernels as its documentation writes them;
// it has no reductions and no gradients of its own, so only maps and textbook products are here.

import { readFileSync } from "node:fs";
import { GPU } from "gpu.js";
import type { Build, Builders } from "../harness/protocol.ts";
import { serve } from "../harness/serve.ts";

const mode = process.argv[3] === "cpu" ? "cpu" : "webasm";
const gpu = new GPU({ mode: mode as "cpu" });

/** One thread an element of a flat f32 array. `source` computes `y` from `v`. */
const map =
  (source: string): Build =>
  ({ x }) => {
    const kernel = gpu.createKernel(`function (x) { const v = x[this.thread.x]; ${source} }`, {
      output: [x.data.length],
    });
    const run = (): Float32Array => kernel(x.data as Float32Array) as Float32Array;
    return { run, result: run, release: () => void kernel.destroy() };
  };

const builders: Builders = {
  exp: map("return Math.exp(v);"),
  log: map("return Math.log(v);"),
  tanh: map("return Math.tanh(v);"),
  sigmoid: map("return 1 / (1 + Math.exp(-v));"),
  silu: map("return v / (1 + Math.exp(-v));"),
  sum: ({ x }, { axes }) => {
    if (axes === "both") return undefined;
    const [n] = x.shape;
    const at = axes === "last" ? `this.thread.x * ${n} + i` : `i * ${n} + this.thread.x`;
    const source = `function (x) { let s = 0; for (let i = 0; i < ${n}; i++) { s += x[${at}]; } return s; }`;
    const kernel = gpu.createKernel(source, { output: [n] });
    const run = (): Float32Array => kernel(x.data as Float32Array) as Float32Array;
    return { run, result: run, release: () => void kernel.destroy() };
  },
  matmul: ({ a, b }, { transposeA, transposeB, backward }) => {
    const [n] = a.shape;
    if (backward || [...a.shape, ...b.shape].some((side) => side !== n)) return undefined;
    const left = transposeA ? `k * ${n} + this.thread.y` : `this.thread.y * ${n} + k`;
    const right = transposeB ? `this.thread.x * ${n} + k` : `k * ${n} + this.thread.x`;
    const body = `let s = 0; for (let k = 0; k < ${n}; k++) { s += a[${left}] * b[${right}]; } return s;`;
    const kernel = gpu.createKernel(`function (a, b) { ${body} }`, { output: [n, n] });
    const run = (): Float32Array[] => kernel(a.data as Float32Array, b.data as Float32Array) as Float32Array[];
    return {
      run,
      result: () => run().flatMap((row) => Array.from(row)),
      release: () => void kernel.destroy(),
    };
  },
};

const manifest = new URL("node_modules/gpu.js/package.json", import.meta.url);
const { version } = JSON.parse(readFileSync(manifest, "utf8")) as { version: string };
await serve(`${version}, ${mode}`, builders);
