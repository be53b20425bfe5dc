// Which backend evaluates graphs now.

import type { Backend } from "../backends/backend.ts";
import { referenceBackend } from "../backends/reference/index.ts";
import { wasmBackend } from "../backends/wasm/index.ts";
import { ArgumentError } from "../errors.ts";
import { programCache } from "./cache.ts";

export type BackendName = "wasm" | "reference";

const makers: Record<BackendName, () => Backend> = { wasm: wasmBackend, reference: referenceBackend };

let current: Backend | undefined;
let wantedThreads: number | undefined;

function make(name: BackendName): Backend {
  const made = makers[name]();
  if (wantedThreads !== undefined) made.threads = wantedThreads;
  return made;
}

/** The backend in use; `wasm` until another is chosen. Made at first use, so that importing has no effect. */
export function backend(): Backend {
  current ??= make("wasm");
  return current;
}

/**
 * Chooses the backend that evaluates from now on: "wasm" (SIMD, the default) or "reference" (naive f64, slow, the
 * oracle). Values that are already known stay known.
 */
export async function setBackend(name: BackendName): Promise<void> {
  if (!Object.hasOwn(makers, name)) {
    throw new ArgumentError("setBackend", `unknown backend "${name}"; there are ${Object.keys(makers).join(", ")}`);
  }
  if (current?.name === name) return;
  programCache.clear();
  current = make(name);
}

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
