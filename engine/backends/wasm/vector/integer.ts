// i32 arithmetic as the oracle does it: wraps; division truncates, and by zero gives 0; pow saturates.

import type { ScalarFn } from "../../../compile/ir.ts";
import type { Width } from "./lanes.ts";
import { functions } from "./math.ts";
import type { Local, Vector } from "./vector.ts";

export function integer(v: Vector, width: Width, fn: ScalarFn, x: Local, y: Local): Local {
  switch (fn) {
    case "add":
    case "sub":
    case "mul":
      return v.op(`i32x4.${fn}`, x, y);
    case "neg":
    case "abs":
      return v.op(`i32x4.${fn}`, x);
    case "maximum":
      return v.op("i32x4.max_s", x, y);
    case "minimum":
      return v.op("i32x4.min_s", x, y);
    case "sign":
      return v.op("i32x4.max_s", v.op("i32x4.min_s", x, v.i32(1)), v.i32(-1));
    case "floor":
    case "ceil":
    case "round":
    case "trunc":
      return x;
    case "div":
      return divide(v, width, x, y);
    case "remainder": {
      const r = v.op("i32x4.sub", x, v.op("i32x4.mul", divide(v, width, x, y), y));
      // The sign of the divisor: add it where a non-zero rest has the other sign.
      const wrong = v.op(
        "v128.and",
        v.op("i32x4.ne", r, v.i32(0)),
        v.op("i32x4.lt_s", v.op("v128.xor", r, y), v.i32(0)),
      );
      const rest = v.op("i32x4.add", r, v.op("v128.and", wrong, y));
      return v.op("v128.andnot", rest, v.op("i32x4.eq", y, v.i32(0)));
    }
    case "pow":
      return throughF64(v, width, x, y, (a, b) => functions.f64.binary.pow(v, a, b, 2));
    default:
      throw new Error(`wasm: no i32 code for ${fn}`);
  }
}

/** An f64 function of two i32 vectors, truncated and saturated back; upper lanes only where they are in use. */
function throughF64(v: Vector, width: Width, x: Local, y: Local, fn: (a: Local, b: Local) => Local): Local {
  const half = (a: Local, b: Local) =>
    v.op(
      "i32x4.trunc_sat_f64x2_s_zero",
      fn(v.op("f64x2.convert_low_i32x4_s", a), v.op("f64x2.convert_low_i32x4_s", b)),
    );
  const low = half(x, y);
  return width === 2 ? low : v.join(low, half(v.upper(x), v.upper(y)));
}

/** The f64 quotient of two i32 is exact enough to truncate: it is never rounded up to a whole number. */
function divide(v: Vector, width: Width, x: Local, y: Local): Local {
  const quotient = throughF64(v, width, x, y, (a, b) => v.op("f64x2.div", a, b));
  // -2^31 / -1 wraps, where the conversion saturates.
  const wrapped = v.select(v.op("i32x4.eq", y, v.i32(-1)), v.op("i32x4.neg", x), quotient);
  return v.op("v128.andnot", wrapped, v.op("i32x4.eq", y, v.i32(0)));
}
