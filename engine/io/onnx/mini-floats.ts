// Floats of 16 bits and fewer: their bits to numbers, and numbers rounded to what they can hold.

export interface MiniFloat {
  readonly exponentBits: number;
  readonly fractionBits: number;
  readonly bias: number;
  /** What the largest exponent means: IEEE's Inf and NaN; numbers but for the pattern of all ones; or numbers only. */
  readonly top: "ieee" | "nan" | "finite";
  /** "fnuz": no -0, whose pattern is the only NaN. */
  readonly unsignedZero?: boolean;
  /** No sign bit and no zero: a power of two (float8e8m0). */
  readonly powersOnly?: boolean;
}

const mini = (
  exponentBits: number,
  fractionBits: number,
  top: MiniFloat["top"],
  rest: Partial<MiniFloat> = {},
): MiniFloat => ({ exponentBits, fractionBits, bias: 2 ** (exponentBits - 1) - 1, top, ...rest });

export const miniFloats = {
  float16: mini(5, 10, "ieee"),
  bfloat16: mini(8, 7, "ieee"),
  float8e4m3fn: mini(4, 3, "nan"),
  float8e4m3fnuz: mini(4, 3, "finite", { bias: 8, unsignedZero: true }),
  float8e5m2: mini(5, 2, "ieee"),
  float8e5m2fnuz: mini(5, 2, "finite", { bias: 16, unsignedZero: true }),
  float4e2m1: mini(2, 1, "finite"),
  float8e8m0: mini(8, 0, "nan", { powersOnly: true }),
} as const;

/** The largest finite number. */
export function largestOf({ exponentBits, fractionBits, bias, top, powersOnly }: MiniFloat): number {
  const last = 2 ** exponentBits - 1;
  if (powersOnly) return 2 ** (last - 1 - bias);
  const fraction = 2 ** fractionBits;
  if (top === "ieee") return (2 - 1 / fraction) * 2 ** (last - 1 - bias);
  return ((2 * fraction - (top === "nan" ? 2 : 1)) / fraction) * 2 ** (last - bias);
}

/** Halves to even. */
function roundEven(value: number): number {
  const low = Math.floor(value);
  const rest = value - low;
  return rest > 0.5 || (rest === 0.5 && low % 2 !== 0) ? low + 1 : low;
}

/** 2^e with e = floor(log2(size)), exactly. */
function powerBelow(size: number): number {
  const power = 2 ** Math.floor(Math.log2(size));
  return power > size ? power / 2 : power * 2 <= size ? power * 2 : power;
}

/** Rounded to the nearest, ties to even. Beyond the largest: Inf where there is one, NaN where not. */
export function roundToMini(format: MiniFloat, value: number): number {
  const { fractionBits, bias, top, unsignedZero, powersOnly } = format;
  // A format of numbers only has no NaN either: ONNX's cases expect 0.
  if (Number.isNaN(value)) return top === "finite" && !unsignedZero ? 0 : value;
  const size = Math.abs(value);
  if (powersOnly) return value > 0 && size <= largestOf(format) ? powerBelow(size) : Number.NaN;
  const overflow = top === "ieee" ? Math.sign(value) * Number.POSITIVE_INFINITY : Number.NaN;
  if (size === Number.POSITIVE_INFINITY) return overflow;
  const step = Math.max(size === 0 ? 0 : powerBelow(size), 2 ** (1 - bias)) * 2 ** -fractionBits;
  const rounded = roundEven(size / step) * step;
  // What lies beyond the largest, once rounded as if exponents went on, overflows.
  if (rounded > largestOf(format)) return overflow;
  if (rounded === 0 && unsignedZero) return 0;
  return value < 0 || Object.is(value, -0) ? -rounded : rounded;
}

/** The largest finite number instead of an overflow, of infinities too (as casts that saturate do). */
export function saturateToMini(format: MiniFloat, value: number): number {
  const most = largestOf(format);
  return roundToMini(format, Math.min(Math.max(value, format.powersOnly ? 2 ** -format.bias : -most), most));
}

/** The number these bits are. */
export function miniFromBits(format: MiniFloat, bits: number): number {
  const { exponentBits, fractionBits, bias, top, unsignedZero, powersOnly } = format;
  const last = 2 ** exponentBits - 1;
  if (powersOnly) return bits === last ? Number.NaN : 2 ** (bits - bias);
  const negative = ((bits >> (exponentBits + fractionBits)) & 1) === 1;
  const exponent = (bits >> fractionBits) & last;
  const fraction = (bits & (2 ** fractionBits - 1)) / 2 ** fractionBits;
  const sign = negative ? -1 : 1;
  if (unsignedZero && negative && exponent === 0 && fraction === 0) return Number.NaN;
  if (exponent === last && top === "ieee") return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  if (exponent === last && top === "nan" && fraction === 1 - 2 ** -fractionBits) return Number.NaN;
  return exponent === 0 ? sign * fraction * 2 ** (1 - bias) : sign * (1 + fraction) * 2 ** (exponent - bias);
}

/** The bits of a number that the format holds exactly. */
export function bitsOfMini(format: MiniFloat, value: number): number {
  const { exponentBits, fractionBits, bias, top, unsignedZero, powersOnly } = format;
  const last = 2 ** exponentBits - 1;
  if (powersOnly) return Number.isNaN(value) ? last : Math.round(Math.log2(value)) + bias;
  const signAt = 2 ** (exponentBits + fractionBits);
  if (Number.isNaN(value)) {
    if (unsignedZero) return signAt;
    return last * 2 ** fractionBits + (top === "ieee" ? 2 ** (fractionBits - 1) : 2 ** fractionBits - 1);
  }
  const sign = value < 0 || Object.is(value, -0) ? signAt : 0;
  const size = Math.abs(value);
  if (size === Number.POSITIVE_INFINITY) return sign + last * 2 ** fractionBits;
  if (size < 2 ** (1 - bias)) return sign + size / 2 ** (1 - bias - fractionBits);
  const power = powerBelow(size);
  return sign + (Math.log2(power) + bias) * 2 ** fractionBits + (size / power - 1) * 2 ** fractionBits;
}
