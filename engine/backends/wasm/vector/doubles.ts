// f64x2 arithmetic by short names, and pairs of f64: a number as the sum of two that do not overlap, for where 53 bits
// are too few. Exact whether products and sums are fused or not.

import type { Local, Vector } from "./vector.ts";

/** hi + lo with |lo| at most about half a unit of the last place of hi. */
export interface Pair {
  readonly hi: Local;
  readonly lo: Local;
}

/** The upper 26 bits of a mantissa: products of two such parts are exact. */
const upperBits = [-(2 ** 27), -1] as const;

export class Doubles {
  readonly v: Vector;

  constructor(v: Vector) {
    this.v = v;
  }

  add = (a: Local, b: Local): Local => this.v.op("f64x2.add", a, b);
  sub = (a: Local, b: Local): Local => this.v.op("f64x2.sub", a, b);
  mul = (a: Local, b: Local): Local => this.v.op("f64x2.mul", a, b);
  div = (a: Local, b: Local): Local => this.v.op("f64x2.div", a, b);
  abs = (a: Local): Local => this.v.op("f64x2.abs", a);
  /** a * b + c. */
  madd = (a: Local, b: Local, c: Local): Local => this.v.madd64(a, b, c);
  polynomial = (x: Local, coefficients: readonly number[]): Local => this.v.estrin(x, coefficients, "f64");

  /** Clamped with NaN kept: the instruction returns its first operand when a comparison fails. */
  clamp(x: Local, lo: number, hi: number): Local {
    return this.v.op("f64x2.pmax", this.v.op("f64x2.pmin", x, this.v.f64(hi)), this.v.f64(lo));
  }

  /** a with the sign of x, for a without a sign. */
  withSign(a: Local, x: Local): Local {
    return this.v.op("v128.or", a, this.v.op("v128.and", x, this.v.f64(-0)));
  }

  /** a + b, exactly, for |a| >= |b| or a = 0 (Dekker 1971). */
  sum(a: Local, b: Local): Pair {
    const hi = this.add(a, b);
    return { hi, lo: this.sub(b, this.sub(hi, a)) };
  }

  /** The upper 26 bits of the mantissa, and the rest. */
  split(a: Local): Pair {
    const hi = this.v.op("v128.and", a, this.v.i32(...upperBits));
    return { hi, lo: this.sub(a, hi) };
  }

  /** a * b to 105 bits: the rounding error by a fused product, or from products of halves. */
  product(a: Local, b: Local): Pair {
    const { v, mul, add, sub } = this;
    const hi = mul(a, b);
    if (v.env.fma) return { hi, lo: this.madd(a, b, v.op("f64x2.neg", hi)) };
    const x = this.split(a);
    const y = this.split(b);
    const middle = add(sub(mul(x.hi, y.hi), hi), mul(x.hi, y.lo));
    return { hi, lo: add(add(middle, mul(x.lo, y.hi)), mul(x.lo, y.lo)) };
  }

  /** a * b to about 100 bits. */
  times(a: Pair, b: Pair): Pair {
    const { hi, lo } = this.product(a.hi, b.hi);
    return { hi, lo: this.add(lo, this.madd(a.hi, b.lo, this.mul(a.lo, b.hi))) };
  }
}
