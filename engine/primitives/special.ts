// Special functions JavaScript's Math lacks, in f64: the oracle's side of the accuracy contract.

const twoOverSqrtPi = 1.1283791670955126;

/** Error function to 2 ulp: the power series for |x| < 1, 1 - erfc by a continued fraction beyond. */
export function erf(x: number): number {
  const a = Math.abs(x);
  if (Number.isNaN(x) || x === 0) return x;
  if (a >= 6) return Math.sign(x);
  return a < 1 ? erfSeries(x) : Math.sign(x) * (1 - erfcTail(a));
}

// erf x = 2/sqrt(pi) (x - x^3/3 + x^5/(2! 5) - ...)  (Abramowitz & Stegun 7.1.5), small terms first.
function erfSeries(x: number): number {
  let rest = 0;
  for (let n = 20; n >= 1; n--) rest = ((rest + 1 / (2 * n + 1)) * -(x * x)) / n;
  return twoOverSqrtPi * (x + x * rest);
}

// erfc x = exp(-x^2)/sqrt(pi) * 1/(x + (1/2)/(x + 1/(x + (3/2)/(x + ...)))) (A&S 7.1.14), evaluated from the far end.
function erfcTail(x: number): number {
  let f = x;
  // What is left out after k terms is about exp(-x sqrt(8 k)).
  for (let k = Math.ceil(200 / (x * x)); k >= 1; k--) f = x + k / 2 / f;
  return Math.exp(-x * x) / (Math.sqrt(Math.PI) * f);
}

/** Round half to even, as IEEE 754 and the SIMD instruction `nearest` do. */
export function roundHalfEven(x: number): number {
  const floor = Math.floor(x);
  const fraction = x - floor;
  if (fraction < 0.5) return floor === 0 && Object.is(Math.sign(x), -0) ? -0 : floor;
  if (fraction > 0.5) return floor + 1 === 0 ? -0 : floor + 1;
  const even = floor % 2 === 0 ? floor : floor + 1;
  return even === 0 && x < 0 ? -0 : even;
}

/** 1 / (1 + exp(-x)) without overflow and without losing small results. */
export function sigmoid(x: number): number {
  if (x >= 0) return 1 / (1 + Math.exp(-x));
  const e = Math.exp(x);
  return e / (1 + e);
}

/** Remainder with the sign of the divisor (Python's %): x - floor(x / y) * y. */
export function remainder(x: number, y: number): number {
  const r = x % y;
  return r !== 0 && r < 0 !== y < 0 ? r + y : r;
}
