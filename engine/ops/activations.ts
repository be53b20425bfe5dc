// Activation functions. Forms are chosen so that no infinity meets a zero: limits at +-Inf are right, forward and back.

import { customGradient } from "../autodiff.ts";
import { ArgumentError } from "../errors.ts";
import { operation } from "../operation.ts";
import type { Tensor } from "../tensor.ts";
import {
  abs,
  add,
  equal,
  erf,
  exp,
  expm1,
  less,
  lessEqual,
  log1p,
  maximum,
  minimum,
  mul,
  neg,
  sigmoid,
  sub,
  tanh,
  where,
} from "./elementwise.ts";
import { asFloat, checkTensor, type Operand } from "./operand.ts";

/** A float tensor of the same values, for what is computed with more than one operation. */
function floatOf(op: string, x: Tensor): Tensor {
  checkTensor(op, x);
  return asFloat(x);
}

/** max(x, 0); gradient 0 at 0. */
export const relu = operation("relu", (x: Tensor): Tensor => {
  checkTensor("relu", x);
  return where(lessEqual(x, 0), 0, x);
});

/** x above 0, slope * x elsewhere. */
export const leakyRelu = operation("leakyRelu", (x: Tensor, slope = 0.01): Tensor => {
  checkTensor("leakyRelu", x);
  return where(less(0, x), x, mul(x, slope));
});

/** x above 0, alpha * (e^x - 1) elsewhere (Clevert et al. 2016). */
export const elu = operation("elu", (x: Tensor, alpha = 1): Tensor => {
  const value = floatOf("elu", x);
  const positive = less(0, value);
  // The unused side must not overflow: 0 * Inf would make its gradient NaN.
  return where(positive, value, mul(expm1(where(positive, 0, value)), alpha));
});

/** The self-normalising scaled elu (Klambauer et al. 2017). */
export const selu = operation("selu", (x: Tensor): Tensor => {
  checkTensor("selu", x);
  return mul(elu(x, 1.6732632423543772), 1.0507009873554805);
});

/** -Inf becomes 0: the value of x * gate(x) there, where the product itself would be -Inf * 0. */
const limitAtMinusInfinity = (x: Tensor): Tensor => where(equal(x, Number.NEGATIVE_INFINITY), 0, x);

/** What multiplies a factor that vanishes first: large enough, and finite. */
const finite = (x: Tensor): Tensor => minimum(x, 1e4);

/** `slope(value)`, but 0 where x is -Inf. */
const slopeOf = (x: Tensor, slope: (value: Tensor) => Tensor): Tensor =>
  where(equal(x, Number.NEGATIVE_INFINITY), 0, slope(limitAtMinusInfinity(x)));

// Gradients as one slope each, a function of x alone: a training step keeps that and nothing else of what is inside.

const siluWithSlope = customGradient(
  (x: Tensor) => {
    const value = limitAtMinusInfinity(x);
    return mul(value, sigmoid(value));
  },
  (seed, _output, x) => {
    const slope = slopeOf(x, (value) => {
      const gate = sigmoid(value);
      return mul(gate, add(mul(finite(value), sub(1, gate)), 1));
    });
    return [mul(seed, slope)];
  },
);

/** x * sigmoid(x), also called swish. */
export const silu = operation("silu", (x: Tensor): Tensor => {
  return siluWithSlope(floatOf("silu", x));
});

/** P(Z <= x) for a standard normal Z. */
const normalCdf = (x: Tensor): Tensor => mul(add(erf(mul(x, Math.SQRT1_2)), 1), 0.5);

const geluWithSlope = customGradient(
  (x: Tensor) => {
    const value = limitAtMinusInfinity(x);
    return mul(value, normalCdf(value));
  },
  (seed, _output, x) => {
    const slope = slopeOf(x, (value) => {
      const near = finite(value);
      const density = mul(exp(mul(mul(near, near), -0.5)), 1 / Math.sqrt(2 * Math.PI));
      return add(normalCdf(value), mul(near, density));
    });
    return [mul(seed, slope)];
  },
);

export interface GeluOptions {
  /** "tanh" for the approximation of GPT-2; default the exact form with erf. */
  readonly approximate?: "none" | "tanh";
}

/** x * P(Z <= x) for a standard normal Z (Hendrycks & Gimpel 2016). */
export const gelu = operation("gelu", (x: Tensor, options: GeluOptions = {}): Tensor => {
  const float = floatOf("gelu", x);
  if (options.approximate !== "tanh") return geluWithSlope(float);
  const value = limitAtMinusInfinity(float);
  const half = mul(value, 0.5);
  const cube = mul(mul(value, value), value);
  return mul(half, add(tanh(mul(add(value, mul(cube, 0.044715)), Math.sqrt(2 / Math.PI))), 1));
});

// The gradient of the stable form would be wrong to second order at 0, where |x| has a corner: sigmoid is exact.
const softplusWithSlope = customGradient(
  (x: Tensor) => add(maximum(x, 0), log1p(exp(neg(abs(x))))),
  (seed, _output, x) => [mul(seed, sigmoid(x))],
);

/** log(1 + e^x) without overflow. */
export const softplus = operation("softplus", (x: Tensor): Tensor => {
  return softplusWithSlope(floatOf("softplus", x));
});

/** log(sigmoid(x)) without overflow. */
export const logSigmoid = operation("logSigmoid", (x: Tensor): Tensor => {
  return neg(softplus(neg(floatOf("logSigmoid", x))));
});

/** x limited to [min, max] (either may be left out). Where x is at a bound, the gradient passes. NaN stays NaN. */
export const clamp = operation("clamp", (x: Tensor, min?: Operand, max?: Operand): Tensor => {
  if (typeof min === "number" && typeof max === "number" && min > max) {
    throw new ArgumentError("clamp", `min ${min} is larger than max ${max}`);
  }
  const above = min === undefined ? x : where(less(x, min), min, x);
  return max === undefined ? above : where(less(max, above), max, above);
});

/** x limited to [min, max]. Where x is at a bound, the gradient is 0. */
export const hardtanh = operation("hardtanh", (x: Tensor, min = -1, max = 1): Tensor => {
  if (min > max) throw new ArgumentError("hardtanh", `min ${min} is larger than max ${max}`);
  return where(lessEqual(x, min), min, where(lessEqual(max, x), max, x));
});
