// x^y of f32x4 to 0.51 ulp: 2^(y log2 |x|) in f64, two lanes at a time, with JavaScript's rules for special values.

import type { Local, Vector } from "./vector.ts";

/** log2((1 + s) / (1 - s)) = s p(s^2) to 2^-43, for |s| <= 0.172. */
const log2P = [
  2.885390081777849, 0.9617966941149149, 0.5770779418969704, 0.4122093007583233, 0.3199036677368858, 0.2829297852692098,
];
/** 2^f = p(f) to 2^-29, for |f| <= 1/2. */
const exp2P = [
  1.0000000005542484, 0.6931472057369914, 0.2402264689002581, 0.05550328777410405, 0.009618489022954186,
  0.0013399931076232318, 0.00015345794292342802,
];

/** log2 of two positive f32, as f64; 0 and infinity too. */
function log2Half(v: Vector, low: Local): Local {
  const x = v.op("f64x2.promote_low_f32x4", low);
  // Exponent counted from sqrt(1/2), so that the mantissa is in [sqrt(1/2), sqrt(2)).
  const above = v.op("i64x2.sub", x, v.f64(Math.SQRT1_2));
  const exponent = v.shift("i64x2.shr_s", above, 52);
  const m = v.op("i64x2.sub", x, v.shift("i64x2.shl", exponent, 52));
  const whole = v.op(
    "f64x2.convert_low_i32x4_s",
    v.shuffle(exponent, exponent, [0, 1, 2, 3, 8, 9, 10, 11, 0, 1, 2, 3, 8, 9, 10, 11]),
  );
  const one = v.f64(1);
  const s = v.op("f64x2.div", v.op("f64x2.sub", m, one), v.op("f64x2.add", m, one));
  const result = v.madd64(s, v.horner(v.op("f64x2.mul", s, s), log2P, "f64"), whole);
  const infinity = v.f64(Number.POSITIVE_INFINITY);
  const large = v.select(v.op("f64x2.lt", x, infinity), result, x);
  return v.select(v.op("f64x2.eq", x, v.f64(0)), v.op("f64x2.neg", infinity), large);
}

/** 2^t of two f64 as f32: overflow, underflow and rounding are the conversion's. NaN stays. */
function exp2Half(v: Vector, t: Local): Local {
  const capped = v.op("f64x2.pmax", v.op("f64x2.pmin", t, v.f64(160)), v.f64(-160));
  const n = v.op("f64x2.nearest", capped);
  const p = v.horner(v.op("f64x2.sub", capped, n), exp2P, "f64");
  const whole = v.op("i64x2.extend_low_i32x4_s", v.op("i32x4.trunc_sat_f64x2_s_zero", n));
  const scale = v.op("i64x2.add", v.shift("i64x2.shl", whole, 52), v.f64(1));
  return v.op("f32x4.demote_f64x2_zero", v.op("f64x2.mul", p, scale));
}

function general(v: Vector, x: Local, y: Local): Local {
  const size = v.op("f32x4.abs", x);
  const half = (a: Local, b: Local) =>
    exp2Half(v, v.op("f64x2.mul", log2Half(v, a), v.op("f64x2.promote_low_f32x4", b)));
  const power = v.join(half(size, y), half(v.upper(size), v.upper(y)));
  // A negative base: odd exponents keep the sign, others than whole ones have no value.
  const isWhole = (a: Local) => v.op("f32x4.eq", v.op("f32x4.trunc", a), a);
  const wholeY = isWhole(y);
  const odd = v.op("v128.andnot", wholeY, isWhole(v.op("f32x4.mul", y, v.f32(0.5))));
  const signed = v.op("v128.or", power, v.op("v128.and", v.op("v128.and", x, v.f32(-0)), odd));
  const finite = v.op("f32x4.lt", size, v.f32(Number.POSITIVE_INFINITY));
  const negative = v.op("v128.and", v.op("f32x4.lt", x, v.f32(0)), finite);
  const undefinedLanes = v.op("v128.andnot", negative, wholeY);
  // All bits set is a NaN. A NaN exponent is not whole, and no power is needed to say NaN.
  const value = v.op("v128.or", signed, undefinedLanes);
  return v.select(v.op("f32x4.eq", y, v.f32(0)), v.f32(1), value);
}

export const pow = (v: Vector, x: Local, y: Local): Local => v.local(() => general(v, x, y));
