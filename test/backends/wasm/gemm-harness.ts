// Runs products on the WASM code generator with operands at the edge of memory, and says what they should have been.

import v8 from "node:v8";
import { ModuleBuilder } from "../../../engine/backends/wasm/asm.ts";
import { emitPlan, planUnits } from "../../../engine/backends/wasm/gemm.ts";
import { type GemmEnv, scratchBytes } from "../../../engine/backends/wasm/gemm-drive.ts";
import { type Plan, planGemm } from "../../../engine/backends/wasm/gemm-plan.ts";
import type { ContractKernel, MatrixAccess } from "../../../engine/compile/ir.ts";
import { bytesPerElement, hostView } from "../../../engine/dtype.ts";

export type Floats = Float32Array | Float64Array;

/** Whether relaxed FMA compiles here: off by default in Node 20, so asked for before the first module is compiled. */
export const hasFma = ((): boolean => {
  v8.setFlagsFromString("--experimental-wasm-relaxed-simd");
  const module = new ModuleBuilder();
  module.func("probe", ["v128"], ["v128"], (f) => f.get(0).get(0).get(0).op("f32x4.relaxed_madd"));
  return WebAssembly.validate(module.toBytes());
})();

/** Smallest and largest position that an operand of these sides touches; undefined if it touches none. */
export function extent(access: MatrixAccess, batch: readonly number[], rows: number, cols: number): [number, number] {
  let [low, high] = [access.offset, access.offset];
  const strides = [...access.batch, access.row, access.col];
  [...batch, rows, cols].forEach((side, i) => {
    const reach = Math.max(0, side - 1) * strides[i];
    if (reach < 0) low += reach;
    else high += reach;
  });
  return [low, high];
}

export interface Problem {
  readonly kernel: ContractKernel;
  readonly a: Floats;
  readonly b: Floats;
}

const pageBytes = 65536;
/** What lies around C before and after: any change is a stray write. */
const guard = { bytes: 256, byte: 0xa5 };
/** Around the operands lies what would show in any result it got into. */
const poison = 0xff;

export interface Run {
  readonly c: Floats;
  readonly strayWrites: boolean;
}

/** Computes the product, the units in the given pieces; the operand named `last` ends where memory ends. */
export function run(
  { kernel, a, b }: Problem,
  options: {
    readonly fma: boolean;
    readonly last?: "a" | "b" | "c";
    readonly plan?: Plan;
    readonly pieces?: (units: number) => readonly (readonly [number, number])[];
    readonly finish?: GemmEnv["finish"];
  },
): Run {
  const plan = options.plan ?? planGemm(kernel, options.fma);
  const size = bytesPerElement(kernel.dtype);
  const lengthC = kernel.batch.reduce((product, side) => product * side, kernel.m * kernel.n);
  const lengths = { a: a.length * size, b: b.length * size, c: lengthC * size };
  const scratch = scratchBytes(plan).a + scratchBytes(plan).b;
  let at = 64 + scratch;
  const addresses = { a: 0, b: 0, c: 0 };
  const order = (["a", "b", "c"] as const).filter((name) => name !== options.last);
  for (const name of order) {
    addresses[name] = at + guard.bytes;
    at = addresses[name] + Math.ceil(lengths[name] / 16) * 16 + guard.bytes;
  }
  const last = options.last;
  const pages = Math.ceil((at + guard.bytes + 16 + (last === undefined ? 0 : lengths[last])) / pageBytes);
  if (last !== undefined) addresses[last] = pages * pageBytes - lengths[last];

  const module = new ModuleBuilder();
  module.importMemory("env", "memory", { min: pages });
  const index = emitPlan(module, plan, { fma: options.fma, scratch: (f) => f.i32(64), finish: options.finish });
  module.func("run", new Array(5).fill("i32"), [], (f) => f.get(0).get(1).get(2).get(3).get(4).call(index), {
    export: true,
  });
  const memory = new WebAssembly.Memory({ initial: pages });
  const bytes = new Uint8Array(memory.buffer).fill(poison);
  bytes.fill(guard.byte, Math.max(0, addresses.c - guard.bytes), addresses.c + lengths.c + guard.bytes);
  (hostView(kernel.dtype, memory.buffer, addresses.a, a.length) as Floats).set(a);
  (hostView(kernel.dtype, memory.buffer, addresses.b, b.length) as Floats).set(b);
  const before = bytes.slice();

  const instance = new WebAssembly.Instance(new WebAssembly.Module(module.toBytes()), { env: { memory } });
  const compute = instance.exports.run as (a: number, b: number, c: number, lo: number, hi: number) => void;
  const units = planUnits(plan);
  for (const [lo, hi] of options.pieces?.(units) ?? [[0, units]])
    compute(addresses.a, addresses.b, addresses.c, lo, hi);

  const ours = (i: number): boolean =>
    (i >= 64 && i < 64 + scratch) || (i >= addresses.c && i < addresses.c + lengths.c);
  const strayWrites = bytes.some((byte, i) => byte !== before[i] && !ours(i));
  return { c: (hostView(kernel.dtype, memory.buffer, addresses.c, lengthC) as Floats).slice(), strayWrites };
}

/** The product by three loops in f64, and the bound of any order of summation: sum |a||b| for each element. */
export function reference({ kernel, a, b }: Problem): { readonly c: Float64Array; readonly magnitude: Float64Array } {
  const { batch, m, n, k } = kernel;
  const count = batch.reduce((product, side) => product * side, 1);
  const c = new Float64Array(count * m * n);
  const magnitude = new Float64Array(c.length);
  let at = 0;
  for (let element = 0; element < count; element++) {
    let [rest, baseA, baseB] = [element, kernel.a.offset, kernel.b.offset];
    for (let axis = batch.length - 1; axis >= 0; axis--) {
      const index = rest % batch[axis];
      rest = Math.floor(rest / batch[axis]);
      baseA += index * kernel.a.batch[axis];
      baseB += index * kernel.b.batch[axis];
    }
    for (let i = 0; i < m; i++)
      for (let j = 0; j < n; j++, at++)
        for (let l = 0; l < k; l++) {
          const product =
            a[baseA + i * kernel.a.row + l * kernel.a.col] * b[baseB + l * kernel.b.row + j * kernel.b.col];
          c[at] += product;
          magnitude[at] += Math.abs(product);
        }
  }
  return { c, magnitude };
}
