// The runtime's public face.

export { type BackendName, backend, getBackend, setBackend } from "./backend.ts";
export { type CacheStatistics, programCache } from "./cache.ts";
