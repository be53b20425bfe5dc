// The compiler's own graph: like nodes, but free to be rewritten, and with `copy` where a value must be laid out.

import type { DType } from "../dtype.ts";
import type { Attrs, Op } from "../graph/node.ts";
import { isMovement } from "../graph/vocabulary.ts";
import { contiguousStrides, type Shape } from "../shape.ts";
import {
  type Access,
  appendView,
  expandView,
  flipView,
  padView,
  permuteView,
  sliceView,
  type View,
  windowsView,
} from "./view.ts";

export type VertexOp = Op | "copy";

/** Where a part of a concatenation is stored: its elements' places in the whole. */
export interface Part {
  readonly whole: Vertex;
  readonly view: View;
}

export class Vertex {
  readonly op: VertexOp;
  readonly inputs: readonly Vertex[];
  readonly attrs: Attrs[Op];
  readonly shape: Shape;
  readonly dtype: DType;
  /** For copies that fill a part of a concatenation. */
  part: Part | undefined;

  constructor(op: VertexOp, inputs: readonly Vertex[], attrs: Attrs[Op], shape: Shape, dtype: DType) {
    this.op = op;
    this.inputs = inputs;
    this.attrs = attrs;
    this.shape = shape;
    this.dtype = dtype;
  }

  /** The attributes, for code that has checked the op. */
  as<P extends Op>(_op: P): Attrs[P] {
    return this.attrs as Attrs[P];
  }
}

export const copyOf = (x: Vertex): Vertex => new Vertex("copy", [x], {}, x.shape, x.dtype);

export const isMove = (v: Vertex): boolean => isMovement(v.op);

/** The view a movement vertex reads its input through; undefined where flat positions stay the same (reshape). */
export function viewOf(v: Vertex): View | undefined {
  const from = v.inputs[0].shape;
  switch (v.op) {
    case "permute":
      return permuteView(from, v.as("permute").order);
    case "expand":
      return expandView(from, v.shape);
    case "slice":
      return sliceView(from, v.shape, v.as("slice").starts, v.as("slice").steps);
    case "flip":
      return flipView(from, v.as("flip").axes);
    case "windows": {
      const { axes, strides, dilations } = v.as("windows");
      return windowsView(from, v.shape, axes, strides, dilations);
    }
    case "pad":
      return padView(from, v.shape, v.as("pad").lo);
    default:
      return undefined;
  }
}

/** The positions along an axis, as a view of numbers from 0 on. */
export function iotaView(v: Vertex): View {
  const { shape, axis } = v.as("iota");
  return { shape, strides: shape.map((_, i) => (i === axis ? 1 : 0)), offset: 0 };
}

/** What a vertex is, moved about: the nearest below it with values of its own. */
export function movedFrom(v: Vertex): Vertex {
  let at = v;
  while (isMove(at)) at = at.inputs[0];
  return at;
}

/** Follows movement down to what has values of its own; the access then leads there. */
export function throughMovement(v: Vertex, access: Access): [Vertex, Access] {
  let at = v;
  let path = access;
  while (isMove(at)) {
    const view = viewOf(at);
    if (view !== undefined) path = appendView(path, view);
    at = at.inputs[0];
  }
  return [at, path];
}

/** The view that stores a part of `shape` at `start` along `axis` of a tensor of shape `whole`. */
export function partView(shape: Shape, whole: Shape, axis: number, start: number): View {
  const strides = contiguousStrides(whole);
  return { shape, strides, offset: start * strides[axis] };
}

/** Every vertex the outputs need, inputs before users. */
export function sorted(outputs: readonly Vertex[]): Vertex[] {
  const order: Vertex[] = [];
  const state = new Map<Vertex, number>();
  const stack: Vertex[] = [];
  for (const output of outputs) {
    stack.push(output);
    while (stack.length > 0) {
      const top = stack[stack.length - 1];
      const next = state.get(top) ?? 0;
      if (next < top.inputs.length) {
        state.set(top, next + 1);
        if (!state.has(top.inputs[next])) stack.push(top.inputs[next]);
        continue;
      }
      stack.pop();
      if (next === top.inputs.length) {
        state.set(top, next + 1);
        order.push(top);
      }
    }
  }
  return order;
}
