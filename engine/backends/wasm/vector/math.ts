// Functions of floats as vector code, by dtype: f32 to 2.5 ulp or better and f64 to 2, over all inputs, NaN, infinities,
// signed zeros and subnormals included.

import type { UnaryFloatOp } from "../../../graph/vocabulary.ts";
import type { Width } from "./lanes.ts";
import { exp, exp2, expm1, expOfNegative, sigmoid } from "./math-exp.ts";
import { log, log1p, log2 } from "./math-log.ts";
import { pow } from "./math-pow.ts";
import { erf, tanh } from "./math-sigmoid.ts";
import { cos, sin } from "./math-trig.ts";
import { erf as erf64 } from "./math64-erf.ts";
import * as exp64 from "./math64-exp.ts";
import * as log64 from "./math64-log.ts";
import { pow as pow64 } from "./math64-pow.ts";
import { cos as cos64, sin as sin64 } from "./math64-trig.ts";
import { remainder32, remainder64 } from "./remainder.ts";
import type { Local, Vector } from "./vector.ts";

export type Elementary = Exclude<UnaryFloatOp, "sqrt" | "rsqrt">;

/** `width` says how many of the lanes count. */
interface Functions {
  /** exp of what is at most 0. */
  readonly expOfNegative: (v: Vector, x: Local) => Local;
  readonly unary: Readonly<Record<Elementary, (v: Vector, x: Local) => Local>>;
  readonly binary: Readonly<Record<"pow" | "remainder", (v: Vector, x: Local, y: Local, width: Width) => Local>>;
}

export const functions: Readonly<Record<"f32" | "f64", Functions>> = {
  f32: {
    expOfNegative,
    unary: { exp, exp2, expm1, log, log2, log1p, sin, cos, tanh, sigmoid, erf },
    binary: { pow, remainder: remainder32 },
  },
  f64: {
    expOfNegative: exp64.exp,
    unary: {
      exp: exp64.exp,
      exp2: exp64.exp2,
      expm1: exp64.expm1,
      log: log64.log,
      log2: log64.log2,
      log1p: log64.log1p,
      sin: sin64,
      cos: cos64,
      tanh: exp64.tanh,
      sigmoid: exp64.sigmoid,
      erf: erf64,
    },
    binary: { pow: pow64, remainder: remainder64 },
  },
};
