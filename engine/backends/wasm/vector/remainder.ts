// Floor remainder in f32, exact: in f64 while the quotient is small, through JavaScript's % beyond.

import type { Width } from "./lanes.ts";
import type { Local, Vector } from "./vector.ts";

/** Quotients up to here times an f32 are exact in f64. */
const exactQuotient = 2 ** 28;

export function remainder32(v: Vector, width: Width, x: Local, y: Local): Local {
  return v.local(() => {
    const low = half(v, x, y);
    return width === 2 ? low : v.join(low, half(v, v.upper(x), v.upper(y)));
  });
}

function half(v: Vector, x32: Local, y32: Local): Local {
  const x = v.op("f64x2.promote_low_f32x4", x32);
  const y = v.op("f64x2.promote_low_f32x4", y32);
  const quotient = v.op("f64x2.trunc", v.op("f64x2.div", x, y));
  const product = v.op("f64x2.mul", quotient, y);
  const rest = v.op("f64x2.sub", x, product);
  // A zero rest keeps the sign of x; a rest of the wrong sign moves by one divisor.
  const zero = v.op("f64x2.eq", rest, v.f64(0));
  const signed = v.select(v.op("v128.and", zero, v.f64(-0)), x, rest);
  const differ = v.shift("i64x2.shr_s", v.op("v128.xor", rest, y), 63);
  const wrong = v.op("v128.andnot", differ, zero);
  const result = v.fresh();
  v.f.get(v.select(wrong, v.op("f64x2.add", rest, y), signed)).set(result);
  const small = v.op("f64x2.lt", v.op("f64x2.abs", quotient), v.f64(exactQuotient));
  const ok = v.op("v128.and", small, v.op("f64x2.eq", product, product));
  v.whenAny(v.op("v128.not", ok), () => {
    v.f.get(v.lanes64("remainder", x, y)).set(result);
  });
  return v.op("f32x4.demote_f64x2_zero", result);
}
