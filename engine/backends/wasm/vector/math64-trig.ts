// sin and cos of f64x2: the distance to the nearest multiple of pi/2 as head and tail, two polynomials, one of them
// chosen by the quadrant.

import { Doubles, type Pair } from "./doubles.ts";
import { hugeTurn } from "./huge-angle.ts";
import type { Local, Vector } from "./vector.ts";

const magic = 1.5 * 2 ** 52;
/** Multiples of pi/2 up to here have 20 bits, so that products with the first two parts are exact. */
const largest = 2 ** 20;
/** pi/2 as parts of 33, 33 and 53 bits (Cody and Waite 1980). */
const halfPi = [1.5707963267341256, 6.077100506303966e-11, 2.0222662487959506e-21] as const;
/** pi/2 as head and tail. */
const halfPiHead = Math.PI / 2;
const halfPiTail = 6.123233995736766e-17;

/**
 * sin r = r + r^3 s(r^2) to 2^-57 and cos r = 1 - r^2/2 + r^4 c(r^2) to 2^-59 for |r| <= pi/4: minimax (Remez exchange in
 * 400 bits), rounded.
 */
const sinS = [
  -0.16666666666666632, 0.008333333333322417, -0.00019841269829808277, 2.7557313691683545e-6, -2.5050758040852878e-8,
  1.5896790019110806e-10,
];
const cosC = [
  0.04166666666666665, -0.001388888888888127, 2.4801587293422128e-5, -2.755731537786535e-7, 2.087585073406362e-9,
  -1.1365749697652178e-11,
];

interface Angle extends Pair {
  /** The quadrant in the low two bits of each lane. */
  readonly quadrant: Local;
}

/** Angle from the nearest multiple of pi/2. */
function reduce(d: Doubles, x: Local): Angle {
  const { v, add, sub, mul, madd } = d;
  const { f } = v;
  const [hi, lo, quadrant] = [v.fresh(), v.fresh(), v.fresh()];
  v.scope(() => {
    const bits = madd(x, v.f64(2 / Math.PI), v.f64(magic));
    const n = sub(bits, v.f64(magic));
    const first = madd(n, v.f64(-halfPi[0]), x);
    const second = mul(n, v.f64(halfPi[1]));
    const coarse = sub(first, second);
    const lost = madd(n, v.f64(-halfPi[2]), sub(sub(first, coarse), second));
    const head = add(coarse, lost);
    f.get(head)
      .set(hi)
      .get(add(sub(coarse, head), lost))
      .set(lo)
      .get(bits)
      .set(quadrant);
    // Next to a multiple the parts cancel, and large ones are not exact: all bits of the product that count instead.
    const enough = v.op("f64x2.ge", d.abs(coarse), d.abs(add(second, second)));
    const slow = v.op("v128.not", v.op("v128.and", enough, v.op("f64x2.lt", d.abs(x), v.f64(largest))));
    v.whenAny(slow, () => {
      const turn = hugeTurn(v, v.op("v128.and", x, slow));
      const angle = d.times(turn, { hi: v.f64(halfPiHead), lo: v.f64(halfPiTail) });
      const exact = d.sum(angle.hi, angle.lo);
      // NaN for infinite x.
      f.get(v.select(slow, add(exact.hi, sub(x, x)), hi)).set(hi);
      f.get(v.select(slow, exact.lo, lo)).set(lo);
      f.get(v.select(slow, turn.quadrant, quadrant)).set(quadrant);
    });
  });
  return { hi, lo, quadrant };
}

/** Values at pi/2 times `turns` further than x. */
export const sinusoid = (v: Vector, x: Local, fn: "sin" | "cos"): Local =>
  v.local(() => {
    const d = new Doubles(v);
    const { add, sub, mul, madd } = d;
    const { hi, lo, quadrant: turns } = reduce(d, x);
    const one = v.f64(1);
    const square = mul(hi, hi);
    const half = mul(square, v.f64(0.5));
    const nearOne = sub(one, half);
    const sine = add(hi, madd(mul(hi, square), d.polynomial(square, sinS), mul(lo, nearOne)));
    const quartic = mul(mul(square, square), d.polynomial(square, cosC));
    const cosine = add(nearOne, add(sub(sub(one, nearOne), half), sub(quartic, mul(hi, lo))));
    const quadrant = fn === "sin" ? turns : v.op("i64x2.add", turns, v.i32(1, 0));
    // Odd quadrants swap the two; quadrants 2 and 3 change the sign.
    const swap = v.op("i64x2.neg", v.op("v128.and", quadrant, v.i32(1, 0)));
    const sign = v.shift("i64x2.shl", v.op("v128.and", quadrant, v.i32(2, 0)), 62);
    return v.op("v128.xor", v.select(swap, cosine, sine), sign);
  });

/** Adding parts of pi/2 loses the sign of zero, and products with tails the last bits of subnormals. */
export const sin = (v: Vector, x: Local): Local =>
  v.local(() => v.select(v.op("f64x2.lt", v.op("f64x2.abs", x), v.f64(2 ** -27)), x, sinusoid(v, x, "sin")));
export const cos = (v: Vector, x: Local): Local => sinusoid(v, x, "cos");
