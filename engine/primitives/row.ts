// What a primitive must say about itself. One row of this type each; a forgotten rule does not compile.

import type { DType } from "../dtype.ts";
import type { Attrs, Node, Op } from "../graph/node.ts";
import type { BinaryOp, ReduceOp, UnaryOp } from "../graph/vocabulary.ts";
import type { Shape } from "../shape.ts";

type Inputs = readonly Node[];

/** Builds graph nodes inside vjp rules; shapes and dtypes must already agree (no broadcasting). */
export type Build = Record<UnaryOp | "stopGradient", (x: Node) => Node> &
  Record<BinaryOp, (x: Node, y: Node) => Node> &
  Record<ReduceOp, (x: Node, axes: readonly number[]) => Node> & {
    apply<P extends Op>(op: P, inputs: Inputs, attrs: Attrs[P]): Node;
    /** A constant of the shape and dtype of `like`. */
    fill(like: Node, value: number): Node;
    where(condition: Node, x: Node, y: Node): Node;
    reshape(x: Node, shape: Shape): Node;
    permute(x: Node, order: readonly number[]): Node;
    /** Undoes a reduction: puts the axes back as 1 and repeats up to `shape`. */
    unreduce(x: Node, shape: Shape, axes: readonly number[]): Node;
    cast(x: Node, dtype: DType): Node;
  };

/**
 * Gradients with respect to each input, from the gradient `g` of the output; undefined where none flows.
 * Written in primitives, so gradients are graphs and exist to any order.
 */
export type Vjp<P extends Op> = (b: Build, g: Node, node: Node<P>, inputs: Inputs) => readonly (Node | undefined)[];

export interface Row<P extends Op> {
  /** The result's shape; throws a ShapeError or ArgumentError that names what does not fit. */
  readonly shape: (inputs: Inputs, attrs: Attrs[P]) => Shape;
  /** The result's dtype; throws a DTypeError. */
  readonly dtype: (inputs: Inputs, attrs: Attrs[P]) => DType;
  /** The scalar expression of an elementwise primitive, in f64; for a reduction, how two values combine. */
  readonly scalar?: (...args: number[]) => number;
  /** The gradient rule, or the reason why there is none. */
  readonly vjp: Vjp<P> | string;
}
