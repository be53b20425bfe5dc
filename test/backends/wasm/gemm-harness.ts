// Runs products on the WASM code generator with operands at the edge of memory, and says what they should have been.

import v8 from "node:v8";
import { ModuleBuilder } from "../../../engine/backends/wasm/assembler/asm.ts";
import { type GemmEnv, scratchBytes } from "../../../engine/backends/wasm/gemm/drive.ts";
import { emitPlan, planUnits } from "../../../engine/backends/wasm/gemm/gemm.ts";
import { type Plan, planGemm } from "../../../engine/backends/wasm/gemm/plan.ts";
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
const scratchAt = 64;
/** What lies around C before and after: any change is a stray write. */
const guard = { bytes: 256, byte: 0xa5 };
/** Around the operands lies what would show in any result it got into. */
const poison = 0xff;

export interface Task {
  readonly dtype: "f32" | "f64";
  readonly inputs: readonly (Floats | Int32Array)[];
  readonly length: number;
  readonly scratch: number;
  readonly units: number;
  /** Which of inputs and output ends where memory ends: a read beyond it traps. */
  readonly last?: number;
  /** The unit ranges to compute, one after the other (default: all at once). */
  readonly pieces?: (units: number) => readonly (readonly [number, number])[];
  /** Index of a function (inputs..., output, lo, hi). */
  readonly emit: (module: ModuleBuilder, scratch: GemmEnv["scratch"]) => number;
}

export interface Outcome {
  readonly c: Floats;
  readonly strayWrites: boolean;
}

/** Places the operands in a fresh memory, compiles the code and runs it. */
export function execute({ dtype, inputs, length, scratch, units, last, pieces, emit }: Task): Outcome {
  const sizes = [...inputs.map((input) => input.byteLength), length * bytesPerElement(dtype)];
  let end = scratchAt + scratch;
  const addresses = sizes.map((size, i) => {
    if (i === last) return 0;
    const at = end + guard.bytes;
    end = at + Math.ceil(size / 16) * 16 + guard.bytes;
    return at;
  });
  const pages = Math.ceil((end + guard.bytes + 16 + (last === undefined ? 0 : sizes[last])) / pageBytes);
  if (last !== undefined) addresses[last] = pages * pageBytes - sizes[last];
  const output = addresses[inputs.length];
  const outputEnd = output + sizes[inputs.length];

  const module = new ModuleBuilder();
  module.importMemory("env", "memory", { min: pages });
  const index = emit(module, (f) => f.i32(scratchAt));
  module.func(
    "run",
    new Array(sizes.length + 2).fill("i32"),
    [],
    (f) => {
      for (let i = 0; i < sizes.length + 2; i++) f.get(i);
      f.call(index);
    },
    { export: true },
  );
  const memory = new WebAssembly.Memory({ initial: pages });
  const bytes = new Uint8Array(memory.buffer).fill(poison);
  bytes.fill(guard.byte, output - guard.bytes, outputEnd + guard.bytes);
  inputs.forEach((input, i) => {
    bytes.set(new Uint8Array(input.buffer, input.byteOffset, input.byteLength), addresses[i]);
  });
  const before = bytes.slice();
  const instance = new WebAssembly.Instance(new WebAssembly.Module(module.toBytes()), { env: { memory } });
  const compute = instance.exports.run as (...args: number[]) => void;
  for (const [lo, hi] of pieces?.(units) ?? [[0, units]]) compute(...addresses, lo, hi);

  const ours = (i: number): boolean => (i >= scratchAt && i < scratchAt + scratch) || (i >= output && i < outputEnd);
  const strayWrites = bytes.some((byte, i) => byte !== before[i] && !ours(i));
  return { c: (hostView(dtype, memory.buffer, output, length) as Floats).slice(), strayWrites };
}

interface RunOptions extends Pick<Task, "last" | "pieces"> {
  readonly fma: boolean;
  readonly plan?: Plan;
  readonly finish?: GemmEnv["finish"];
}

/** Computes a product as the planner decides, or by a plan that is given. */
export function run(
  { kernel, a, b }: Problem,
  { fma, plan = planGemm(kernel, fma), finish, ...rest }: RunOptions,
): Outcome {
  const bytes = scratchBytes(plan);
  return execute({
    ...rest,
    dtype: kernel.dtype,
    inputs: [a, b],
    length: kernel.batch.reduce((product, side) => product * side, kernel.m * kernel.n),
    scratch: bytes.a + bytes.b,
    units: planUnits(plan),
    emit: (module, scratch) => emitPlan(module, plan, { fma, scratch, finish }),
  });
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
