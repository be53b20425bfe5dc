// The arbitraries are in testing/ now; this file goes when nothing imports it.
export { sizeOf } from "../../engine/index.ts";
export * from "../../testing/index.ts";
