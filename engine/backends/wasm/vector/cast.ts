// Conversions between dtypes in registers: i32 to float exact or rounded, float to i32 truncated and saturated.

import type { DType } from "../../../dtype.ts";
import { narrowMask } from "./lanes.ts";
import type { Local, Vector } from "./vector.ts";

export function cast(v: Vector, from: DType, to: DType, x: Local): Local {
  if (from === to) return x;
  switch (to) {
    case "f64":
      if (from === "f32") return v.op("f64x2.promote_low_f32x4", x);
      return v.op("f64x2.convert_low_i32x4_s", from === "bool" ? cast(v, "bool", "i32", x) : x);
    case "f32":
      if (from === "f64") return v.op("f32x4.demote_f64x2_zero", x);
      return from === "bool" ? v.op("v128.and", x, v.f32(1)) : v.op("f32x4.convert_i32x4_s", x);
    case "i32":
      if (from === "f64") return v.op("i32x4.trunc_sat_f64x2_s_zero", x);
      return from === "bool" ? v.op("v128.and", x, v.i32(1)) : v.op("i32x4.trunc_sat_f32x4_s", x);
    case "bool":
      if (from === "f64") return narrowMask(v, v.op("f64x2.ne", x, v.f64(0)));
      return from === "f32" ? v.op("f32x4.ne", x, v.f32(0)) : v.op("i32x4.ne", x, v.i32(0));
  }
}
