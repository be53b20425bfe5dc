// The runtime's public face.

export { type BackendName, backend, getBackend, getThreads, setBackend, setThreads } from "./backend.ts";
export { type CacheStatistics, programCache } from "./cache.ts";
