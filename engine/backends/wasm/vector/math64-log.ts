// log, log2 and log1p of f64x2: x = 2^e m with m in [sqrt(1/2), sqrt(2)), then the series of artanh in f / (2 + f), f = m - 1.

import { Doubles } from "./doubles.ts";
import { ln2High, ln2Low } from "./math64-exp.ts";
import type { Local, Vector } from "./vector.ts";

/** log((1 + s) / (1 - s)) = 2 s + s z r(z) with z = s^2, to 2^-58 of the result: minimax (Remez exchange), rounded. */
const logR = [
  0.6666666666666734, 0.39999999999413977, 0.28571428742639915, 0.22222198539892526, 0.18183566348800598,
  0.15313992935162787, 0.1479657387747828,
];

const smallestNormal = 2 ** -1022;
/** 2^52 + 1023: the low bits of this float hold a biased exponent. */
const exponentShift = 2 ** 52 + 1023;
/** Sign and exponent, the low word first. */
const exponentBits = [0, -(2 ** 20)] as const;

/** x = 2^e m for positive normal x: e as a float, and m. */
export function splitExponent(d: Doubles, x: Local): { readonly e: Local; readonly m: Local } {
  const { v } = d;
  const above = v.op("i64x2.sub", x, v.f64(Math.SQRT1_2));
  const m = v.op("i64x2.sub", x, v.op("v128.and", above, v.i32(...exponentBits)));
  // Biased, the exponent is no negative number: no shift with signs, which machines lack for 64 bits.
  const biased = v.shift("i64x2.shr_u", v.op("i64x2.add", above, v.f64(1)), 52);
  return { e: d.sub(v.op("v128.or", biased, v.f64(2 ** 52)), v.f64(exponentShift)), m };
}

interface Parts {
  readonly e: Local;
  readonly f: Local;
  /** log(1 + f) - f. */
  readonly rest: Local;
}

function parts(d: Doubles, x: Local, adjust: Local | undefined): Parts {
  const { v, add, sub, mul, madd } = d;
  const { e, m } = splitExponent(d, x);
  const f = sub(m, v.f64(1));
  const s = d.div(f, add(f, v.f64(2)));
  const z = mul(s, s);
  const half = mul(mul(f, f), v.f64(0.5));
  const rest = sub(mul(s, madd(z, d.polynomial(z, logR), half)), half);
  return { e: adjust === undefined ? e : add(e, adjust), f, rest };
}

/** A logarithm by `assemble`; lanes that are no positive normal number, which are rare, anew. */
function logarithm(v: Vector, x: Local, assemble: (d: Doubles, parts: Parts) => Local): Local {
  const { f } = v;
  const d = new Doubles(v);
  const result = v.fresh();
  const isPlain = (y: Local) =>
    v.op("v128.and", v.op("f64x2.ge", y, v.f64(smallestNormal)), v.op("f64x2.lt", y, v.f64(Number.POSITIVE_INFINITY)));
  v.scope(() => {
    f.get(assemble(d, parts(d, x, undefined))).set(result);
    v.whenAny(v.op("v128.not", isPlain(x)), () => {
      const small = v.op("f64x2.lt", x, v.f64(smallestNormal));
      const scaled = v.select(small, d.mul(x, v.f64(2 ** 54)), x);
      const value = assemble(d, parts(d, scaled, v.op("v128.and", small, v.f64(-54))));
      // sqrt gives NaN below 0 and keeps infinity and NaN; 1/0 makes the pole.
      const pole = v.op("v128.and", v.op("f64x2.eq", x, v.f64(0)), v.f64(1));
      const special = d.sub(v.op("f64x2.sqrt", x), d.div(pole, d.abs(x)));
      f.get(v.select(isPlain(scaled), value, special)).set(result);
    });
  });
  return result;
}

/** e ln 2 + f + rest, small terms first. */
export const log = (v: Vector, x: Local): Local =>
  logarithm(v, x, (d, { e, f, rest }) => d.madd(e, v.f64(ln2High), d.add(f, d.madd(e, v.f64(ln2Low), rest))));

/** log2(e) = 1 + 0.4427: the whole part needs no rounding. */
export const log2 = (v: Vector, x: Local): Local =>
  logarithm(v, x, (d, { e, f, rest }) => {
    const fraction = v.f64(Math.LOG2E - 1);
    return d.add(e, d.add(f, d.madd(f, fraction, d.madd(rest, fraction, rest))));
  });

export const log1p = (v: Vector, x: Local): Local =>
  v.local(() => {
    const d = new Doubles(v);
    const sum = d.add(x, v.f64(1));
    // What rounding 1 + x lost, relative to the sum. Not a number where the sum is 0 or infinite: then nothing counts.
    const share = d.div(d.sub(x, d.sub(sum, v.f64(1))), sum);
    const counts = v.op("f64x2.lt", d.abs(share), v.f64(1));
    const whole = d.add(log(v, sum), v.op("v128.and", share, counts));
    return v.select(v.op("f64x2.lt", d.abs(x), v.f64(2 ** -54)), x, whole);
  });
