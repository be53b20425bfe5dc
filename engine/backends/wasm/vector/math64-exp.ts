// exp, exp2, expm1, sigmoid and tanh of f64x2, all on one reduction: x = n ln 2 + r with |r| <= ln(2)/2.

import { Doubles } from "./doubles.ts";
import type { Local, Vector } from "./vector.ts";

/** Added to a number up to 2^51 in size, it leaves the nearest whole number in the low bits. */
const magic = 1.5 * 2 ** 52;
/** ln 2 in two parts: a multiple of the first, which has 41 bits, by any exponent is exact. */
export const ln2High = 0.693147180559663;
export const ln2Low = 2.8235290563031577e-13;

/** e^r = 1 + r + r^2 q(r), to 2^-61: minimax (Remez exchange in 400 bits), rounded. */
const expQ = [
  0.5, 0.16666666666666685, 0.04166666666666673, 0.00833333333331635, 0.0013888888888857751, 0.00019841269898036013,
  2.4801587374917407e-5, 2.755723324619576e-6, 2.7557232458861033e-7, 2.5112589639031145e-8, 2.0927199295404525e-9,
];

/** x + n ln 2 for the whole number -n nearest to x / ln 2, as head and tail, and n plus the magic number and `bias`. */
function reduce(d: Doubles, x: Local, bias: number): { bits: Local; r: Local; tail: () => Local } {
  const { v, madd, sub } = d;
  const shift = v.f64(magic + bias);
  const bits = madd(x, v.f64(Math.LOG2E), shift);
  const n = sub(bits, shift);
  const coarse = madd(n, v.f64(-ln2High), x);
  const r = madd(n, v.f64(-ln2Low), coarse);
  return { bits, r, tail: () => madd(n, v.f64(-ln2Low), sub(coarse, r)) };
}

/** e^r - 1 - r. */
const rest = (d: Doubles, r: Local): Local => d.mul(d.mul(r, r), d.polynomial(r, expQ));

/** p 2^n for n in [-2046, 1025] from the bits of n + 2046, in two factors: overflow is infinite, small results round once. */
function scale(d: Doubles, p: Local, bits: Local): Local {
  const { v } = d;
  const half = v.shift("i64x2.shr_u", bits, 1);
  const a = v.shift("i64x2.shl", half, 52);
  const b = v.shift("i64x2.shl", v.op("i64x2.sub", bits, half), 52);
  return d.mul(d.mul(p, a), b);
}

export const exp = (v: Vector, x: Local): Local =>
  v.local(() => {
    const d = new Doubles(v);
    const { bits, r } = reduce(d, d.clamp(x, -1418, 710), 2046);
    return scale(d, d.add(v.f64(1), d.add(r, rest(d, r))), bits);
  });

/** e^x where the result is a normal number for sure. */
export function expInside(d: Doubles, x: Local): Local {
  const { bits, r } = reduce(d, x, 1023);
  return d.mul(d.add(d.v.f64(1), d.add(r, rest(d, r))), d.v.shift("i64x2.shl", bits, 52));
}

/** 2^(x + tail) for a tail that is small next to x, where x counts. */
export function exp2Sum(d: Doubles, x: Local, tail?: Local): Local {
  const { v, add, sub, mul, madd } = d;
  const shift = v.f64(magic + 2046);
  const capped = d.clamp(x, -2046, 1025);
  const bits = add(capped, shift);
  const fraction = sub(capped, sub(bits, shift));
  const ln2 = v.f64(Math.LN2);
  if (tail === undefined) {
    const r = mul(fraction, ln2);
    return scale(d, add(v.f64(1), add(r, rest(d, r))), bits);
  }
  const exact = d.sum(fraction, tail);
  const { hi, lo } = d.product(exact.hi, ln2);
  return scale(d, add(v.f64(1), add(hi, add(rest(d, hi), madd(exact.lo, ln2, lo)))), bits);
}

export const exp2 = (v: Vector, x: Local): Local => v.local(() => exp2Sum(new Doubles(v), x));

/** 1 / (1 + e^-x) = a / (a + b + b (e^r - 1)) with e^-x = e^r b / a: the power of two is shared, so nothing overflows. */
export const sigmoid = (v: Vector, x: Local): Local =>
  v.local(() => {
    const d = new Doubles(v);
    const { bits, r } = reduce(d, v.op("f64x2.neg", d.clamp(x, -1418, 1418)), 2046);
    const half = v.shift("i64x2.shr_u", bits, 1);
    const a = v.shift("i64x2.shl", v.op("i64x2.sub", v.i32(2046, 0), half), 52);
    const b = v.shift("i64x2.shl", v.op("i64x2.sub", bits, half), 52);
    return d.div(a, d.madd(b, d.add(r, rest(d, r)), d.add(a, b)));
  });

/** (e^x - 1) / 2 as head and tail, without cancellation; half of it, so that it is finite where e^x - 1 is. */
function halfExpm1(d: Doubles, x: Local): { readonly head: Local; readonly tail: Local } {
  const { v, add, sub, mul, madd } = d;
  const { bits, r, tail } = reduce(d, x, 1022);
  const power = v.shift("i64x2.shl", bits, 52);
  const small = add(rest(d, r), tail());
  const coarse = d.sum(sub(power, v.f64(0.5)), mul(power, r));
  const low = madd(power, small, coarse.lo);
  const head = add(coarse.hi, low);
  return { head, tail: sub(low, sub(head, coarse.hi)) };
}

export const expm1 = (v: Vector, x: Local): Local =>
  v.local(() => {
    const d = new Doubles(v);
    const { head } = halfExpm1(d, d.clamp(x, -40, 710));
    // Tiny x is its own result: the detour would lose the sign of zero and the last bits of subnormals.
    return v.select(v.op("f64x2.lt", d.abs(x), v.f64(2 ** -54)), x, d.add(head, head));
  });

/** h / (h + 1) with h = (e^2|x| - 1) / 2 and what roundings lost, and x's sign. From 19.1 on it rounds to 1. */
export const tanh = (v: Vector, x: Local): Local =>
  v.local(() => {
    const d = new Doubles(v);
    const { add, sub, mul, madd } = d;
    const one = v.f64(1);
    const size = v.op("f64x2.pmin", d.abs(x), v.f64(20));
    const { head, tail } = halfExpm1(d, add(size, size));
    const below = d.sum(v.op("f64x2.pmax", head, one), v.op("f64x2.pmin", head, one));
    const quotient = d.div(head, below.hi);
    // (h + t) / (b + l) - q = (t - q (t + l)) / b, and 1 / b is 1 - q.
    const lost = add(tail, below.lo);
    const missing = sub(tail, mul(quotient, lost));
    return d.withSign(madd(missing, sub(one, quotient), quotient), x);
  });
