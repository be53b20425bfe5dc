// Selective scans -> kernels.

import { chunkOf, groupChannels, type SelectiveSizes, selectiveSizes } from "../primitives/index.ts";
import type { KernelArg, SelectiveKernel } from "./ir.ts";
import type { Vertex } from "./vertex.ts";

/** `borders`: whether somebody reads the border states. */
export function selectiveKernel(v: Vertex, results: number, borders: boolean): SelectiveKernel {
  const sizes: SelectiveSizes = selectiveSizes(v.inputs);
  const dtype = v.dtype as SelectiveKernel["dtype"];
  const argument = (mode: KernelArg["mode"]): KernelArg => ({ dtype, mode });
  return {
    kind: "selective",
    gradient: v.op === "selectiveScanGrad",
    dtype,
    ...sizes,
    chunk: chunkOf(sizes.states),
    group: groupChannels,
    borders,
    args: [...v.inputs.map(() => argument("read")), ...Array.from({ length: results }, () => argument("write"))],
  };
}
