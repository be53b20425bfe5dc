// sin and cos of f32x4: the distance to the nearest multiple of pi/2 in f64, two short polynomials in f32; in f64
// throughout for vectors with lanes too large for that.

import { sinusoid as sinusoid64 } from "./math64-trig.ts";
import type { Local, Vector } from "./vector.ts";

/** Beyond this, multiples of the first part of pi/2 stop being exact. */
const largest = 1e6;
/** pi/2 in two parts, the first with 33 bits. */
const halfPiHigh = 1.5707963267341256;
const halfPiLow = 6.077100506506192e-11;

/** sin r = r + r^3 s(r^2), cos r = 1 - r^2/2 + r^4 c(r^2) for |r| <= pi/4. */
const sinS = [-0.16666655242443085, 0.008332173340022564, -0.00019516651809681207];
const cosC = [0.04166664555668831, -0.001388736185617745, 2.44377224589698e-5];

function reduceHalf(v: Vector, low: Local): { readonly n: Local; readonly r: Local } {
  const x = v.op("f64x2.promote_low_f32x4", low);
  const n = v.op("f64x2.nearest", v.op("f64x2.mul", x, v.f64(2 / Math.PI)));
  const r = v.madd64(n, v.f64(-halfPiLow), v.madd64(n, v.f64(-halfPiHigh), x));
  return { n: v.op("i32x4.trunc_sat_f64x2_s_zero", n), r: v.op("f32x4.demote_f64x2_zero", r) };
}

function sinusoid(v: Vector, x: Local, fn: "sin" | "cos"): Local {
  const result = v.fresh();
  v.scope(() => {
    const low = reduceHalf(v, x);
    const high = reduceHalf(v, v.upper(x));
    const r = v.join(low.r, high.r);
    const turns = v.join(low.n, high.n);
    const quadrant = fn === "sin" ? turns : v.op("i32x4.add", turns, v.i32(1));
    const square = v.op("f32x4.mul", r, r);
    const sine = v.madd(v.op("f32x4.mul", square, r), v.horner(square, sinS), r);
    const quartic = v.op("f32x4.mul", v.op("f32x4.mul", square, square), v.horner(square, cosC));
    const cosine = v.op("f32x4.add", v.f32(1), v.madd(square, v.f32(-0.5), quartic));
    // Odd quadrants swap the two; quadrants 2 and 3 change the sign.
    const swap = v.op("i32x4.neg", v.op("v128.and", quadrant, v.i32(1)));
    const sign = v.shift("i32x4.shl", v.op("v128.and", quadrant, v.i32(2)), 30);
    v.f.get(v.op("v128.xor", v.select(swap, cosine, sine), sign)).set(result);
    const slow = v.op("v128.not", v.op("f32x4.lt", v.op("f32x4.abs", x), v.f32(largest)));
    v.whenAny(slow, () => {
      const half = (part: Local) =>
        v.op("f32x4.demote_f64x2_zero", sinusoid64(v, v.op("f64x2.promote_low_f32x4", part), fn));
      v.f.get(v.select(slow, v.join(half(x), half(v.upper(x))), result)).set(result);
    });
  });
  return result;
}

/** The reduction loses the sign of zero. */
export const sin = (v: Vector, x: Local): Local =>
  v.local(() => v.select(v.op("f32x4.eq", x, v.f32(0)), x, sinusoid(v, x, "sin")));
export const cos = (v: Vector, x: Local): Local => sinusoid(v, x, "cos");
