// f32x4 functions to 2.5 ulp or better over all inputs, NaN, infinities, signed zeros and subnormals included.

import type { UnaryFloatOp } from "../../../graph/vocabulary.ts";
import { exp, exp2, expm1, sigmoid } from "./math-exp.ts";
import { log, log1p, log2 } from "./math-log.ts";
import { erf, tanh } from "./math-sigmoid.ts";
import { cos, sin } from "./math-trig.ts";
import type { Local, Vector } from "./vector.ts";

export { pow } from "./math-pow.ts";

export const float32: Record<Exclude<UnaryFloatOp, "sqrt" | "rsqrt">, (v: Vector, x: Local) => Local> = {
  exp,
  exp2,
  expm1,
  log,
  log2,
  log1p,
  sin,
  cos,
  tanh,
  sigmoid,
  erf,
};
