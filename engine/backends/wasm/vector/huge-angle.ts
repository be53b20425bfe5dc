// Where an angle of any size lies between multiples of pi/2 (Payne and Hanek 1983): the bits of x * 2/pi that count, by
// integer products. One lane at a time, in a function of its own: it is for angles beyond 2^20 and next to multiples.

import type { FunctionBuilder } from "../assembler/asm.ts";
import type { Pair } from "./doubles.ts";
import type { Env } from "./env.ts";
import type { Local, Vector } from "./vector.ts";

/** The first 1216 bits of 2/pi behind the binary point. */
const twoOverPi =
  "a2f9836e4e441529fc2757d1f534ddc0db6295993c439041fe5163abdebbc561b7246e3a424dd2e006492eea09d1921cfe1deb1cb129a73e" +
  "e88235f52ebb4484e99c7026b45f7e413991d639835339f49c845f8bbdf9283b1ff897ffde05980fef2f118b5a0a6d1f6d367ecf27cb09b7" +
  "4f463f669e5fea2d7527bac7ebe5f17b3d0739f78a5292ea6bfb5fb11f8d5d0856033046fc7b6bab";

/** 64 zero bits, then those of 2/pi: as words of 64 bits, the low half first. */
const words = Array.from(`${"0".repeat(16)}${twoOverPi}`.matchAll(/(.{8})(.{8})/g), ([, high, low]) => [
  Number.parseInt(low, 16),
  Number.parseInt(high, 16),
]).flat();

/** A quarter turn times hi + lo, at most half of one, and `quadrant` quarter turns. */
interface Turn extends Pair {
  readonly quadrant: Local;
}

export function hugeTurn(v: Vector, x: Local): Turn {
  const { f, env } = v;
  const results = { hi: v.fresh(), lo: v.fresh(), quadrant: v.fresh() };
  const [hi, lo] = [v.fresh("f64"), v.fresh("f64")];
  const quadrant = v.fresh("i64");
  const index = env.helper("turn", () => turnFunction(env));
  for (const lane of [0, 1]) {
    f.get(x).lane("f64x2.extract_lane", lane).call(index).set(quadrant).set(lo).set(hi);
    f.get(results.hi).get(hi).lane("f64x2.replace_lane", lane).set(results.hi);
    f.get(results.lo).get(lo).lane("f64x2.replace_lane", lane).set(results.lo);
    f.get(results.quadrant).get(quadrant).lane("i64x2.replace_lane", lane).set(results.quadrant);
  }
  return results;
}

/** (x: f64) -> (hi: f64, lo: f64, quadrant: i64). Nothing for |x| < 1/2; something finite for what is no number. */
function turnFunction(env: Env): number {
  const table = env.heap.table("2/pi", words);
  return env.module.func("turn", ["f64"], ["f64", "f64", "i64"], (f) => emitTurn(f, table));
}

function emitTurn(f: FunctionBuilder, table: number): void {
  const bits = f.local("i64");
  const mantissa = f.local("i64");
  const exponent = f.local("i64");
  const product = [f.local("i64"), f.local("i64"), f.local("i64")] as const;
  const [high, middle, low] = product;
  f.get(0)
    .op("i64.reinterpret_f64")
    .i64((1n << 63n) - 1n)
    .op("i64.and")
    .tee(bits);
  f.i64(52n).op("i64.shr_u").tee(exponent).i64(1022n).op("i64.lt_u");
  f.if(() => f.f64(0).f64(0).i64(0n).ret());
  f.get(bits)
    .i64((1n << 52n) - 1n)
    .op("i64.and")
    .i64(1n << 52n)
    .op("i64.or")
    .set(mantissa);

  // x = mantissa 2^E: bits of 2/pi worth 2^(2 - E) and more make whole turns. Read 192 bits from the one after these:
  // modulo 2^192 the product with the mantissa is x * 2/pi modulo 4, in units of 2^-190.
  const position = f.local("i64");
  f.get(exponent)
    .i64(1075n - 62n)
    .op("i64.sub")
    .set(position);
  const part = [f.local("i64"), f.local("i64"), f.local("i64")] as const;
  readBits(f, position, table, part);
  f.get(mantissa).get(part[2]).op("i64.mul").set(low);
  const below = f.local("i64");
  f.get(mantissa).get(part[1]).op("i64.mul").set(below);
  upperProduct(f, mantissa, part[2]);
  f.get(below).op("i64.add").tee(middle);
  // Whether the sum of the middle words carried.
  f.get(below).op("i64.lt_u").op("i64.extend_i32_u");
  f.get(mantissa).get(part[0]).op("i64.mul").op("i64.add");
  upperProduct(f, mantissa, part[1]);
  f.op("i64.add").set(high);

  // The nearest whole number is the quadrant; what is left is between -1/2 and 1/2, its size in `product`.
  const quadrant = f.local("i64");
  const negative = f.local("i64");
  f.get(high)
    .i64(1n << 61n)
    .op("i64.add")
    .i64(62n)
    .op("i64.shr_u")
    .tee(quadrant);
  f.i64(62n).op("i64.shl").set(below);
  f.get(high).get(below).op("i64.sub").tee(high).i64(63n).op("i64.shr_s").set(negative);
  // One's complement where it is below 0: an error of 2^-190.
  for (const word of product) f.get(word).get(negative).op("i64.xor").set(word);

  // At most 62 leading zeros (no f64 is closer to a multiple of pi/2): shifted away, 66 bits of worth stay.
  const zeros = f.local("i64");
  f.get(high).op("i64.clz").tee(zeros).i64(64n).op("i64.eq");
  f.if(() => {
    f.get(middle).set(high).get(low).set(middle).i64(0n).set(low);
    f.get(high).op("i64.clz").i64(64n).op("i64.add").set(zeros);
  });
  const shifted = (into: number, word: number, next: number): void => {
    f.get(word).get(zeros).op("i64.shl");
    f.get(next).i64(1n).op("i64.shr_u").get(zeros).i64(-1n).op("i64.xor").op("i64.shr_u").op("i64.or").set(into);
  };
  shifted(high, high, middle);
  shifted(middle, middle, low);
  // 53 bits are the head, the next 64 the tail: times 2^(2 - zeros - 53) and 2^(2 - zeros - 117), with the sign of both.
  const unit = f.local("f64");
  f.i64(1023n + 2n - 53n)
    .get(zeros)
    .op("i64.sub")
    .i64(52n)
    .op("i64.shl")
    .op("f64.reinterpret_i64");
  f.f64(1).get(negative).op("f64.convert_i64_s").f64(2).op("f64.mul").op("f64.add").op("f64.mul");
  f.f64(1).get(0).op("f64.copysign").op("f64.mul").set(unit);
  f.get(high).i64(11n).op("i64.shr_u").op("f64.convert_i64_u").get(unit).op("f64.mul");
  f.get(high).i64(53n).op("i64.shl").get(middle).i64(11n).op("i64.shr_u").op("i64.or").op("f64.convert_i64_u");
  f.get(unit)
    .op("f64.mul")
    .f64(2 ** -64)
    .op("f64.mul");
  // Minus the quadrant for negative x.
  const sign = f.local("i64");
  f.get(0).op("i64.reinterpret_f64").i64(63n).op("i64.shr_s").set(sign);
  f.get(quadrant).get(sign).op("i64.xor").get(sign).op("i64.sub");
}

/** 192 bits of the table from a bit on, the highest word first. */
function readBits(f: FunctionBuilder, position: number, table: number, into: readonly number[]): void {
  const address = f.local("i32");
  f.get(position).i64(6n).op("i64.shr_u").op("i32.wrap_i64").i32(3).op("i32.shl").set(address);
  into.forEach((word, i) => {
    f.get(address)
      .load("i64.load", table + 8 * i)
      .get(position)
      .op("i64.shl");
    // The bits from the next word: none if the position is a whole number of words.
    f.get(address)
      .load("i64.load", table + 8 * i + 8)
      .i64(1n)
      .op("i64.shr_u");
    f.get(position).i64(-1n).op("i64.xor").op("i64.shr_u").op("i64.or").set(word);
  });
}

/** Pushes the upper 64 of the 117 bits of a product with a mantissa. */
function upperProduct(f: FunctionBuilder, mantissa: number, word: number): void {
  const mask = (1n << 32n) - 1n;
  const [a, b, c] = [f.local("i64"), f.local("i64"), f.local("i64")];
  const lowOf = (local: number) => f.get(local).i64(mask).op("i64.and");
  const highOf = (local: number) => f.get(local).i64(32n).op("i64.shr_u");
  lowOf(mantissa);
  lowOf(word).op("i64.mul").set(a);
  highOf(mantissa);
  lowOf(word).op("i64.mul");
  highOf(a).op("i64.add").set(b);
  lowOf(mantissa);
  highOf(word).op("i64.mul");
  lowOf(b).op("i64.add").set(c);
  highOf(mantissa);
  highOf(word).op("i64.mul");
  highOf(b).op("i64.add");
  highOf(c).op("i64.add");
}
