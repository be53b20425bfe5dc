// What generated loop kernels reach on this machine, beside the ceilings measured by hand-written ones: run it with
// `npx tsx bench/wasm-kernels.ts [--fma] [name...]`. Best of many repeats; one thread.

import v8 from "node:v8";
import type { FunctionBuilder } from "../engine/backends/wasm/assembler/asm.ts";
import { emitLoop, loopUnits } from "../engine/backends/wasm/loops/loop.ts";
import { Heap } from "../engine/backends/wasm/memory/heap.ts";
import { Env } from "../engine/backends/wasm/vector/env.ts";
import type { Instr, LoopKernel, ScalarFn, Stage } from "../engine/compile/ir.ts";
import { type Access, identityAccess } from "../engine/compile/view.ts";
import { sizeOf } from "../engine/shape.ts";

const names = process.argv.slice(2).filter((arg) => arg !== "--fma");
if (process.argv.includes("--fma")) v8.setFlagsFromString("--experimental-wasm-relaxed-simd");
const heap = new Heap();

/** Milliseconds of one run, the least of many. */
function measure(kernel: LoopKernel, lengths: readonly number[], positive = false): number {
  const env = new Env(heap);
  const index = emitLoop(env, kernel, "loop");
  const params = [...kernel.args.map(() => "i32" as const), "i32" as const, "i32" as const];
  const pass = (f: FunctionBuilder) => {
    for (let i = 0; i < params.length; i++) f.get(i);
    f.call(index);
  };
  env.module.func("run", params, [], pass, { export: true });
  env.module.func("scratch", ["i32"], [], (f) => f.get(0).globalSet(env.scratchGlobal), { export: true });
  const { exports } = env.instantiate();
  const run = exports.run as (...args: number[]) => void;
  (exports.scratch as (address: number) => void)(heap.alloc(env.scratchBytes));
  const units = loopUnits(kernel);
  const addresses = lengths.map((length) => {
    const address = heap.alloc(length * 4);
    heap
      .view("f32", address, length)
      .set(Float32Array.from({ length }, (_, i) => (((i * 7919) % 2001) - (positive ? -1 : 1000)) / 250));
    return address;
  });
  let best = Number.POSITIVE_INFINITY;
  let repeats = 1;
  for (const end = performance.now() + 700; performance.now() < end; ) {
    const start = performance.now();
    for (let i = 0; i < repeats; i++) run(...addresses, 0, units);
    const time = (performance.now() - start) / repeats;
    best = Math.min(best, time);
    repeats = Math.max(1, Math.min(1000, Math.round(2 / time)));
  }
  for (const address of addresses) heap.release(address);
  return best;
}

const load = (arg: number, access: Access): Instr => ({ op: "load", dtype: "f32", arg, access, fill: 0 });
const value = (number: number): Instr => ({ op: "const", dtype: "f32", value: number });
const apply = (fn: ScalarFn, ...args: number[]): Instr => ({ op: "apply", dtype: "f32", fn, args });
const register = (number: number): Instr => ({ op: "register", dtype: "f32", register: number });

interface Parts extends Partial<Pick<Stage, "stores" | "folds" | "keeps">> {
  readonly over?: Stage["over"];
  readonly instrs: readonly Instr[];
}
const stage = ({ over = "row", instrs, stores = [], folds = [], keeps = [] }: Parts): Stage => ({
  over,
  instrs,
  stores,
  folds,
  keeps,
});

function kernel(
  axes: readonly number[],
  outer: number,
  lanes: "row" | "outer",
  args: string,
  registers: number,
  ...stages: Stage[]
): LoopKernel {
  const modes = { r: "read", w: "write", u: "readwrite" } as const;
  return {
    kind: "loop",
    axes,
    outer,
    lanes,
    stages,
    args: [...args].map((mode) => ({ dtype: "f32", mode: modes[mode as keyof typeof modes] })),
    registers: new Array(registers).fill("f32"),
  };
}

const million = 2 ** 20;
const flat = (n: number) => identityAccess([n]);
/** One input, one output, a chain of instructions on instruction 0. */
const map = (n: number, ...chain: Instr[]): LoopKernel =>
  kernel(
    [n],
    0,
    "row",
    "rw",
    0,
    stage({ instrs: [load(0, flat(n)), ...chain], stores: [{ arg: 1, access: flat(n), value: chain.length }] }),
  );

/** Measures and prints; `time` is called only for names asked for. `bytes` 0: in milliseconds. */
function report(name: string, bytes: number, ceiling: string, time: () => number): void {
  if (names.length > 0 && !names.some((part) => name.includes(part))) return;
  const [value, unit] = bytes === 0 ? [time(), "ms"] : [bytes / time() / 1e6, "GB/s"];
  console.log(`${name.padEnd(34)} ${value.toFixed(3).padStart(9)} ${unit.padEnd(5)} ceiling ${ceiling}`);
}

const chains: [string, Instr[], string][] = [
  ["exp", [apply("exp", 0)], "0.85 / 0.56"],
  ["log", [apply("log", 0)], "0.90 / 0.66"],
  ["tanh", [apply("tanh", 0)], "1.62 / 1.19"],
  ["sigmoid", [apply("sigmoid", 0)], "1.33 / 0.95"],
  ["erf", [apply("erf", 0)], "2.0 / 1.38"],
  [
    "gelu (erf)",
    [
      value(0.5),
      value(Math.SQRT1_2),
      value(1),
      apply("mul", 0, 2),
      apply("erf", 4),
      apply("add", 3, 5),
      apply("mul", 0, 1),
      apply("mul", 7, 6),
    ],
    "2.2 / 1.55",
  ],
  ["silu", [apply("sigmoid", 0), apply("mul", 0, 1)], "1.4 / 1.0"],
  ["relu", [value(0), apply("maximum", 0, 1)], "0.1"],
  ["sin", [apply("sin", 0)], "-"],
  ["expm1", [apply("expm1", 0)], "-"],
  ["log1p", [apply("log1p", 0)], "-"],
];
for (const [name, chain, ceiling] of chains)
  report(`${name} 2^20`, 0, `${ceiling} ms`, () =>
    measure(map(million, ...chain), [million, million], name.startsWith("log")),
  );
const powKernel = (n: number) =>
  kernel(
    [n],
    0,
    "row",
    "rrw",
    0,
    stage({
      instrs: [load(0, flat(n)), load(1, flat(n)), apply("abs", 0), apply("pow", 2, 1)],
      stores: [{ arg: 2, access: flat(n), value: 3 }],
    }),
  );
report("pow 2^20", 0, "-", () => measure(powKernel(million), [million, million, million]));

for (const n of [2048, 65536, 524288, 4 * million]) {
  const add = kernel(
    [n],
    0,
    "row",
    "rrw",
    0,
    stage({
      instrs: [load(0, flat(n)), load(1, flat(n)), apply("add", 0, 1)],
      stores: [{ arg: 2, access: flat(n), value: 2 }],
    }),
  );
  report(`a + b, ${(n * 4) / 1024} KB`, n * 12, "132 | 142 | 87 | 62", () => measure(add, [n, n, n]));
}

const side = 1024;
const square = identityAccess([side, side]);
const transposed: Access = [{ shape: [side, side], strides: [1, side], offset: 0 }];
const point = flat(side);
const fold = (op: "sum" | "max", access: Access, lanes: "row" | "outer") =>
  kernel(
    [side, side],
    1,
    lanes,
    "rw",
    1,
    stage({ instrs: [load(0, access)], folds: [{ op, value: 0, register: 0 }] }),
    stage({ over: "point", instrs: [register(0)], stores: [{ arg: 1, access: point, value: 0 }] }),
  );
const folded = (name: string, k: LoopKernel) =>
  report(`${name} 1024^2`, side * side * 4, "~90", () => measure(k, [side * side, side]));
folded("row sums", fold("sum", square, "row"));
folded("row max", fold("max", square, "row"));
folded("column sums", fold("sum", transposed, "outer"));
folded("column max", fold("max", transposed, "outer"));

const softmax = kernel(
  [side, side],
  1,
  "row",
  "ru",
  3,
  stage({ instrs: [load(0, square)], folds: [{ op: "max", value: 0, register: 0 }] }),
  stage({
    instrs: [load(0, square), register(0), apply("sub", 0, 1), apply("exp", 2)],
    stores: [{ arg: 1, access: square, value: 3 }],
    folds: [{ op: "sum", value: 3, register: 1 }],
  }),
  stage({ over: "point", instrs: [register(1), value(1), apply("div", 1, 0)], keeps: [{ value: 2, register: 2 }] }),
  stage({ instrs: [load(1, square), register(2), apply("mul", 0, 1)], stores: [{ arg: 1, access: square, value: 2 }] }),
);
report("softmax 1024^2", 0, "1.43 / 1.04 ms", () => measure(softmax, [sizeOf([side, side]), side * side]));

const layerNorm = kernel(
  [side, side],
  1,
  "row",
  "rrrw",
  4,
  stage({ instrs: [load(0, square)], folds: [{ op: "sum", value: 0, register: 0 }] }),
  stage({
    over: "point",
    instrs: [register(0), value(1 / side), apply("mul", 0, 1)],
    keeps: [{ value: 2, register: 1 }],
  }),
  stage({
    instrs: [load(0, square), register(1), apply("sub", 0, 1), apply("mul", 2, 2)],
    folds: [{ op: "sum", value: 3, register: 2 }],
  }),
  stage({
    over: "point",
    instrs: [register(2), value(1 / side), apply("mul", 0, 1), value(1e-5), apply("add", 2, 3), apply("rsqrt", 4)],
    keeps: [{ value: 5, register: 3 }],
  }),
  stage({
    instrs: [
      load(0, square),
      register(1),
      apply("sub", 0, 1),
      register(3),
      apply("mul", 2, 3),
      load(1, [{ shape: [side, side], strides: [0, 1], offset: 0 }]),
      apply("mul", 4, 5),
      load(2, [{ shape: [side, side], strides: [0, 1], offset: 0 }]),
      apply("add", 6, 7),
    ],
    stores: [{ arg: 3, access: square, value: 8 }],
  }),
);
report("layer norm 1024^2", 0, "0.405 / 0.36 ms", () => measure(layerNorm, [side * side, side, side, side * side]));

const copy = (access: Access) =>
  kernel(
    [side, side],
    0,
    "row",
    "rw",
    0,
    stage({ instrs: [load(0, access)], stores: [{ arg: 1, access: square, value: 0 }] }),
  );
report("transpose 1024^2", 0, "-", () => measure(copy(transposed), [side * side, side * side]));
report("flip 1024^2", 0, "-", () =>
  measure(copy([{ shape: [side, side], strides: [side, -1], offset: side - 1 }]), [side * side, side * side]),
);
const half = (offset: number): Access => [{ shape: [side, side / 2], strides: [side, 2], offset }];
const even = kernel(
  [side, side / 2],
  0,
  "row",
  "rw",
  0,
  stage({
    instrs: [load(0, half(0)), load(0, half(1)), apply("add", 0, 1)],
    stores: [{ arg: 1, access: identityAccess([side, side / 2]), value: 2 }],
  }),
);
report("even + odd columns 1024^2", 0, "-", () => measure(even, [side * side, side * side]));
const padded: Access = [
  {
    shape: [side, side],
    strides: [side - 2, 1],
    offset: 1 - side,
    mask: [
      [1, side - 1],
      [1, side - 1],
    ],
  },
];
report("pad 1022^2 by 1", 0, "-", () => measure(copy(padded), [side * side, side * side]));
const bias = kernel(
  [side, side],
  0,
  "row",
  "rrw",
  0,
  stage({
    instrs: [load(0, square), load(1, [{ shape: [side, side], strides: [0, 1], offset: 0 }]), apply("add", 0, 1)],
    stores: [{ arg: 2, access: square, value: 2 }],
  }),
);
report("bias 1024^2", side * side * 8, "~90", () => measure(bias, [side * side, side, side * side]));
