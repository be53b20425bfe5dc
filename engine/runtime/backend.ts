// Which backend evaluates graphs now.

import type { Backend } from "../backends/backend.ts";
import type { GpuBackend, GpuInfo, GpuMode } from "../backends/gpu/index.ts";
import { referenceBackend } from "../backends/reference/index.ts";
import { wasmBackend } from "../backends/wasm/index.ts";
import { ArgumentError } from "../errors.ts";
import { programCache } from "./cache.ts";

export type BackendName = "wasm" | "reference" | "gpu";

export interface BackendOptions {
  /**
   * For "gpu": how gpu.js computes. "auto" (the default) takes a real GPU, through WebGPU or WebGL2, or refuses; the
   * others are taken at their word, "webasm" and "cpu" being for tests.
   */
  readonly mode?: GpuMode;
}

const makers = { wasm: wasmBackend, reference: referenceBackend };

let current: Backend | undefined;
let gpu: GpuBackend | undefined;
let changes = 0;
let wantedThreads: number | undefined;

function make(name: keyof typeof makers): Backend {
  const made = makers[name]();
  if (wantedThreads !== undefined) made.threads = wantedThreads;
  return made;
}

/** The backend in use; `wasm` until another is chosen. Made at first use, so that importing has no effect. */
export function backend(): Backend {
  current ??= make("wasm");
  return current;
}

/** A number that is another one whenever another backend was chosen: what is compiled belongs to one backend. */
export const backendEpoch = (): number => changes;

/**
 * Chooses the backend that evaluates from now on: "wasm" (SIMD, the default), "gpu" (gpu.js, loaded only now) or
 * "reference" (naive f64, slow, the oracle). Values that are already known stay known.
 */
export async function setBackend(name: BackendName, options: BackendOptions = {}): Promise<void> {
  const names = [...Object.keys(makers), "gpu"];
  if (!names.includes(name)) {
    throw new ArgumentError("setBackend", `unknown backend "${name}"; there are ${names.join(", ")}`);
  }
  if (name !== "gpu" && options.mode !== undefined) {
    throw new ArgumentError("setBackend", `only the backend "gpu" has modes, "${name}" has none`);
  }
  if (current?.name === name && name !== "gpu") return;
  // The code generator is loaded late too: who computes on the CPU never has it.
  const next = name === "gpu" ? await (await import("../backends/gpu/index.ts")).gpuBackend(options.mode) : make(name);
  await current?.leave?.();
  programCache.clear();
  gpu = name === "gpu" ? (next as GpuBackend) : undefined;
  current = next;
  changes += 1;
}

/** What the backend "gpu" runs on and has done so far; undefined while another backend is in use. */
export const gpuInfo = (): GpuInfo | undefined => gpu?.info;

/**
 * How many threads compute from now on (default: the number of cores). Results are the same bit for bit whatever it
 * is. Where there are no threads (a page that is not cross-origin isolated, the reference backend) it stays 1.
 */
export function setThreads(threads: number): void {
  if (!Number.isInteger(threads) || threads < 1) {
    throw new ArgumentError("setThreads", `needs a whole number of at least 1, got ${threads}`);
  }
  wantedThreads = threads;
  if (current !== undefined) current.threads = threads;
}

/** How many threads may compute. */
export const getThreads = (): number => backend().threads;

/** The name of the backend in use. */
export const getBackend = (): string => backend().name;
