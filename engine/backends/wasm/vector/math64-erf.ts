// erf of f64x2: a polynomial below 1, and 1 - erfc from there on, where erfc is e to a polynomial.

import { Doubles } from "./doubles.ts";
import { expInside } from "./math64-exp.ts";
import type { Local, Vector } from "./vector.ts";

/** erf x = x + x p(x^2) for |x| <= 1, to 2^-56: minimax (Remez exchange in 400 bits), rounded. */
const inner = [
  0.1283791670955126, -0.3761263890318375, 0.11283791670954885, -0.026866170645077875, 0.005223977624828431,
  -0.0008548326981425542, 0.0001205533113295582, -1.4925595772180906e-5, 1.64610084778027e-6, -1.6350396222864617e-7,
  1.466032872274226e-8, -1.137495573607015e-9, 5.960685338520971e-11,
];

/** log erfc(1 + t) = p(t) for t in [0, 4.95], the error times erfc at most 2^-56: minimax with that weight, rounded. */
const outer = [
  -1.8496055099332482, -2.6389675142347757, -0.8431072563594125, -0.041561098025082926, 0.010033825179155425,
  -0.0019779012160447288, 0.00023731643585859743, 2.6296323802270096e-5, -2.7198966791394303e-5, 9.6713694732832e-6,
  -2.131933206823097e-6, 2.0480782729521816e-7, 5.801337759139283e-8, -3.339179151376992e-8, 8.518877142681903e-9,
  -1.319115424913128e-9, 1.1932661855857035e-10, -4.865030979434044e-12,
];

export const erf = (v: Vector, x: Local): Local => {
  const d = new Doubles(v);
  const result = v.fresh();
  v.scope(() => {
    v.f.get(d.madd(x, d.polynomial(d.mul(x, x), inner), x)).set(result);
    const size = d.abs(x);
    const large = v.op("f64x2.ge", size, v.f64(1));
    v.whenAny(large, () => {
      // From 5.93 on it rounds to 1.
      const t = d.sub(v.op("f64x2.pmin", size, v.f64(5.95)), v.f64(1));
      const tail = expInside(d, d.polynomial(v.op("f64x2.pmax", t, v.f64(0)), outer));
      v.f.get(v.select(large, d.withSign(d.sub(v.f64(1), tail), x), result)).set(result);
    });
  });
  return result;
};
