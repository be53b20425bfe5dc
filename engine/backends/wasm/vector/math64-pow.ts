// x^y of f64x2: 2^(y log2 |x|) with the logarithm and the product as pairs, and JavaScript's rules for special values.

import { Doubles, type Pair } from "./doubles.ts";
import { exp2Sum } from "./math64-exp.ts";
import { splitExponent } from "./math64-log.ts";
import type { Local, Vector } from "./vector.ts";

const smallestNormal = 2 ** -1022;

/** 2 / ln 2 and 2 / (3 ln 2) as pairs. */
const first = [2.8853900817779268, 4.071054748186207e-17] as const;
const second = [0.9617966939259756, 5.057761664812591e-17] as const;
/** log2((1 + s) / (1 - s)) = s (first + z (second + z r(z))), z = s^2, to 2^-68: minimax (Remez exchange), rounded. */
const logR = [
  0.5770780163555853, 0.4121985831112194, 0.3205988979389594, 0.2623081958588371, 0.22195243961350355,
  0.19239547437393048, 0.16855925037722966, 0.17199590851024615,
];

/** log2 of positive numbers to about 66 bits. */
function log2Pair(d: Doubles, x: Local): Pair {
  const { v, add, sub, mul } = d;
  const small = v.op("f64x2.lt", x, v.f64(smallestNormal));
  const { e, m } = splitExponent(d, v.select(small, mul(x, v.f64(2 ** 54)), x));
  const whole = add(e, v.op("v128.and", small, v.f64(-54)));
  const f = sub(m, v.f64(1));
  // s = (m - 1) / (m + 1), and what rounding lost.
  const divisor = d.sum(v.f64(2), f);
  const inverse = d.div(v.f64(1), divisor.hi);
  const quotient = mul(f, inverse);
  const back = d.product(quotient, divisor.hi);
  const missing = sub(sub(sub(f, back.hi), back.lo), mul(quotient, divisor.lo));
  const s = { hi: quotient, lo: mul(missing, inverse) };
  const z = d.times(s, s);
  const tail = mul(z.hi, d.polynomial(z.hi, logR));
  const inner = d.sum(v.f64(second[0]), tail);
  const cubic = d.times(z, { hi: inner.hi, lo: add(inner.lo, v.f64(second[1])) });
  const outer = d.sum(v.f64(first[0]), cubic.hi);
  const part = d.times(s, { hi: outer.hi, lo: add(outer.lo, add(cubic.lo, v.f64(first[1]))) });
  const sum = d.sum(whole, part.hi);
  return { hi: sum.hi, lo: add(sum.lo, part.lo) };
}

/** |x|^y for positive finite |x| and finite y. */
function positive(d: Doubles, size: Local, y: Local): Local {
  const { v } = d;
  const log = log2Pair(d, size);
  // Beyond 2^66 all powers but those of 1 are 0 or infinite.
  const capped = d.clamp(y, -(2 ** 66), 2 ** 66);
  const power = d.product(capped, log.hi);
  const tail = d.madd(capped, log.lo, power.lo);
  const inside = v.op("f64x2.lt", d.abs(power.hi), v.f64(2048));
  return exp2Sum(d, power.hi, v.op("v128.and", tail, inside));
}

/** Any power, given |x|^y for positive finite |x|. */
function special(d: Doubles, x: Local, y: Local, power: Local): Local {
  const { v } = d;
  const infinity = v.f64(Number.POSITIVE_INFINITY);
  const [zero, one] = [v.f64(0), v.f64(1)];
  const and = (a: Local, b: Local) => v.op("v128.and", a, b);
  const isWhole = (a: Local) => v.op("f64x2.eq", v.op("f64x2.trunc", a), a);
  const size = d.abs(x);
  const end = v.op("v128.or", v.op("f64x2.eq", size, zero), v.op("f64x2.eq", size, infinity));
  const atEnd = v.select(v.op("f64x2.lt", y, zero), d.div(one, size), size);
  const magnitude = v.select(end, atEnd, power);
  // A negative base: odd exponents keep the sign, others than whole ones have no value.
  const whole = isWhole(y);
  const odd = v.op("v128.andnot", whole, isWhole(d.mul(y, v.f64(0.5))));
  const signed = v.op("v128.or", magnitude, and(and(x, v.f64(-0)), odd));
  const negative = and(v.op("f64x2.lt", x, zero), v.op("f64x2.lt", size, infinity));
  const rootless = v.op("v128.andnot", negative, whole);
  const undecided = and(v.op("f64x2.eq", size, one), v.op("f64x2.eq", d.abs(y), infinity));
  // Unequal to itself: a NaN. All bits set is one.
  const unknown = v.op("v128.or", v.op("f64x2.ne", x, x), v.op("f64x2.ne", y, y));
  const value = v.op("v128.or", v.op("v128.or", signed, rootless), v.op("v128.or", undecided, unknown));
  return v.select(v.op("f64x2.eq", y, zero), one, value);
}

export const pow = (v: Vector, x: Local, y: Local): Local => {
  const d = new Doubles(v);
  const result = v.fresh();
  v.scope(() => {
    const infinity = v.f64(Number.POSITIVE_INFINITY);
    v.f.get(positive(d, d.abs(x), y)).set(result);
    const usual = v.op("v128.and", v.op("f64x2.gt", x, v.f64(0)), v.op("f64x2.lt", x, infinity));
    const plain = v.op("v128.and", usual, v.op("f64x2.lt", d.abs(y), infinity));
    v.whenAny(v.op("v128.not", plain), () => {
      v.f.get(special(d, x, y, result)).set(result);
    });
  });
  return result;
};
