// Where Chromium is, and how it is started so that WebGPU and WebGL run without a GPU.

import { existsSync } from "node:fs";
import { type Browser, chromium } from "playwright-core";

const executablePath = "/usr/bin/chromium";

/** Why there is no browser here, or undefined where there is one. */
export const missing: string | undefined = existsSync(executablePath)
  ? undefined
  : `there is no ${executablePath} (Debian: apt-get install chromium)`;

const args = [
  ...["--no-sandbox", "--no-first-run", "--disable-quic", "--disable-sync"],
  ...["--disable-background-networking", "--disable-component-update"],
  // The software GPU, for WebGPU and for WebGL.
  ...["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader", "--enable-features=Vulkan"],
  ...["--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist"],
];

/** Starts headless Chromium; both GPU interfaces are computed by its software adapter. */
export const launch = (): Promise<Browser> => chromium.launch({ executablePath, headless: true, args });
