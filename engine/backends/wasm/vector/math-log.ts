// log, log2 and log1p of f32x4: x = 2^e m with m in [sqrt(1/2), sqrt(2)), polynomial in f = m - 1.

import type { Local, Vector } from "./vector.ts";

const ln2High = 0.693359375;
const ln2Low = -2.1219444e-4;
const smallestNormal = 2 ** -126;
const sqrtHalfBits = 0x3f3504f3;

/** log(1 + f) = f - f^2/2 + f^3 p(f), to 2^-27. */
const logP = [0.3333333, -0.25000826, 0.2000125, -0.1662319, 0.14201176, -0.13161464, 0.12766208, -0.076364495];

interface Split {
  /** The exponent as a float. */
  readonly e: Local;
  readonly f: Local;
  /** log(1 + f) - f. */
  readonly rest: Local;
}

function split(v: Vector, x: Local, adjust: Local | undefined): Split {
  const above = v.op("i32x4.sub", x, v.i32(sqrtHalfBits));
  const exponent = v.shift("i32x4.shr_s", above, 23);
  const whole = v.op("f32x4.convert_i32x4_s", exponent);
  const m = v.op("i32x4.sub", x, v.shift("i32x4.shl", exponent, 23));
  const f = v.op("f32x4.sub", m, v.f32(1));
  const square = v.op("f32x4.mul", f, f);
  const cubic = v.op("f32x4.mul", v.op("f32x4.mul", square, f), v.estrin(f, logP));
  const e = adjust === undefined ? whole : v.op("f32x4.add", whole, adjust);
  return { e, f, rest: v.madd(square, v.f32(-0.5), cubic) };
}

/**
 * A logarithm by `assemble`. When some lane is no positive normal number, which is rare, all are computed anew:
 * subnormals scaled up first; 0, negative, infinite and NaN lanes by an expression of their own.
 */
function logarithm(v: Vector, x: Local, assemble: (parts: Split) => Local): Local {
  const { f } = v;
  const result = v.fresh();
  v.scope(() => {
    f.get(assemble(split(v, x, undefined))).set(result);
    const isOdd = (y: Local) => v.op("i32x4.ge_u", v.op("i32x4.sub", y, v.i32(0x00800000)), v.i32(0x7f000000));
    v.whenAny(isOdd(x), () => {
      const small = v.op("f32x4.lt", x, v.f32(smallestNormal));
      const scaled = v.select(small, v.op("f32x4.mul", x, v.f32(2 ** 23)), x);
      const value = assemble(split(v, scaled, v.op("v128.and", small, v.f32(-23))));
      // sqrt gives NaN below 0 and keeps infinity and NaN; 1/0 makes the pole.
      const pole = v.op("v128.and", v.op("f32x4.eq", x, v.f32(0)), v.f32(1));
      const special = v.op("f32x4.sub", v.op("f32x4.sqrt", x), v.op("f32x4.div", pole, v.op("f32x4.abs", x)));
      f.get(v.select(isOdd(scaled), special, value)).set(result);
    });
  });
  return result;
}

/** e ln2 + f + rest, small terms first. */
const natural = (v: Vector, { e, f, rest }: Split): Local => {
  const low = v.madd(e, v.f32(ln2Low), rest);
  return v.madd(e, v.f32(ln2High), v.op("f32x4.add", f, low));
};

export const log = (v: Vector, x: Local): Local => logarithm(v, x, (parts) => natural(v, parts));

/** log2(e) = 1 + 0.4427: the whole part needs no rounding. */
export const log2 = (v: Vector, x: Local): Local =>
  logarithm(v, x, ({ e, f, rest }) => {
    const fraction = v.f32(Math.LOG2E - 1);
    const low = v.madd(f, fraction, v.madd(rest, fraction, rest));
    return v.op("f32x4.add", e, v.op("f32x4.add", f, low));
  });

export const log1p = (v: Vector, x: Local): Local =>
  v.local(() => {
    const sum = v.op("f32x4.add", x, v.f32(1));
    // What rounding 1 + x lost, relative to the sum. Not a number where the sum is 0 or infinite: then nothing counts.
    const lost = v.op("f32x4.sub", x, v.op("f32x4.sub", sum, v.f32(1)));
    const share = v.op("f32x4.div", lost, sum);
    const counts = v.op("f32x4.lt", v.op("f32x4.abs", share), v.f32(1));
    const whole = v.op("f32x4.add", log(v, sum), v.op("v128.and", share, counts));
    const tiny = v.op("f32x4.lt", v.op("f32x4.abs", x), v.f32(2 ** -25));
    return v.select(tiny, x, whole);
  });
