// Samples of the elementwise operations and activations.

import fc from "fast-check";
import * as S from "../../../engine/index.ts";
import { shapes } from "../../../testing/index.ts";
import { zip } from "../plain.ts";
import { binary, type Sample, unary } from "./sample.ts";

/** Error function by Simpson's rule: independent of the engine's series. */
function erf(x: number): number {
  const n = 400;
  const h = x / n;
  let total = 0;
  for (let i = 0; i <= n; i++) total += (i === 0 || i === n ? 1 : i % 2 === 1 ? 4 : 2) * Math.exp(-((i * h) ** 2));
  return ((2 / Math.sqrt(Math.PI)) * total * h) / 3;
}

const bit = (value: boolean): number => (value ? 1 : 0);
const even = (x: number): number => (Math.abs(x % 1) === 0.5 ? 2 * Math.round(x / 2) : Math.round(x));
const logistic = (x: number): number => 1 / (1 + Math.exp(-x));
const modulo = (x: number, y: number): number => x - Math.floor(x / y) * y;
const truths = ["bool", "bool"] as const;
const whole = ["integer", "integer"] as const;

/** A call with numbers beside the tensor. */
const withNumber =
  (run: (x: S.Tensor, value: number) => S.Tensor, f: (x: number, value: number) => number): Sample =>
  (maxSize) =>
    fc.tuple(shapes({ maxSize }), fc.constantFrom(0.25, -1.5, 2)).map(([shape, value]) => ({
      label: `[${shape}] with ${value}`,
      inputs: [{ shape, domain: "positive" as const }],
      run: (x) => run(x, value),
      expected: zip((x) => f(x, value)),
    }));

const either =
  (...samples: Sample[]): Sample =>
  (maxSize) =>
    fc.oneof(...samples.map((sample) => sample(maxSize)));

const where: Sample = (maxSize) =>
  shapes({ maxSize }).map((shape) => ({
    label: `[${shape}]`,
    inputs: [
      { shape, domain: "bool" },
      { shape: shape.slice(1), domain: "real" },
      { shape: shape.map((side, i) => (i === 0 ? 1 : side)), domain: "real" },
    ],
    run: (condition, x, y) => S.where(condition, x, y),
    expected: zip((condition, x, y) => (condition !== 0 ? x : y)),
  }));

const maskedFill: Sample = (maxSize) =>
  shapes({ maxSize }).map((shape) => ({
    label: `[${shape}]`,
    inputs: [
      { shape, domain: "real" },
      { shape: shape.slice(1), domain: "bool" },
    ],
    run: (x, mask) => S.maskedFill(x, mask, -7),
    expected: zip((x, mask) => (mask !== 0 ? -7 : x)),
  }));

const lerp: Sample = (maxSize) =>
  shapes({ maxSize }).map((shape) => ({
    label: `[${shape}]`,
    inputs: [
      { shape, domain: "real" },
      { shape: shape.slice(1), domain: "real" },
      { shape: [], domain: "unit" },
    ],
    run: S.lerp,
    expected: zip((start, end, weight) => start * (1 - weight) + end * weight),
  }));

export const elementwise: Record<string, Sample> = {
  sqrt: unary(S.sqrt, Math.sqrt, "positive"),
  rsqrt: unary(S.rsqrt, (x) => x ** -0.5, "positive"),
  exp: unary(S.exp, Math.exp),
  exp2: unary(S.exp2, (x) => 2 ** x),
  expm1: unary(S.expm1, Math.expm1),
  log: unary(S.log, Math.log, "positive"),
  log2: unary(S.log2, Math.log2, "positive"),
  log1p: unary(S.log1p, Math.log1p, "positive"),
  sin: unary(S.sin, Math.sin),
  cos: unary(S.cos, Math.cos),
  tanh: unary(S.tanh, Math.tanh),
  sigmoid: unary(S.sigmoid, logistic),
  erf: unary(S.erf, erf),
  neg: unary(S.neg, (x) => -x),
  abs: unary(S.abs, Math.abs),
  sign: unary(S.sign, Math.sign),
  floor: unary(S.floor, Math.floor),
  ceil: unary(S.ceil, Math.ceil),
  round: unary(S.round, even),
  trunc: unary(S.trunc, Math.trunc),
  square: unary(S.square, (x) => x * x),
  reciprocal: unary(S.reciprocal, (x) => 1 / x, "positive"),
  stopGradient: unary(S.stopGradient, (x) => x, "real", true),
  cast: unary(
    (x) => S.cast(x, "f64"),
    (x) => x,
  ),

  add: binary(S.add, (x, y) => x + y),
  sub: binary(S.sub, (x, y) => x - y),
  mul: binary(S.mul, (x, y) => x * y),
  div: binary(S.div, (x, y) => x / y, ["real", "positive"]),
  maximum: binary(S.maximum, Math.max),
  minimum: binary(S.minimum, Math.min),
  remainder: either(
    binary(S.remainder, modulo, ["real", "positive"]),
    binary(
      (x, y) => S.remainder(x, S.neg(y)),
      (x, y) => modulo(x, -y),
      ["real", "positive"],
    ),
  ),
  floorDivide: binary(S.floorDivide, (x, y) => Math.floor(x / y), ["real", "positive"]),
  pow: either(
    binary(S.pow, (x, y) => x ** y, ["positive", "real"]),
    withNumber(S.pow, (x, value) => x ** value),
  ),
  lerp,
  where,
  maskedFill,

  less: binary(S.less, (x, y) => bit(x < y), whole, true),
  lessEqual: binary(S.lessEqual, (x, y) => bit(x <= y), whole, true),
  greater: binary(S.greater, (x, y) => bit(x > y), whole, true),
  greaterEqual: binary(S.greaterEqual, (x, y) => bit(x >= y), whole, true),
  equal: binary(S.equal, (x, y) => bit(x === y), whole, true),
  notEqual: binary(S.notEqual, (x, y) => bit(x !== y), whole, true),
  logicalAnd: binary(S.logicalAnd, (x, y) => bit(x !== 0 && y !== 0), truths, true),
  logicalOr: binary(S.logicalOr, (x, y) => bit(x !== 0 || y !== 0), whole, true),
  logicalXor: binary(S.logicalXor, (x, y) => bit((x !== 0) !== (y !== 0)), truths, true),
  logicalNot: unary(S.logicalNot, (x) => bit(x === 0), "integer", true),
  isNaN: unary(
    (x) => S.isNaN(S.sqrt(x)),
    (x) => bit(x < 0),
    "integer",
    true,
  ),
  isInf: unary(
    (x) => S.isInf(S.div(1, x)),
    (x) => bit(x === 0),
    "integer",
    true,
  ),
  isFinite: unary(
    (x) => S.isFinite(S.log(x)),
    (x) => bit(x > 0),
    "integer",
    true,
  ),

  relu: unary(S.relu, (x) => Math.max(x, 0)),
  leakyRelu: unary(
    (x) => S.leakyRelu(x, 0.2),
    (x) => (x > 0 ? x : 0.2 * x),
  ),
  elu: unary(
    (x) => S.elu(x, 0.7),
    (x) => (x > 0 ? x : 0.7 * Math.expm1(x)),
  ),
  selu: unary(S.selu, (x) => 1.0507009873554805 * (x > 0 ? x : 1.6732632423543772 * Math.expm1(x))),
  silu: unary(S.silu, (x) => x * logistic(x)),
  gelu: either(
    unary(S.gelu, (x) => 0.5 * x * (1 + erf(x / Math.SQRT2))),
    unary(
      (x) => S.gelu(x, { approximate: "tanh" }),
      (x) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
    ),
  ),
  softplus: unary(S.softplus, (x) => Math.log(1 + Math.exp(x))),
  logSigmoid: unary(S.logSigmoid, (x) => Math.log(logistic(x))),
  clamp: either(
    unary(
      (x) => S.clamp(x, -0.5, 1.2),
      (x) => Math.min(Math.max(x, -0.5), 1.2),
    ),
    binary(
      (x, low) => S.clamp(x, low),
      (x, low) => Math.max(x, low),
    ),
    unary(
      (x) => S.clamp(x, undefined, 0.3),
      (x) => Math.min(x, 0.3),
    ),
  ),
  hardtanh: unary(
    (x) => S.hardtanh(x, -0.6, 0.9),
    (x) => Math.min(Math.max(x, -0.6), 0.9),
  ),
};
