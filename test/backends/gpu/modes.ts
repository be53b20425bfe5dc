// Which modes of gpu.js the tests run in: the two that run anywhere, and WebGPU where a driver can be had.

import { existsSync } from "node:fs";
import type { GpuMode } from "../../../engine/index.ts";

/** The software GPU that comes with Debian's Chromium: Dawn finds it by this variable. */
const softwareDriver = "/usr/lib/chromium/vk_swiftshader_icd.json";

async function webgpuProblem(): Promise<string | undefined> {
  if (process.env.VK_DRIVER_FILES === undefined && existsSync(softwareDriver)) {
    process.env.VK_DRIVER_FILES = softwareDriver;
  }
  const { findAdapter } = await import("../../../engine/backends/gpu/library.ts");
  const adapter = await findAdapter();
  return typeof adapter === "string" ? adapter : undefined;
}

const problem = await webgpuProblem();
if (problem !== undefined) {
  console.log(`mode webgpu is not tested: ${problem} (Debian: apt-get install chromium libvulkan1)`);
}

export const modes: readonly Exclude<GpuMode, "auto">[] = [
  "cpu",
  "webasm",
  ...(problem === undefined ? (["webgpu"] as const) : []),
];
