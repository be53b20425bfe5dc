// One step of a scan, a vector at a time.

import type { ScanKernel } from "../../../compile/ir.ts";
import type { Opcode } from "../assembler/asm.ts";
import type { Width } from "../vector/lanes.ts";
import type { Local, Vector } from "../vector/vector.ts";

export const widthOf = (kernel: ScanKernel): Width => (kernel.dtype === "f64" ? 2 : 4);

/** One step: the element before, then the inputs' elements. */
export function combine(v: Vector, { fn, dtype }: ScanKernel, before: Local, inputs: readonly Local[]): Local {
  const lanes = dtype === "f32" ? "f32x4" : dtype === "f64" ? "f64x2" : "i32x4";
  const [x, y] = inputs;
  switch (fn) {
    case "sum":
      return v.op(`${lanes}.add` as Opcode, before, x);
    case "max":
      return v.op(dtype === "i32" ? "i32x4.max_s" : (`${lanes}.max` as Opcode), before, x);
    case "linear":
      if (dtype === "f32") return v.madd(x, before, y);
      if (dtype === "f64") return v.madd64(x, before, y);
      return v.op("i32x4.add", v.op("i32x4.mul", x, before), y);
  }
}
