// Graph -> vertices: shares what is computed twice, folds constants, drops what changes nothing. Exact: NaN, Inf and
// the sign of zero are never optimised away (x * 0 and x + 0 stay).

import { isFloat, roundTo } from "../dtype.ts";
import type { Graph } from "../graph/graph.ts";
import type { Attrs, Node, Op } from "../graph/node.ts";
import { valueInputs } from "../graph/traverse.ts";
import { type ElementwiseOp, isElementwise, isMovement, isReduce, type ReduceOp } from "../graph/vocabulary.ts";
import { integerScalar, primitives } from "../primitives/index.ts";
import { sameShape, sizeOf, withoutAxes } from "../shape.ts";
import { columnParts } from "./columns.ts";
import { Vertex } from "./vertex.ts";

export interface Simplified {
  /** The vertex of each graph input and output. */
  readonly inputs: readonly Vertex[];
  readonly outputs: readonly Vertex[];
}

export function simplify(graph: Graph): Simplified {
  const vertices = new Map<Node, Vertex>();
  const table = new Sharing();
  graph.inputs.forEach((node) => {
    vertices.set(node, new Vertex("data", [], {}, node.shape, node.dtype));
  });
  const vertexOf = (node: Node): Vertex => vertices.get(node) as Vertex;
  for (const node of graph.nodes) {
    if (vertices.has(node)) continue;
    const inputs = valueInputs(node).map(vertexOf);
    vertices.set(node, table.make(node.op, inputs, node.attrs, node.shape, node.dtype));
  }
  return { inputs: graph.inputs.map(vertexOf), outputs: graph.outputs.map(vertexOf) };
}

/** Makes each distinct vertex once. */
class Sharing {
  readonly #ids = new Map<Vertex, number>();
  readonly #known = new Map<string, Vertex>();

  make(op: Op, inputs: readonly Vertex[], attrs: Attrs[Op], shape: readonly number[], dtype: Vertex["dtype"]): Vertex {
    const simple = this.#rewrite(op, inputs, attrs, shape, dtype);
    if (simple !== undefined) return simple;
    const key = `${op}|${inputs.map((input) => this.#id(input)).join()}|${attrsKey(attrs)}|${shape}|${dtype}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const vertex = new Vertex(op, inputs, attrs, shape, dtype);
    this.#known.set(key, vertex);
    return vertex;
  }

  #id(vertex: Vertex): number {
    const id = this.#ids.get(vertex) ?? this.#ids.size;
    this.#ids.set(vertex, id);
    return id;
  }

  #rewrite(
    op: Op,
    inputs: readonly Vertex[],
    attrs: Attrs[Op],
    shape: readonly number[],
    dtype: Vertex["dtype"],
  ): Vertex | undefined {
    const [x] = inputs;
    if (op === "alias" || op === "stopGradient" || op === "custom") return x;
    if (isMovement(op)) {
      if (x.op === "full" && op !== "pad") return this.#full(shape, dtype, x.as("full").value);
      if (op === "reshape" && x.op === "reshape") return this.make(op, x.inputs, attrs, shape, dtype);
      return sameShape(x.shape, shape) && unmoved(op, attrs) ? x : undefined;
    }
    if (isReduce(op)) {
      const { axes } = attrs as Attrs["sum"];
      const long = axes.filter((axis) => x.shape[axis] !== 1);
      if (long.length === axes.length) return this.#stages(op, x, axes, dtype);
      if (long.length === 0) return this.make("reshape", [x], { shape }, shape, dtype);
      const kept = this.make(op, [x], { axes: long }, withoutAxes(x.shape, long), dtype);
      return this.make("reshape", [kept], { shape }, shape, dtype);
    }
    if (op === "contract" && x.shape.at(-1) === 1) return this.#outer(inputs, shape, dtype);
    if (!isElementwise(op)) return undefined;
    if (inputs.every((input) => input.op === "full")) return this.#fold(op, inputs, shape, dtype);
    return this.#identity(op, inputs, shape, dtype);
  }

  /**
   * A few sums of very many terms become many partial sums and then a few: work for several threads, and shorter
   * chains of rounding. So do sums of many rows. The parts depend on the shape alone.
   */
  #stages(op: ReduceOp, x: Vertex, axes: readonly number[], dtype: Vertex["dtype"]): Vertex | undefined {
    const [axis, parts] = cutOf(op, x, axes);
    if (parts < 4) return undefined;
    const cut = x.shape.toSpliced(axis, 1, parts, x.shape[axis] / parts);
    // The axes of the cut shape, but for the one that counts the parts.
    const inner = axes.map((a) => (a < axis ? a : a + 1));
    const partial = this.make("reshape", [x], { shape: cut }, cut, dtype);
    const keptShape = withoutAxes(cut, inner);
    const kept = this.make(op, [partial], { axes: inner }, keptShape, dtype);
    const at = axis - inner.filter((a) => a < axis).length;
    return this.make(op, [kept], { axes: [at] }, withoutAxes(keptShape, [at]), dtype);
  }

  #full(shape: readonly number[], dtype: Vertex["dtype"], value: number): Vertex {
    return this.make("full", [], { shape, dtype, value }, shape, dtype);
  }

  #fold(op: ElementwiseOp, inputs: readonly Vertex[], shape: readonly number[], dtype: Vertex["dtype"]): Vertex {
    const values = inputs.map((input) => input.as("full").value);
    const scalar = primitives[op].scalar as (...args: number[]) => number;
    const integer = dtype === "i32" && op !== "cast" && op !== "where";
    return this.#full(shape, dtype, roundTo(dtype, integer ? integerScalar(op, ...values) : scalar(...values)));
  }

  /** A product over one element is elementwise, bound by memory, and fuses; its sum starts from 0, which -0 shows. */
  #outer(inputs: readonly Vertex[], shape: readonly number[], dtype: Vertex["dtype"]): Vertex {
    const wide = inputs.map((input) => this.make("expand", [input], { shape }, shape, dtype));
    const products = this.make("mul", wide, {}, shape, dtype);
    return this.make("add", [products, this.#full(shape, dtype, 0)], {}, shape, dtype);
  }

  /** x * 1, x / 1, x - 0, x ^ 1 are x for every x; x ^ 2 is x * x. */
  #identity(op: ElementwiseOp, inputs: readonly Vertex[], shape: readonly number[], dtype: Vertex["dtype"]) {
    const [x, y] = inputs;
    const value = (v: Vertex | undefined) => (v?.op === "full" ? v.as("full").value : undefined);
    switch (op) {
      case "mul":
        return value(y) === 1 ? x : value(x) === 1 ? y : undefined;
      case "div":
        return value(y) === 1 ? x : undefined;
      case "sub":
        return Object.is(value(y), 0) ? x : undefined;
      case "pow":
        if (value(y) === 1) return x;
        return value(y) === 2 ? this.make("mul", [x, x], {}, shape, dtype) : undefined;
      case "neg":
        return x.op === "neg" ? x.inputs[0] : undefined;
      default:
        return undefined;
    }
  }
}

/** Which axis a reduction is cut along, and into how many parts. */
function cutOf(op: ReduceOp, x: Vertex, axes: readonly number[]): readonly [axis: number, parts: number] {
  const terms = sizeOf(axes.map((axis) => x.shape[axis]));
  if (terms >= manyTerms && sizeOf(x.shape) / terms <= fewSums) {
    return axes
      .map((axis) => [axis, partsOf(x.shape[axis])] as const)
      .reduce((best, other) => (other[1] > best[1] ? other : best));
  }
  return [0, op === "sum" && isFloat(x.dtype) ? columnParts(x.shape, axes) : 1];
}

const manyTerms = 1 << 15;
const fewSums = 8;

/** Into how many equal parts an axis is cut: its largest divisor up to 64. */
function partsOf(side: number): number {
  for (let parts = Math.min(64, side); parts > 1; parts--) if (side % parts === 0) return parts;
  return 1;
}

/** Whether a movement that keeps the shape keeps every element in place. */
function unmoved(op: Op, attrs: Attrs[Op]): boolean {
  if (op === "permute") return (attrs as Attrs["permute"]).order.every((axis, i) => axis === i);
  if (op === "flip") return (attrs as Attrs["flip"]).axes.length === 0;
  // A slice, expand, pad or reshape to the same shape moves nothing.
  return true;
}

function attrsKey(attrs: Attrs[Op]): string {
  let key = "";
  for (const value of Object.values(attrs)) key += Object.is(value, -0) ? "-0:" : `${value}:`;
  return key;
}
