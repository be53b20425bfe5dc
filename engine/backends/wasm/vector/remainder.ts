// Floor remainder, exact: from the quotient while that is small, by long division of mantissas beyond.

import type { FunctionBuilder } from "../assembler/asm.ts";
import { Doubles } from "./doubles.ts";
import type { Env } from "./env.ts";
import type { Width } from "./lanes.ts";
import type { Local, Vector } from "./vector.ts";

/** Whole numbers up to here times half a mantissa are exact. */
const exactQuotient = 2 ** 26;

/** In f64, where the remainder of two f32 has at most 24 bits. */
export const remainder32 = (v: Vector, x: Local, y: Local, width: Width): Local =>
  v.local(() => {
    const wide = (a: Local) => v.op("f64x2.promote_low_f32x4", a);
    const half = (a: Local, b: Local) => v.op("f32x4.demote_f64x2_zero", remainder64(v, wide(a), wide(b)));
    return width === 2 ? half(x, y) : v.join(half(x, y), half(v.upper(x), v.upper(y)));
  });

export const remainder64 = (v: Vector, x: Local, y: Local): Local =>
  v.local(() => {
    const d = new Doubles(v);
    const quotient = v.op("f64x2.trunc", d.div(x, y));
    const parts = d.split(y);
    // Both products and both differences are exact; a quotient that was rounded up leaves a rest of the other sign.
    const rest = v.fresh();
    v.f.get(d.sub(d.sub(x, d.mul(quotient, parts.hi)), d.mul(quotient, parts.lo))).set(rest);
    const known = v.op("f64x2.eq", rest, rest);
    const small = v.op("f64x2.lt", d.abs(quotient), v.f64(exactQuotient));
    v.whenAny(v.op("v128.not", v.op("v128.and", known, small)), () => longDivision(v, x, y, rest));
    // A zero rest keeps the sign of x; a rest of the wrong sign moves by one divisor.
    const zero = v.op("f64x2.eq", rest, v.f64(0));
    const signed = v.select(v.op("v128.and", zero, v.f64(-0)), x, rest);
    const differ = v.op("v128.xor", v.op("f64x2.lt", rest, v.f64(0)), v.op("f64x2.lt", y, v.f64(0)));
    return v.select(v.op("v128.andnot", differ, zero), d.add(rest, y), signed);
  });

/** x - trunc(x / y) y of both lanes. */
function longDivision(v: Vector, x: Local, y: Local, into: Local): void {
  const { f, env } = v;
  const index = env.helper("modulo", () => moduloFunction(env));
  for (const lane of [0, 1]) {
    f.get(into);
    for (const arg of [x, y]) f.get(arg).lane("f64x2.extract_lane", lane);
    f.call(index).lane("f64x2.replace_lane", lane).set(into);
  }
}

const moduloFunction = (env: Env): number => env.module.func("modulo", ["f64", "f64"], ["f64"], emitModulo);

/** C's fmod: the remainder with the sign of x. */
function emitModulo(f: FunctionBuilder): void {
  const size = (x: number) => f.get(x).op("f64.abs");
  // No remainder: x infinite or NaN, y zero or NaN.
  size(0).f64(Number.POSITIVE_INFINITY).op("f64.lt");
  size(1).f64(0).op("f64.gt").op("i32.and").op("i32.eqz");
  f.if(() => f.f64(Number.NaN).ret());
  size(0);
  size(1).op("f64.lt");
  f.if(() => f.get(0).ret());
  const [x, y] = [0, 1].map((arg) => {
    const bits = f.local("i64");
    const exponent = f.local("i64");
    const mantissa = f.local("i64");
    size(arg).op("i64.reinterpret_f64").tee(bits).i64(52n).op("i64.shr_u").set(exponent);
    f.get(bits)
      .i64((1n << 52n) - 1n)
      .op("i64.and")
      .set(mantissa);
    // Subnormal numbers have the exponent of the smallest normal ones, and no leading 1.
    f.get(exponent).op("i64.eqz");
    f.if(
      () => f.i64(1n).set(exponent),
      () =>
        f
          .get(mantissa)
          .i64(1n << 52n)
          .op("i64.or")
          .set(mantissa),
    );
    return { exponent, mantissa };
  });
  const [left, rest] = [f.local("i64"), f.local("i64")];
  const step = f.local("i64");
  f.get(x.exponent).get(y.exponent).op("i64.sub").set(left);
  f.get(x.mantissa).get(y.mantissa).op("i64.rem_u").set(rest);
  // Eleven bits of the quotient at a time: a rest shifted that far has 64.
  f.block(() => {
    f.loop(() => {
      f.get(left).op("i64.eqz").brIf(1);
      f.i64(11n).get(left).get(left).i64(11n).op("i64.gt_u").op("select").set(step);
      f.get(rest).get(step).op("i64.shl").get(y.mantissa).op("i64.rem_u").set(rest);
      f.get(left).get(step).op("i64.sub").set(left);
      f.br(0);
    });
  });
  // In units of y's last place, a power of two that may be subnormal.
  f.get(rest).op("f64.convert_i64_u");
  f.get(y.exponent)
    .i64(52n)
    .op("i64.shl")
    .op("f64.reinterpret_i64")
    .f64(2 ** -52)
    .op("f64.mul")
    .op("f64.mul");
  f.get(0).op("f64.copysign");
}
