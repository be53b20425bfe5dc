// The runtime's public face.

export type { GpuInfo, GpuMode } from "../backends/gpu/index.ts";
export { enableRelaxedSimd } from "../backends/wasm/assembler/features.ts";
export {
  type BackendName,
  type BackendOptions,
  backend,
  getBackend,
  getThreads,
  gpuInfo,
  setBackend,
  setThreads,
} from "./backend.ts";
export { type CacheStatistics, programCache } from "./cache.ts";
