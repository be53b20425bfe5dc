// Which backend evaluates graphs now.

import type { Backend } from "../backends/backend.ts";
import { referenceBackend } from "../backends/reference/index.ts";
import { wasmBackend } from "../backends/wasm/index.ts";
import { ArgumentError } from "../errors.ts";
import { programCache } from "./cache.ts";

export type BackendName = "wasm" | "reference";

const makers: Record<BackendName, () => Backend> = { wasm: wasmBackend, reference: referenceBackend };

let current: Backend | undefined;

/** The backend in use; `wasm` until another is chosen. Made at first use, so that importing has no effect. */
export function backend(): Backend {
  current ??= makers.wasm();
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
  current = makers[name]();
}

/** The name of the backend in use. */
export const getBackend = (): string => backend().name;
