// Reductions: the given axes disappear. How two values combine, and the gradient.

import { DTypeError } from "../errors.ts";
import type { Node } from "../graph/node.ts";
import type { ReduceOp } from "../graph/vocabulary.ts";
import { sizeOf, withoutAxes } from "../shape.ts";
import type { Build, Row } from "./row.ts";

/** What an empty reduction gives, and what pads one. */
export function reduceIdentity(op: ReduceOp, dtype: "f32" | "f64" | "i32" | "bool"): number {
  switch (op) {
    case "sum":
      return 0;
    case "prod":
      return 1;
    case "max":
      return dtype === "bool" ? 0 : dtype === "i32" ? -2147483648 : Number.NEGATIVE_INFINITY;
    case "min":
      return dtype === "bool" ? 1 : dtype === "i32" ? 2147483647 : Number.POSITIVE_INFINITY;
  }
}

type ReduceVjp = (b: Build, g: Node, x: Node, y: Node, axes: readonly number[]) => Node;

function reduce<P extends ReduceOp>(op: P, scalar: (a: number, b: number) => number, vjp: ReduceVjp): Row<P> {
  return {
    shape: ([x], attrs) => withoutAxes(x.shape, attrs.axes),
    dtype: ([x]) => {
      if (x.dtype === "bool" && (op === "sum" || op === "prod")) {
        throw new DTypeError(op, 'needs numbers, got bool; use cast("i32")');
      }
      return x.dtype;
    },
    scalar,
    vjp: (b, g, y, [x]) => [vjp(b, g, x, y, (y.attrs as { axes: readonly number[] }).axes)],
  };
}

/** The gradient of max and min: shared evenly among the elements that attain it. */
const extremum: ReduceVjp = (b, g, x, y, axes) => {
  const hit = b.cast(b.equal(x, b.unreduce(y, x.shape, axes)), x.dtype);
  const count = b.sum(hit, axes);
  return b.mul(hit, b.unreduce(b.div(g, count), x.shape, axes));
};

/**
 * prod: the product of all the others, right at zeros and to any order. The reduced axes become one axis of n; an
 * n x n table with 1 on its diagonal holds "the others". n is small wherever a product is differentiated.
 */
const others: ReduceVjp = (b, g, x, _y, axes) => {
  const kept = x.shape.map((_, i) => i).filter((i) => !axes.includes(i));
  const order = [...kept, ...axes];
  const outer = kept.map((i) => x.shape[i]);
  const n = sizeOf(axes.map((i) => x.shape[i]));
  const rows = b.reshape(b.permute(x, order), [...outer, 1, n]);
  const square = [...outer, n, n];
  const table = b.apply("expand", [rows], { shape: square });
  const i = b.apply("iota", [], { shape: square, axis: outer.length });
  const j = b.apply("iota", [], { shape: square, axis: outer.length + 1 });
  const product = b.prod(b.where(b.equal(i, j), b.fill(table, 1), table), [outer.length + 1]);
  const shuffled = b.reshape(
    product,
    order.map((axis) => x.shape[axis]),
  );
  const back = order.map((_, axis) => order.indexOf(axis));
  return b.mul(b.unreduce(g, x.shape, axes), b.permute(shuffled, back));
};

export const reductions: { readonly [P in ReduceOp]: Row<P> } = {
  sum: reduce(
    "sum",
    (a, b) => a + b,
    (b, g, x, _y, axes) => b.unreduce(g, x.shape, axes),
  ),
  prod: reduce("prod", (a, b) => a * b, others),
  max: reduce("max", Math.max, extremum),
  min: reduce("min", Math.min, extremum),
};
