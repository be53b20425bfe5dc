// The words of the graph: every primitive's name and its static attributes. What they mean is the table in primitives/.

import type { DType } from "../dtype.ts";
import type { Shape } from "../shape.ts";

/** Float functions of one argument. */
export const unaryFloatOps = [
  "sqrt", "rsqrt", "exp", "exp2", "expm1", "log", "log2", "log1p", "sin", "cos", "tanh", "sigmoid", "erf",
] as const;
/** Functions of one number, of any numeric dtype. */
export const unaryNumericOps = ["neg", "abs", "sign", "floor", "ceil", "round", "trunc"] as const;
export const unaryBoolOps = ["logicalNot"] as const;
/** Two numbers of one dtype to a number of that dtype. */
export const binaryNumericOps = ["add", "sub", "mul", "div", "pow", "maximum", "minimum", "remainder"] as const;
/** Two values of one dtype to a bool. */
export const compareOps = ["less", "lessEqual", "equal", "notEqual"] as const;
export const binaryBoolOps = ["logicalAnd", "logicalOr"] as const;
export const reduceOps = ["sum", "prod", "max", "min"] as const;

export type UnaryFloatOp = (typeof unaryFloatOps)[number];
export type UnaryNumericOp = (typeof unaryNumericOps)[number];
export type UnaryOp = UnaryFloatOp | UnaryNumericOp | (typeof unaryBoolOps)[number];
export type BinaryNumericOp = (typeof binaryNumericOps)[number];
export type CompareOp = (typeof compareOps)[number];
export type BinaryOp = BinaryNumericOp | CompareOp | (typeof binaryBoolOps)[number];
export type ReduceOp = (typeof reduceOps)[number];

/** Elementwise primitives: one scalar expression per element, all inputs of one shape. */
export type ElementwiseOp = UnaryOp | BinaryOp | "where" | "cast";

type None = Record<never, never>;

interface OtherAttrs {
  /** Elementwise: (bool condition, a, b). */
  where: None;
  cast: { readonly dtype: DType };
  /** The input unchanged; gradients stop here. */
  stopGradient: None;
  /** The input unchanged; a node of its own to differentiate with respect to. */
  alias: None;

  reshape: { readonly shape: Shape };
  permute: { readonly order: readonly number[] };
  /** Repeats sides of 1 up to `shape`; same rank. */
  expand: { readonly shape: Shape };
  /** Elements start, start + step, ... < stop of each axis; steps are positive. */
  slice: { readonly starts: readonly number[]; readonly stops: readonly number[]; readonly steps: readonly number[] };
  pad: { readonly lo: readonly number[]; readonly hi: readonly number[]; readonly value: number };
  flip: { readonly axes: readonly number[] };
  concat: { readonly axis: number };

  /** Batched matrix product: [...b, M, K] x [...b, K, N] -> [...b, M, N], equal batch sides. */
  contract: None;
  /** out[.., i, ..] = x[.., index[.., i, ..], ..] along `axis` (NumPy's take_along_axis). */
  gather: { readonly axis: number };
  /** x with updates[.., i, ..] added at index[.., i, ..] along `axis`; repeated indices add up in order. */
  scatterAdd: { readonly axis: number };
  /** Stable argsort along the last axis, i32; NaN last in both directions. */
  argsort: { readonly descending: boolean };

  /** A leaf whose values are in a Storage. */
  data: None;
  full: { readonly shape: Shape; readonly dtype: DType; readonly value: number };
  /** i32 position along `axis`. */
  iota: { readonly shape: Shape; readonly axis: number };
  /** Uniform in [0, 1) from the key [seed, stream, counter] (i32[3]); counter + call selects the draw. */
  uniform: { readonly shape: Shape; readonly dtype: "f32" | "f64"; readonly call: number };
}

/** Static attributes of every primitive. The union of its keys is the primitive set. */
export type Attrs = OtherAttrs &
  Record<UnaryOp | BinaryOp, None> &
  Record<ReduceOp, { /** Sorted axes to reduce; they disappear from the shape. */ readonly axes: readonly number[] }>;

export type Op = keyof Attrs;

const setOf = (...lists: readonly (readonly string[])[]): ReadonlySet<string> => new Set(lists.flat());
const unary = setOf(unaryFloatOps, unaryNumericOps, unaryBoolOps);
const binary = setOf(binaryNumericOps, compareOps, binaryBoolOps);
const reduce = setOf(reduceOps);
const movement = setOf(["reshape", "permute", "expand", "slice", "pad", "flip", "alias", "stopGradient"]);

export const isUnary = (op: Op): op is UnaryOp => unary.has(op);
export const isBinary = (op: Op): op is BinaryOp => binary.has(op);
export const isElementwise = (op: Op): op is ElementwiseOp =>
  unary.has(op) || binary.has(op) || op === "where" || op === "cast";
export const isReduce = (op: Op): op is ReduceOp => reduce.has(op);
/** Primitives that only change which element is read: index rewriting, never a copy by themselves. */
export const isMovement = (op: Op): boolean => movement.has(op);
