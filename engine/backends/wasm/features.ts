// What this machine's WebAssembly can do beyond the baseline.

import { ModuleBuilder } from "./asm.ts";

let relaxed: boolean | undefined;

/** Whether relaxed SIMD (fused multiply-add) is available. */
export function hasRelaxedMadd(): boolean {
  relaxed ??= WebAssembly.validate(probe());
  return relaxed;
}

function probe(): Uint8Array<ArrayBuffer> {
  const module = new ModuleBuilder();
  module.func("probe", ["v128"], ["v128"], (f) => f.get(0).get(0).get(0).op("f32x4.relaxed_madd"));
  return module.toBytes();
}
