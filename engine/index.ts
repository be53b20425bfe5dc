// The public face of the engine.

import "./ops/methods.ts";

export { customGradient, type Gradients, type GradOptions, grad, jvp, noGrad, valueAndGrad, vjp } from "./autodiff.ts";
export { checkpoint } from "./checkpoint.ts";
export { type Compiled, compile, explain, type Tree } from "./compiled.ts";
export { type DType, type HostArray, isFloat, promote } from "./dtype.ts";
export * from "./errors.ts";
export {
  type Checkable,
  type Derivative,
  type GradcheckOptions,
  type GradcheckReport,
  gradcheck,
  gradgradcheck,
} from "./gradcheck.ts";
export { decodeNpy, encodeNpy } from "./io/npy.ts";
export { decodeNpz, encodeNpz } from "./io/npz.ts";
export { decodeSafetensors, encodeSafetensors, type SafeTensors } from "./io/safetensors.ts";
export { operation } from "./operation.ts";
export * from "./ops/activations.ts";
export * from "./ops/attention.ts";
export * from "./ops/conv.ts";
export * from "./ops/counting.ts";
export * from "./ops/create.ts";
export * from "./ops/cumulative.ts";
export * from "./ops/einsum.ts";
export * from "./ops/elementwise.ts";
export * from "./ops/fft.ts";
export * from "./ops/grouped.ts";
export * from "./ops/indexing.ts";
export * from "./ops/joining.ts";
export * from "./ops/linalg.ts";
export * from "./ops/movement.ts";
export * from "./ops/normalize.ts";
export type { Operand } from "./ops/operand.ts";
export * from "./ops/pool.ts";
export * from "./ops/random.ts";
export * from "./ops/rearrange.ts";
export * from "./ops/reduce.ts";
export * from "./ops/scan.ts";
export * from "./ops/selective-scan.ts";
export * from "./ops/slicing.ts";
export type { Padding, PerAxis } from "./ops/sliding.ts";
export * from "./ops/sorting.ts";
export type { TensorTree } from "./ops/tree.ts";
export { hashName, threefry2x32 } from "./random.ts";
export {
  type BackendName,
  type BackendOptions,
  type CacheStatistics,
  enableRelaxedSimd,
  type GpuInfo,
  type GpuMode,
  getBackend,
  getThreads,
  gpuInfo,
  programCache,
  setBackend,
  setThreads,
} from "./runtime/index.ts";
export { type ScatteredRows, scatteredRows } from "./scattered-rows.ts";
export { broadcastShapes, formatShape, type Shape, sameShape, sizeOf } from "./shape.ts";
export { leafTensor, type NestedArray, rootsOf, Tensor } from "./tensor.ts";
export { assign, assignAll } from "./update.ts";
