// All losses.

export * from "./classification.ts";
export * from "./divergence.ts";
export type { Reduction, ReductionOptions } from "./reduction.ts";
export * from "./regression.ts";
export * from "./si-sdr.ts";
export * from "./trades.ts";
