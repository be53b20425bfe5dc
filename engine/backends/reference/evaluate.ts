// One naive evaluator per primitive. Plain loops over indices: slow, and easy to believe.

import { roundTo } from "../../dtype.ts";
import type { Attrs, Node, Op } from "../../graph/node.ts";
import { type ElementwiseOp, isElementwise, isReduce, type ReduceOp } from "../../graph/vocabulary.ts";
import type { IndexSource } from "../../operation.ts";
import { integerScalar, primitives, reduceIdentity, resultsOf, selectiveSizes } from "../../primitives/index.ts";
import { indexError } from "../../primitives/indexing.ts";
import { threefry2x32, uniformBelow, uniformF32, uniformF64 } from "../../random.ts";
import { contiguousStrides, type Shape, sizeOf } from "../../shape.ts";
import { groupedContract, groupedOuter } from "./grouped.ts";
import { cummax, cumsum, recurrence, runScan } from "./scan.ts";
import { selectiveScan, selectiveScanGrad } from "./selective.ts";

/** The values of a node, row-major; floats of any width are kept in f64, i32 and bool as whole numbers. */
export type Values = Float64Array;

type OtherOp = Exclude<Op, ElementwiseOp | "sum" | "prod" | "max" | "min" | "data">;
type Evaluate<P extends Op> = (node: Node<P>, inputs: readonly Values[], attrs: Attrs[P]) => Values;

/** The value of a node from the values of its inputs. */
export function evaluate(node: Node, inputs: readonly Values[]): Values {
  const { op } = node;
  if (isElementwise(op)) return evaluateElementwise(node as Node<ElementwiseOp>, inputs);
  if (isReduce(op)) return evaluateReduce(node as Node<"sum">, inputs[0]);
  const rule = others[op as OtherOp] as Evaluate<Op> | undefined;
  if (rule === undefined) throw new Error(`reference: cannot evaluate ${op}`);
  return rule(node, inputs, node.attrs);
}

function evaluateElementwise(node: Node<ElementwiseOp>, inputs: readonly Values[]): Values {
  const scalar = primitives[node.op].scalar as (...args: number[]) => number;
  const integer = node.dtype === "i32" && node.op !== "cast" && node.op !== "where";
  const result = new Float64Array(sizeOf(node.shape));
  for (let i = 0; i < result.length; i++) {
    const args = inputs.map((input) => input[i]);
    result[i] = integer ? integerScalar(node.op, ...args) : scalar(...args);
  }
  return node.op === "cast" ? result.map((value) => roundTo(node.dtype, value)) : result;
}

/** Calls `visit` with every index of a shape, in row-major order, and its flat position. */
function forEachIndex(shape: Shape, visit: (index: readonly number[], flat: number) => void): void {
  const index = shape.map(() => 0);
  const size = sizeOf(shape);
  for (let flat = 0; flat < size; flat++) {
    visit(index, flat);
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      if (++index[axis] < shape[axis]) break;
      index[axis] = 0;
    }
  }
}

const dot = (index: readonly number[], strides: readonly number[]): number =>
  index.reduce((sum, at, axis) => sum + at * strides[axis], 0);

function evaluateReduce(node: Node<"sum">, x: Values): Values {
  const [input] = node.inputs;
  const { axes } = node.attrs;
  const combine = primitives[node.op].scalar as (a: number, b: number) => number;
  const result = new Float64Array(sizeOf(node.shape)).fill(reduceIdentity(node.op, node.dtype));
  const kept = contiguousStrides(node.shape);
  const strides = input.shape.map((_, axis) => (axes.includes(axis) ? 0 : (kept.shift() as number)));
  const wrap: Partial<Record<ReduceOp, (a: number, b: number) => number>> = {
    sum: (a, b) => (a + b) | 0,
    prod: Math.imul,
  };
  const fold = (node.dtype === "i32" ? wrap[node.op] : undefined) ?? combine;
  forEachIndex(input.shape, (index, flat) => {
    const at = dot(index, strides);
    result[at] = fold(result[at], x[flat]);
  });
  return result;
}

/** A result whose element at each index is read from the input at `source(index)` (undefined: `fill`). */
function move(
  node: Node,
  x: Values,
  source: (index: readonly number[]) => readonly number[] | undefined,
  fill = 0,
): Values {
  const strides = contiguousStrides(node.inputs[0].shape);
  const result = new Float64Array(sizeOf(node.shape));
  forEachIndex(node.shape, (index, flat) => {
    const from = source(index);
    result[flat] = from === undefined ? fill : x[dot(from, strides)];
  });
  return result;
}

function checkedIndex(source: IndexSource, at: number, bound: number): number {
  if (at < 0 || at >= bound) throw indexError(source, at, bound);
  return at;
}

const others: { readonly [P in OtherOp]: Evaluate<P> } = {
  alias: (_node, [x]) => x,
  stopGradient: (_node, [x]) => x,
  custom: (_node, [x]) => x,
  reshape: (_node, [x]) => x,
  permute: (node, [x], { order }) => move(node, x, (index) => order.map((_, axis) => index[order.indexOf(axis)])),
  expand: (node, [x]) => {
    const from = node.inputs[0].shape;
    return move(node, x, (index) => index.map((at, axis) => (from[axis] === 1 ? 0 : at)));
  },
  slice: (node, [x], { starts, steps }) =>
    move(node, x, (index) => index.map((at, axis) => starts[axis] + at * steps[axis])),
  pad: (node, [x], { lo, value }) => {
    const from = node.inputs[0].shape;
    const inside = (index: readonly number[]) => index.every((at, axis) => at >= 0 && at < from[axis]);
    return move(
      node,
      x,
      (index) => {
        const at = index.map((i, axis) => i - lo[axis]);
        return inside(at) ? at : undefined;
      },
      value,
    );
  },
  flip: (node, [x], { axes }) =>
    move(node, x, (index) => index.map((at, axis) => (axes.includes(axis) ? node.shape[axis] - 1 - at : at))),
  windows: (node, [x], { axes, strides, dilations }) => {
    const rank = node.inputs[0].shape.length;
    return move(node, x, (index) => {
      const from = index.slice(0, rank);
      axes.forEach((axis, i) => {
        from[axis] = index[axis] * strides[i] + index[rank + i] * dilations[i];
      });
      return from;
    });
  },
  concat: (node, inputs, { axis }) => {
    const result = new Float64Array(sizeOf(node.shape));
    const starts: number[] = [];
    let start = 0;
    for (const input of node.inputs) {
      starts.push(start);
      start += input.shape[axis];
    }
    forEachIndex(node.shape, (index, flat) => {
      const which = starts.findLastIndex((begin, i) => index[axis] >= begin && node.inputs[i].shape[axis] > 0);
      const { shape } = node.inputs[which];
      result[flat] = inputs[which][dot(index.with(axis, index[axis] - starts[which]), contiguousStrides(shape))];
    });
    return result;
  },
  contract: (node, [x, y]) => {
    const [m, n] = node.shape.slice(-2);
    const k = node.inputs[0].shape[node.shape.length - 1];
    const result = new Float64Array(sizeOf(node.shape));
    const batches = sizeOf(node.shape.slice(0, -2));
    for (let b = 0; b < batches; b++) {
      for (let i = 0; i < m; i++) {
        for (let j = 0; j < n; j++) {
          let sum = 0;
          for (let p = 0; p < k; p++) sum += x[(b * m + i) * k + p] * y[(b * k + p) * n + j];
          result[(b * m + i) * n + j] = sum;
        }
      }
    }
    return result;
  },
  groupedContract: (node, [x, w, offsets], { source }) =>
    groupedContract(source, x, w, offsets, node.shape, node.inputs[0].shape[1]),
  groupedOuter: (node, [x, y, offsets], { source }) =>
    groupedOuter(source, x, y, offsets, node.shape, node.inputs[0].shape[0]),
  gather: (node, [x, at], attrs) => {
    const { axis } = attrs;
    const side = node.inputs[0].shape[axis];
    let flat = 0;
    return move(node, x, (index) => index.with(axis, checkedIndex(attrs, at[flat++], side)));
  },
  scatterAdd: (node, [x, at, updates], attrs) => {
    const { axis } = attrs;
    const result = Float64Array.from(x);
    const strides = contiguousStrides(node.shape);
    forEachIndex(node.inputs[1].shape, (index, flat) => {
      const row = checkedIndex(attrs, at[flat], node.shape[axis]);
      const to = dot(index.with(axis, row), strides);
      result[to] = node.dtype === "i32" ? (result[to] + updates[flat]) | 0 : result[to] + updates[flat];
    });
    return result;
  },
  argsort: (node, [x], { descending, kept }) => {
    const length = node.inputs[0].shape[node.shape.length - 1];
    const result = new Float64Array(sizeOf(node.shape));
    for (let row = 0; row * kept < result.length; row++) {
      const order = Array.from({ length }, (_, i) => i);
      const key = (i: number) => x[row * length + i];
      order.sort((i, j) => compare(key(i), key(j), descending) || i - j);
      result.set(order.slice(0, kept), row * kept);
    }
    return result;
  },
  recurrence: (node, [a, b], attrs) => recurrence(node.shape, node.dtype, a, b, attrs),
  cumsum: (node, [x], attrs) => cumsum(node.shape, node.dtype, x, attrs),
  cummax: (node, [x], attrs) => cummax(node.shape, x, attrs),
  scan: (node, inputs) => runScan(node.attrs.body, inputs, evaluate),
  // The value of a node with several results is all of them, one after the other.
  part: (node, [all], { index }) => {
    const sizes = resultsOf(node.inputs[0]).map(({ shape }) => sizeOf(shape));
    const start = sizes.slice(0, index).reduce((sum, size) => sum + size, 0);
    return all.subarray(start, start + sizes[index]);
  },
  selectiveScan: (node, inputs) => selectiveScan(selectiveSizes(node.inputs), inputs),
  selectiveScanGrad: (node, inputs) => selectiveScanGrad(selectiveSizes(node.inputs), inputs),
  tuple: () => {
    throw new Error("reference: a tuple has no value");
  },
  full: (node, _inputs, { value }) => new Float64Array(sizeOf(node.shape)).fill(roundTo(node.dtype, value)),
  iota: (node, _inputs, { axis }) => {
    const result = new Float64Array(sizeOf(node.shape));
    forEachIndex(node.shape, (index, flat) => {
      result[flat] = index[axis];
    });
    return result;
  },
  uniform: (node, [key], { call, bound = 0 }) => {
    const result = new Float64Array(sizeOf(node.shape));
    for (let i = 0; i < result.length; i++) {
      const [hi, lo] = threefry2x32(key[0], key[1], i, (key[2] + call) | 0);
      if (node.dtype === "i32") result[i] = uniformBelow(hi, lo, bound);
      else result[i] = node.dtype === "f32" ? uniformF32(hi) : uniformF64(hi, lo);
    }
    return result;
  },
};

/** NaN sorts last in both directions. */
function compare(a: number, b: number, descending: boolean): number {
  if (Number.isNaN(a) || Number.isNaN(b)) return Number(Number.isNaN(a)) - Number(Number.isNaN(b));
  return descending ? Number(b > a) - Number(b < a) : Number(a > b) - Number(a < b);
}
