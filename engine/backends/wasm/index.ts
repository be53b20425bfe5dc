// The WASM backend (being built): replaced by the real one in a later commit.

import { SluiceError } from "../../errors.ts";
import type { Backend } from "../backend.ts";

export function wasmBackend(): Backend {
  throw new SluiceError("wasm", "not built yet; use setBackend('reference')");
}
