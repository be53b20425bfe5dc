// The training kit.

export * from "./early-stopping.ts";
export * from "./fit.ts";
export * from "./loader.ts";
export * from "./metrics.ts";
export * from "./ranking.ts";
