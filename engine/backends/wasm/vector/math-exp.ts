// exp, exp2 and expm1 of f32x4: reduce to r in [-ln2/2, ln2/2] and a power of two, polynomial in r, scale back.

import type { Local, Vector } from "./vector.ts";

/** Added to a number up to 2^22 in size, it leaves the nearest whole number in the low bits. */
const magic = 1.5 * 2 ** 23;
/** ln 2 in two parts: a multiple of the first by any exponent is exact. */
const ln2High = 0.693359375;
const ln2Low = -2.1219444e-4;
const log2e = Math.LOG2E;

/** e^r = 1 + r + r^2 q(r), to 2^-28. */
const expQ = [0.49999994, 0.16666521, 0.041668274, 0.008368686, 0.0013820136];
/** e^r - 1 = r + r^2 q(r), to 2^-31 of the result. */
const expm1Q = [0.5, 0.16666666, 0.041666493, 0.008333544, 0.0013932342, 0.00019763393];

/** Clamped with NaN kept: the instruction returns its first operand when a comparison fails. */
export const clamp = (v: Vector, x: Local, lo: number, hi: number): Local =>
  v.op("f32x4.pmax", v.op("f32x4.pmin", x, v.f32(hi)), v.f32(lo));

interface Reduced {
  /** n plus the magic number and `bias`, as bits. */
  readonly bits: Local;
  /** e^x = 2^n e^r. */
  readonly r: Local;
}

function reduce(v: Vector, x: Local, bias: number): Reduced {
  const bits = v.madd(x, v.f32(log2e), v.f32(magic + bias));
  const n = v.op("f32x4.sub", bits, v.f32(magic + bias));
  return { bits, r: v.madd(n, v.f32(-ln2Low), v.madd(n, v.f32(-ln2High), x)) };
}

/** e^r a, scaled before the last sum: a + a r (1 + r q(r)) takes no more than e^r. */
const scaledExp = (v: Vector, r: Local, a: Local): Local =>
  v.madd(v.polynomial(r, [1, ...expQ]), v.op("f32x4.mul", r, a), a);

/**
 * e^r 2^n for n in [-254, 128], from bits of n + 254: the power as two factors, so that overflow gives infinity and
 * small results round once. The magic number's upper bits fall out of the shifts. At n = -254 both factors are 0:
 * masked -Infinity becomes 0 without the processor's slow path for results that are too small.
 */
function expTimes(v: Vector, r: Local, bits: Local): Local {
  const half = v.shift("i32x4.shr_u", bits, 1);
  const a = v.shift("i32x4.shl", half, 23);
  const b = v.shift("i32x4.shl", v.op("i32x4.sub", bits, half), 23);
  return v.op("f32x4.mul", scaledExp(v, r, a), b);
}

export const exp = (v: Vector, x: Local): Local =>
  v.local(() => {
    const { bits, r } = reduce(v, clamp(v, x, -176, 89), 254);
    return expTimes(v, r, bits);
  });

/**
 * exp where x <= 0 or NaN: one power of two to make, 2^63 too large for any result to be subnormal, and a constant one
 * that rounds once. At the lower end, masked -Infinity, the first is 0.
 */
export const expOfNegative = (v: Vector, x: Local): Local =>
  v.local(() => {
    const { bits, r } = reduce(v, v.op("f32x4.pmax", x, v.f32(-131.7)), 190);
    return v.op("f32x4.mul", scaledExp(v, r, v.shift("i32x4.shl", bits, 23)), v.f32(2 ** -63));
  });

/**
 * 1 / (1 + e^-x) as a / (a + b p) with e^-x = p b / a: the power of two is shared between a and b, so that nothing
 * overflows, and results are small without losing bits until the one division rounds them.
 */
export const sigmoid = (v: Vector, x: Local): Local =>
  v.local(() => {
    const shift = v.f32(magic + 254);
    const capped = clamp(v, x, -176, 176);
    const bits = v.madd(capped, v.f32(-log2e), shift);
    const n = v.op("f32x4.sub", bits, shift);
    // -x = n ln2 - r: the polynomial takes -r, odd terms change sign.
    const r = v.madd(n, v.f32(ln2Low), v.madd(n, v.f32(ln2High), capped));
    const tail = v.polynomial(
      r,
      expQ.map((c, i) => (i % 2 === 0 ? -c : c)),
    );
    const p = v.op("f32x4.sub", v.f32(1), v.madd(v.op("f32x4.mul", r, r), tail, r));
    const half = v.shift("i32x4.shr_u", bits, 1);
    const a = v.shift("i32x4.shl", v.op("i32x4.sub", v.i32(254), half), 23);
    const b = v.shift("i32x4.shl", v.op("i32x4.sub", bits, half), 23);
    return v.op("f32x4.div", a, v.madd(p, b, a));
  });

export const exp2 = (v: Vector, x: Local): Local =>
  v.local(() => {
    const clamped = clamp(v, x, -254, 128);
    const bits = v.op("f32x4.add", clamped, v.f32(magic + 254));
    const fraction = v.op("f32x4.sub", clamped, v.op("f32x4.sub", bits, v.f32(magic + 254)));
    return expTimes(v, v.op("f32x4.mul", fraction, v.f32(Math.LN2)), bits);
  });

export const expm1 = (v: Vector, x: Local): Local =>
  v.local(() => {
    const { bits, r } = reduce(v, clamp(v, x, -25, 88.8), 126);
    const p = v.madd(v.op("f32x4.mul", r, r), v.polynomial(r, expm1Q), r);
    // 2^n (p + 1) - 1 without cancellation, halved so that n = 128 has a scale.
    const scale = v.shift("i32x4.shl", bits, 23);
    const half = v.madd(scale, p, v.op("f32x4.sub", scale, v.f32(0.5)));
    // Tiny x is its own result: the detour would lose the sign of zero and the last bits of subnormals.
    const tiny = v.op("f32x4.lt", v.op("f32x4.abs", x), v.f32(2 ** -25));
    return v.select(tiny, x, v.op("f32x4.add", half, half));
  });

/** expm1 where |x| <= 87 for sure, inside other functions: no ends to care for. */
export const expm1Small = (v: Vector, x: Local): Local =>
  v.local(() => {
    const { bits, r } = reduce(v, x, 127);
    const p = v.madd(v.op("f32x4.mul", r, r), v.polynomial(r, expm1Q), r);
    const scale = v.shift("i32x4.shl", bits, 23);
    return v.madd(scale, p, v.op("f32x4.sub", scale, v.f32(1)));
  });
