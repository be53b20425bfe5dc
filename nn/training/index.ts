// The training kit.

export * from "./early-stopping.ts";
export * from "./fit.ts";
export * from "./loader.ts";
export * from "./metrics.ts";
export * from "./prefetch.ts";
export * from "./ranking.ts";
export * from "./reports.ts";
export * from "./worker-dataset.ts";
