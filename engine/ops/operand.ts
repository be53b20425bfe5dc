// What operations accept: tensors, or plain numbers and booleans beside them. Promotion and broadcasting, in one place.

import { type DType, isFloat, promote } from "../dtype.ts";
import { ArgumentError } from "../errors.ts";
import type { Node, Op } from "../graph/node.ts";
import { build } from "../primitives/index.ts";
import { broadcastShapes, type Shape, sameShape, sizeOf } from "../shape.ts";
import { Tensor } from "../tensor.ts";

/**
 * A tensor, or a number or boolean that stands beside one. A number is weakly typed: it takes the tensor's dtype, or
 * f32 where that is i32 or bool and the number is not a whole i32.
 */
export type Operand = Tensor | number | boolean;

/** Checks at run time what TypeScript checks at compile time, for callers without it. */
export function checkTensor(op: string, x: unknown, what = "x"): asserts x is Tensor {
  if (!(x instanceof Tensor)) throw new ArgumentError(op, `${what} must be a tensor, got ${describe(x)}`);
}

const describe = (x: unknown): string =>
  x === null || x === undefined ? String(x) : Array.isArray(x) ? "an array" : `a ${typeof x}`;

const fitsInt32 = (value: number): boolean => Number.isInteger(value) && value === (value | 0);

function weakDType(op: string, value: unknown, among: DType): DType {
  if (typeof value === "boolean") return "bool";
  if (typeof value !== "number") throw new ArgumentError(op, `needs tensors or numbers, got ${describe(value)}`);
  if (isFloat(among)) return among;
  return fitsInt32(value) ? "i32" : "f32";
}

/** The dtype that holds all operands; without any tensor, numbers are f32. */
export function commonDType(op: string, operands: readonly Operand[]): DType {
  const tensors = operands.filter((operand) => operand instanceof Tensor);
  const start = tensors.length === 0 ? weakestFloat(operands) : "bool";
  const strong = tensors.reduce<DType>((dtype, tensor) => promote(dtype, tensor.dtype), start);
  return operands.reduce<DType>(
    (dtype, operand) => (operand instanceof Tensor ? dtype : promote(dtype, weakDType(op, operand, strong))),
    strong,
  );
}

const weakestFloat = (operands: readonly Operand[]): DType =>
  operands.some((operand) => typeof operand === "number") ? "f32" : "bool";

/** The shape all operands broadcast to. */
export const commonShape = (op: string, operands: readonly Operand[]): number[] =>
  broadcastShapes(op, ...operands.map((operand) => (operand instanceof Tensor ? operand.shape : [])));

/** The operand as a node of exactly this shape and dtype. */
export function toNode(operand: Operand, shape: Shape, dtype: DType): Node {
  if (operand instanceof Tensor) return expandNode(build.cast(operand.node, dtype), shape);
  return build.apply("full", [], { shape, dtype, value: Number(operand) });
}

/** Repeats a node up to a shape it broadcasts to. */
export function expandNode(x: Node, shape: Shape): Node {
  if (sameShape(x.shape, shape)) return x;
  const lead = new Array<number>(shape.length - x.shape.length).fill(1);
  const aligned = build.reshape(x, [...lead, ...x.shape]);
  // A size-1 axis that stays is no expansion: without this a graph would be full of expands that do nothing.
  return sameShape(aligned.shape, shape) ? aligned : build.apply("expand", [aligned], { shape });
}

/** Operands as nodes of one shape and one dtype; `atLeast` raises the dtype ("i32": arithmetic on bools is on 0 and 1). */
export function align(op: string, operands: readonly Operand[], atLeast: DType = "bool"): Node[] {
  const dtype = promote(commonDType(op, operands), atLeast);
  const shape = commonShape(op, operands);
  return operands.map((operand) => toNode(operand, shape, dtype));
}

/** The tensor itself, or its f32 form where a float is needed and it is i32 or bool. */
export const asFloat = (x: Tensor): Tensor => (isFloat(x.dtype) ? x : new Tensor(build.cast(x.node, "f32")));

/** A constant that broadcasts beside `x`, in its dtype. */
export const constant = (x: Tensor, value: number): Tensor => new Tensor(build.fill(x.node, value));

/** A tensor of this shape and dtype, all `value`, as part of the graph. */
export const filled = (shape: Shape, dtype: DType, value: number): Tensor =>
  new Tensor(build.apply("full", [], { shape, dtype, value }));

/** i32 positions along an axis, as part of the graph. */
export const positions = (shape: Shape, axis: number): Tensor => new Tensor(build.apply("iota", [], { shape, axis }));

/** The tensor of a primitive applied to tensors that already agree. */
export const primitive = <P extends Op>(op: P, inputs: readonly Tensor[], attrs: Node<P>["attrs"]): Tensor =>
  new Tensor(
    build.apply(
      op,
      inputs.map((input) => input.node),
      attrs,
    ),
  );

/** The number of elements reduced into one. */
export const countOf = (shape: Shape, axes: readonly number[]): number => sizeOf(axes.map((axis) => shape[axis]));
