// The helper functions kernels call: elementary functions by polynomials. A GPU's own are wrong by up to hundreds of
// ulp and lose NaN and Inf. Only what every mode does alike is used: + - *, comparisons, floor; no bits of floats. No
// helper calls another: gpu.js puts them in an order that GLSL refuses. What they share is pasted (pieces.ts).

import {
  exponential,
  exponential2,
  horner,
  keepNaN,
  ln2High,
  ln2Low,
  logarithm,
  logarithm2,
  power2,
} from "./pieces.ts";
import { below, uniform } from "./random.ts";

export type HelperName =
  | "slExp"
  | "slExp2"
  | "slExpm1"
  | "slLog"
  | "slLog2"
  | "slLog1p"
  | "slTanh"
  | "slSigmoid"
  | "slErf"
  | "slSin"
  | "slCos"
  | "slPow"
  | "slUniform"
  | "slBelow";

/** e^r - 1 = r + r^2 q(r). */
const expm1Q = [0.5, 0.16666666, 0.041666493, 0.008333544, 0.0013932342, 0.00019763393];
/** tanh x = x + x^3 p(x^2) for |x| < 0.6. */
const tanhP = [-0.333333, 0.13331936, -0.053784717, 0.020798625, -0.0058979667];
/** erf x = x + x p(x^2) for |x| < 1. */
const erfP = [0.12837917, -0.37612626, 0.11283579, -0.026853347, 0.005187162, -0.0007997853, 7.806904e-5];
/** -log(1 - erf x) = p(x) on [1, 4]. */
const erfTail = [0.00033938867, 1.1270976, 0.63813126, 0.1031182, -0.02184339, 0.0029489535, -0.0001865077];
/** sin r = r + r^3 s(r^2), cos r = 1 - r^2/2 + r^4 c(r^2) for |r| <= pi/4. */
const sinS = [-0.16666655242443085, 0.008332173340022564, -0.00019516651809681207];
const cosC = [0.04166664555668831, -0.001388736185617745, 2.44377224589698e-5];

/** pi/2 in parts: products of the first ones with a small whole number are exact. */
const halfPi = [1.5703125, 4.837512969970703e-4, 7.549790126404332e-8];

const exp = `function slExp(x, inf) {
  ${exponential("e", "x")}
  return ey;
}`;

const exp2 = `function slExp2(x, inf) {
  ${exponential2("e", "x")}
  return ey;
}`;

const expm1 = `function slExpm1(x, inf) {
  const c = Math.max(-25, Math.min(88.8, x));
  const n = Math.floor(c * 1.4426950408889634 + 0.5);
  const r = (c - n * ${ln2High}) + n * ${ln2Low};
  const p = r + r * r * (${horner("r", expm1Q)});
  const k = n - 1;
  ${power2("k", "k")}
  const half = ks * p + (ks - 0.5);
  let y = half + half;
  if (x > 88.73) { y = inf; }
  if (Math.abs(x) < 2.9802322387695312e-8) { y = x; }
  ${keepNaN("y", "x")}
  return y;
}`;

const log = `function slLog(x, inf, nan) {
  ${logarithm("l", "x")}
  return ly;
}`;

const log2 = `function slLog2(x, inf, nan) {
  ${logarithm2("l", "x")}
  return ly;
}`;

/** What rounding 1 + x lost is put back; with a literal 1, compilers take x - ((x + 1) - 1) for 0. */
const log1p = `function slLog1p(x, inf, nan, one) {
  const w = x + one;
  const lost = x - (w - one);
  ${logarithm("l", "w")}
  let y = ly;
  if (w > 0) { if (x < 1e9) { y = y + lost / w; } }
  if (Math.abs(x) < 2.9802322387695312e-8) { y = x; }
  return y;
}`;

const tanh = `function slTanh(x, inf) {
  const t = Math.abs(x);
  const s = x * x;
  let y = x + s * x * (${horner("s", tanhP)});
  if (t >= 0.6) {
    const c = Math.min(t, 9.1);
    const d = c + c;
    ${exponential("e", "d")}
    const u = 1 - 2 / (ey + 1);
    y = u;
    if (x < 0) { y = -u; }
  }
  return y;
}`;

const sigmoid = `function slSigmoid(x, inf) {
  const a = -Math.abs(x);
  ${exponential("e", "a")}
  let top = 1;
  if (x < 0) { top = ey; }
  let y = top / (ey + 1);
  ${keepNaN("y", "x")}
  return y;
}`;

const erf = `function slErf(x, inf) {
  const t = Math.abs(x);
  const s = x * x;
  let y = x + x * (${horner("s", erfP)});
  if (t < 0.0001) { y = x * 1.1283791670955126; }
  if (t >= 1) {
    const c = Math.min(t, 4);
    const d = -(${horner("c", erfTail)});
    ${exponential("e", "d")}
    const u = 1 - ey;
    y = u;
    if (x < 0) { y = -u; }
  }
  return y;
}`;

const wave = (name: string, turn: number): string => `function ${name}(x) {
  const n = Math.floor(x * ${2 / Math.PI} + 0.5);
  const r = ((x - n * ${halfPi[0]}) - n * ${halfPi[1]}) - n * ${halfPi[2]};
  const s = r * r;
  const sine = r + s * r * (${horner("s", sinS)});
  const cosine = 1 - s * 0.5 + s * s * (${horner("s", cosC)});
  const turns = n + ${turn};
  const half = Math.floor(turns * 0.5);
  let y = sine;
  if (turns - half * 2 > 0.5) { y = cosine; }
  if (half - Math.floor(half * 0.5) * 2 > 0.5) { y = -y; }
  return y;
}`;

/** Whole powers by multiplication, exact where f32 is; others by logarithm. */
const pow = `function slPow(x, y, inf, nan) {
  const t = Math.abs(y);
  const whole = Math.floor(t);
  let result = 1;
  if (whole === t && t <= 64) {
    let base = x;
    let left = t;
    for (let i = 0; i < 7; i++) {
      const next = Math.floor(left * 0.5);
      if (left - next * 2 > 0.5) { result = result * base; }
      base = base * base;
      left = next;
    }
    if (y < 0) { result = 1 / result; }
    if (y < 0 && x === 0) { result = inf; }
  } else {
    const size = Math.abs(x);
    ${logarithm2("l", "size")}
    const product = y * ly;
    ${exponential2("e", "product")}
    result = ey;
    if (x < 0) {
      if (whole === t) {
        const half = Math.floor(t * 0.5);
        if (t - half * 2 > 0.5) { result = -result; }
      } else {
        result = nan;
      }
    }
    ${keepNaN("result", "y")}
  }
  return result;
}`;

const sources: Record<HelperName, string> = {
  ...{ slExp: exp, slExp2: exp2, slExpm1: expm1, slLog: log, slLog2: log2, slLog1p: log1p },
  ...{ slTanh: tanh, slSigmoid: sigmoid, slErf: erf, slPow: pow },
  ...{ slUniform: uniform, slBelow: below },
  ...{ slSin: wave("slSin", 0), slCos: wave("slCos", 1) },
};

/** The sources of helpers. */
export const helperSource = (names: Iterable<HelperName>): string[] => [...names].map((name) => sources[name]);
