// Elementary functions of f64 to more than 150 bits: integers scaled by powers of two, series, and constants computed
// here. Nothing is shared with what it judges.

import type { UnaryFloatOp } from "../../../engine/graph/vocabulary.ts";

/** m * 2^e. */
export interface Big {
  readonly m: bigint;
  readonly e: number;
}

/** Fraction bits of a fixed-point number. */
const bits = 256;
const P = BigInt(bits);
const one = 1n << P;

const scaled = (m: bigint, by: number): bigint => (by >= 0 ? m << BigInt(by) : m >> BigInt(-by));
const sizeOf = (m: bigint): number => (m < 0n ? -m : m).toString(16).length * 4;
/** Without bits that do not count. */
const trimmed = ({ m, e }: Big): Big => {
  const excess = sizeOf(m) - 2 * bits;
  return excess > 0 ? { m: scaled(m, -excess), e: e + excess } : { m, e };
};
const fixed = ({ m, e }: Big): bigint => scaled(m, e + bits);
const ofFixed = (m: bigint): Big => ({ m, e: -bits });
const times = (a: Big, b: Big): Big => trimmed({ m: a.m * b.m, e: a.e + b.e });
const plus = (a: Big, b: Big): Big => {
  // What is that much smaller does not count.
  if (b.e + sizeOf(b.m) < a.e - 2 * bits) return a;
  if (a.e + sizeOf(a.m) < b.e - 2 * bits) return b;
  const e = Math.min(a.e, b.e);
  return trimmed({ m: scaled(a.m, a.e - e) + scaled(b.m, b.e - e), e });
};
const over = (a: Big, b: Big): Big => {
  const room = Math.max(0, 2 * bits + sizeOf(b.m) - sizeOf(a.m));
  return { m: scaled(a.m, room) / b.m, e: a.e - room - b.e };
};
const unit: Big = { m: 1n, e: 0 };

const view = new DataView(new ArrayBuffer(8));

/** A finite number, exactly. */
export function exactly(x: number): Big {
  view.setFloat64(0, x);
  const word = view.getBigUint64(0);
  const exponent = Number((word >> 52n) & 0x7ffn);
  const fraction = word & ((1n << 52n) - 1n);
  const m = exponent === 0 ? fraction : fraction | (1n << 52n);
  return { m: word >> 63n ? -m : m, e: Math.max(exponent, 1) - 1075 };
}

/** sum of c_k x^k for fixed-point x, where c_k = c_(k-1) * p(k) / q(k) and c_0 = 1. */
function series(x: bigint, p: (k: number) => number, q: (k: number) => number): bigint {
  let term = one;
  let sum = one;
  for (let k = 1; term !== 0n && term !== -1n; k++) {
    term = (((term * x) >> P) * BigInt(p(k))) / BigInt(q(k));
    sum += term;
  }
  return sum;
}

/** sum of x^k / (2k + 1): artanh(s) = s times it at s^2. */
function artanhSeries(x: bigint): bigint {
  let power = one;
  let sum = one;
  for (let k = 1; power !== 0n; k++) {
    power = (power * x) >> P;
    sum += power / BigInt(2 * k + 1);
  }
  return sum;
}

const artanh = (s: bigint): bigint => (s * artanhSeries((s * s) >> P)) >> P;
const ln2 = 2n * artanh(one / 3n);

/** pi with 1700 bits behind the point, by Machin's formula. */
const piBits = 1700;
const pi = ((): bigint => {
  const whole = 1n << BigInt(piBits + 32);
  const arctan = (n: bigint): bigint => {
    let power = whole / n;
    let sum = power;
    for (let k = 1n; power !== 0n; k++) {
      power /= -n * n;
      sum += power / (2n * k + 1n);
    }
    return sum;
  };
  return (4n * (4n * arctan(5n) - arctan(239n))) >> 32n;
})();

function root(m: bigint): bigint {
  let x = 1n << BigInt(Math.ceil(sizeOf(m) / 2));
  for (;;) {
    const next = (x + m / x) >> 1n;
    if (next >= x) return x;
    x = next;
  }
}

function expBig(x: Big): Big {
  // Beyond all that counts: any number as large or as small does.
  if (Math.abs(approximate(x)) > 1e5) return { m: 1n, e: x.m > 0n ? 1e5 : -1e5 };
  const wide = fixed(x);
  const n = (wide + ln2 / 2n) / ln2 - (wide + ln2 / 2n < 0n ? 1n : 0n);
  const r = wide - n * ln2;
  return {
    m: series(
      r,
      () => 1,
      (k) => k,
    ),
    e: Number(n) - bits,
  };
}

function expm1Big(x: Big): Big {
  if (Math.abs(approximate(x)) > 0.5) return plus(expBig(x), { m: -1n, e: 0 });
  const rest = series(
    fixed(x),
    () => 1,
    (k) => k + 1,
  );
  return times(x, ofFixed(rest));
}

/** log of a positive number. */
function logBig(x: Big): Big {
  let e = x.e + sizeOf(x.m);
  let m = scaled(x.m, bits - sizeOf(x.m));
  while (m < (one * 7n) / 10n) {
    m <<= 1n;
    e -= 1;
  }
  const s = ((m - one) << P) / (m + one);
  return ofFixed(BigInt(e) * ln2 + 2n * artanh(s));
}

function log1pBig(x: Big): Big {
  if (Math.abs(approximate(x)) > 2 ** -8) return logBig(plus(x, unit));
  // 2 artanh(x / (2 + x)).
  const s = over(x, plus(x, { m: 2n, e: 0 }));
  const wide = fixed(s);
  return times({ m: s.m, e: s.e + 1 }, ofFixed(artanhSeries((wide * wide) >> P)));
}

/** r and n with x = n pi/2 + r. */
function reduced(x: Big): { readonly r: Big; readonly n: number } {
  const wide = scaled(x.m, x.e + piBits);
  const half = pi >> 1n;
  const n = (2n * wide + half) / pi - (2n * wide + half < 0n ? 1n : 0n);
  return { r: n === 0n ? x : { m: 2n * wide - n * pi, e: -piBits - 1 }, n: Number(((n % 4n) + 4n) % 4n) };
}

function sinusoid(x: Big, turns: number): Big {
  const { r, n } = reduced(x);
  const quadrant = (n + turns) % 4;
  const square = fixed(times(r, r));
  const offset = quadrant % 2 === 0 ? 1 : -1;
  const sum = ofFixed(
    series(
      square,
      () => -1,
      (k) => 2 * k * (2 * k + offset),
    ),
  );
  const value = quadrant % 2 === 0 ? times(r, sum) : sum;
  return quadrant < 2 ? value : { m: -value.m, e: value.e };
}

const twoOverRootPi = over({ m: 2n, e: 0 }, { m: root(scaled(pi, 2 * bits - piBits)), e: -bits });

/** 2/sqrt(pi) e^(-x^2) x sum of (2 x^2)^k / (2k + 1)!!. */
function erfBig(x: Big): Big {
  if (Math.abs(approximate(x)) > 7) return { m: x.m < 0n ? -1n : 1n, e: 0 };
  const square = times(x, x);
  const sum = ofFixed(
    series(
      fixed(square),
      () => 2,
      (k) => 2 * k + 1,
    ),
  );
  return times(times(times(twoOverRootPi, x), expBig({ m: -square.m, e: square.e })), sum);
}

function rootBig(x: Big): Big {
  const room = 2 * bits + ((x.e & 1) as number);
  return { m: root(scaled(x.m, room)), e: (x.e - room) / 2 };
}

const twice = ({ m, e }: Big): Big => ({ m, e: e + 1 });

const unary: Readonly<Record<UnaryFloatOp, (x: Big) => Big>> = {
  sqrt: rootBig,
  rsqrt: (x) => over(unit, rootBig(x)),
  exp: expBig,
  exp2: (x) => expBig(times(x, ofFixed(ln2))),
  expm1: expm1Big,
  log: logBig,
  log2: (x) => over(logBig(x), ofFixed(ln2)),
  log1p: log1pBig,
  sin: (x) => sinusoid(x, 0),
  cos: (x) => sinusoid(x, 1),
  tanh: (x) => {
    const e = expm1Big(twice(x));
    return over(e, plus(e, { m: 2n, e: 0 }));
  },
  sigmoid: (x) => over(unit, plus(unit, expBig({ m: -x.m, e: x.e }))),
  erf: erfBig,
};

function power(x: Big, y: Big): Big {
  const result = expBig(times(y, logBig({ m: x.m < 0n ? -x.m : x.m, e: x.e })));
  const odd = y.e >= 0 ? y.e === 0 && y.m & 1n : (y.m >> BigInt(-y.e)) & 1n;
  return x.m < 0n && odd ? { m: -result.m, e: result.e } : result;
}

/** The function's value at finite arguments inside its domain, where it is neither 0 nor infinite. */
export const exactValue = (fn: UnaryFloatOp | "pow", args: readonly number[]): Big => {
  const [x, y] = args.map(exactly);
  return fn === "pow" ? power(x, y) : unary[fn](x);
};

/** For comparisons of size only. */
function approximate({ m, e }: Big): number {
  const excess = Math.max(0, sizeOf(m) - 64);
  const by = e + excess;
  return Number(scaled(m, -excess)) * 2 ** Math.trunc(by / 2) * 2 ** (by - Math.trunc(by / 2));
}

/** |actual - exact| in units of the last place that an f64 of exact's size has. */
export function ulps64(actual: number, exact: Big): number {
  const digits = (exact.m < 0n ? -exact.m : exact.m).toString(2).length;
  const last = Math.max(-1074, exact.e + digits - 53);
  // Infinity stands for 2^1024, an error of a step from the largest number.
  const value = Number.isFinite(actual) ? exactly(actual) : { m: actual > 0 ? 1n : -1n, e: 1024 };
  if (!Number.isFinite(actual) && exact.e + digits > 1024 && actual > 0 === exact.m > 0n) return 0;
  const e = Math.min(value.e, exact.e);
  const difference = scaled(value.m, value.e - e) - scaled(exact.m, exact.e - e);
  const steps = Number(scaled(difference < 0n ? -difference : difference, e - last + 40)) / 2 ** 40;
  return Number.isNaN(steps) ? Number.POSITIVE_INFINITY : steps;
}
