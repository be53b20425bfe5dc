// Runs one kernel of the IR on gpu.js, and small kernels to run.

import type { GpuBackend } from "../../../engine/backends/gpu/index.ts";
import type { Kernel, Program } from "../../../engine/compile/ir.ts";
import { type HostArray, hostArray } from "../../../engine/dtype.ts";
import { Storage } from "../../../engine/graph/storage.ts";

/** A program of one call whose last argument is the result. */
export function programOf(kernel: Kernel, lengths: readonly number[]): Program {
  const last = lengths.length - 1;
  return {
    buffers: kernel.args.map(({ dtype }, i) => ({ dtype, length: lengths[i], role: i === last ? "output" : "input" })),
    kernels: [kernel],
    calls: [{ kernel: 0, args: lengths.map((_, i) => i) }],
    inputs: lengths.slice(0, -1).map((_, i) => i),
    outputs: [last],
    copies: [],
    arena: { bytes: 0, offsets: lengths.map(() => undefined) },
  };
}

/** The result of a kernel over host arrays. */
export async function runKernel(
  backend: GpuBackend,
  kernel: Kernel,
  inputs: readonly ArrayLike<number>[],
  length: number,
): Promise<HostArray> {
  const storages = inputs.map((values, i) => {
    const host = hostArray(kernel.args[i].dtype, values.length);
    host.set(values);
    return new Storage(host instanceof Float32Array ? "f32" : kernel.args[i].dtype, values.length, host);
  });
  const output = new Storage(kernel.args[inputs.length].dtype, length);
  const lengths = [...inputs.map((values) => values.length), length];
  await backend.instantiate(programOf(kernel, lengths)).run(storages, [output]);
  return (await output.device?.read()) ?? hostArray(output.dtype, 0);
}
