// Uniform numbers from Threefry-2x32-20, four (or two) counters at a time: the same bits as engine/random.ts.

import type { DType } from "../../../dtype.ts";
import { threefryRotations } from "../../../random.ts";
import type { Width } from "./lanes.ts";
import type { Local, Vector } from "./vector.ts";

const parity = 0x1bd11bda;

/**
 * Arguments are key0, key1, counter and index, all i32: threefry(key; index, counter) as a number in [0, 1), or as a whole
 * number in [0, bound), the 32 bits of a bound of 2^32 being 0.
 */
export function uniform(
  v: Vector,
  width: Width,
  dtype: DType,
  [k0, k1, counter, index]: readonly Local[],
  bound: number | undefined,
): Local {
  const [x0, x1] = threefry(v, k0, k1, index, counter);
  if (dtype === "i32") {
    const limit = (bound as number) >>> 0 || 2 ** 32;
    const lower = below(v, x0, x1, limit);
    return width === 2 ? lower : v.join(lower, below(v, v.upper(x0), v.upper(x1), limit));
  }
  if (dtype === "f32") {
    return v.op("f32x4.mul", v.op("f32x4.convert_i32x4_u", v.shift("i32x4.shr_u", x0, 8)), v.f32(2 ** -24));
  }
  const high = v.op("f64x2.convert_low_i32x4_u", v.shift("i32x4.shr_u", x0, 11));
  const low = v.op("f64x2.convert_low_i32x4_u", x1);
  return v.op("f64x2.mul", v.op("f64x2.add", v.op("f64x2.mul", high, v.f64(4294967296)), low), v.f64(2 ** -53));
}

/** The two lower lanes of `uniformBelow`. */
function below(v: Vector, x0: Local, x1: Local, bound: number): Local {
  const high = v.op("f64x2.convert_low_i32x4_u", v.shift("i32x4.shr_u", x0, 11));
  const low = v.op("f64x2.convert_low_i32x4_u", x1);
  const times = (x: Local, factor: number) => v.op("f64x2.mul", x, v.f64(factor));
  const shifted = (x: Local, bits: number) => v.op("f64x2.floor", times(x, 2 ** -bits));
  const carried = v.op("f64x2.add", times(low, Math.floor(bound / 65536)), shifted(times(low, bound % 65536), 16));
  const product = v.op("f64x2.add", times(high, bound), shifted(carried, 16));
  return v.op("i32x4.trunc_sat_f64x2_u_zero", shifted(product, 21));
}

function threefry(v: Vector, k0: Local, k1: Local, c0: Local, c1: Local): [Local, Local] {
  const add = (a: Local, b: Local) => v.op("i32x4.add", a, b);
  const keys = [k0, k1, v.op("v128.xor", v.i32(parity), v.op("v128.xor", k0, k1))];
  let x0 = add(c0, k0);
  let x1 = add(c1, k1);
  for (let group = 0; group < 5; group++) {
    for (const r of threefryRotations[group & 1]) {
      x0 = add(x0, x1);
      const rotated = v.op("v128.or", v.shift("i32x4.shl", x1, r), v.shift("i32x4.shr_u", x1, 32 - r));
      x1 = v.op("v128.xor", rotated, x0);
    }
    x0 = add(x0, keys[(group + 1) % 3]);
    x1 = add(add(x1, keys[(group + 2) % 3]), v.i32(group + 1));
  }
  return [x0, x1];
}
