// Contraction, data-dependent indices and leaves.

import { isFloat } from "../dtype.ts";
import { ArgumentError, DTypeError, ShapeError } from "../errors.ts";
import type { Node } from "../graph/node.ts";
import type { IndexSource } from "../operation.ts";
import { checkShape, formatShape, sameShape } from "../shape.ts";
import type { Build, Row } from "./row.ts";

type IndexingOp = "contract" | "gather" | "scatterAdd" | "argsort" | "data" | "full" | "iota" | "uniform";

/** Swaps the last two axes. */
export function transpose(b: Build, x: Node): Node {
  const rank = x.shape.length;
  const order = x.shape.map((_, i) => (i === rank - 1 ? rank - 2 : i === rank - 2 ? rank - 1 : i));
  return b.permute(x, order);
}

function checkIndex(op: string, index: Node): void {
  if (index.dtype !== "i32") throw new DTypeError(op, `index must be i32, got ${index.dtype}`);
}

/** index may be smaller than x along `axis` only. */
function checkAlong(op: string, x: Node, index: Node, axis: number): void {
  const rank = x.shape.length;
  const fits = index.shape.length === rank && x.shape.every((side, i) => i === axis || side === index.shape[i]);
  if (axis < 0 || axis >= rank || !fits) {
    throw new ShapeError(
      op,
      `index ${formatShape(index.shape)} and x ${formatShape(x.shape)} differ outside axis ${axis}`,
    );
  }
}

/** The gradient of a gather: every element of g added where it was read. */
function spread(b: Build, g: Node, x: Node, index: Node, attrs: IndexSource): Node {
  const { axis } = attrs;
  // One index per row (labels, chosen experts), and several rows: a comparison with the position, which fuses with its neighbours.
  if (index.shape[axis] === 1 && axis > 0) {
    const along = (v: Node): Node => b.apply("expand", [v], { shape: x.shape });
    const chosen = b.equal(b.apply("iota", [], { shape: x.shape, axis }), along(index));
    return b.where(chosen, along(g), b.fill(x, 0));
  }
  return b.apply("scatterAdd", [b.fill(x, 0), index, g], attrs);
}

/** A position that is not there. */
export function indexError({ source, axis }: IndexSource, index: number, length: number): ShapeError {
  const [op, argument] = source.split(" ");
  return new ShapeError(
    op,
    `index ${index} is out of range for axis ${axis} of length ${length} (argument ${argument})`,
  );
}

const leaf = "a leaf: gradients end here";

export const indexing: { readonly [P in IndexingOp]: Row<P> } = {
  contract: {
    shape: ([x, y]) => {
      const shapes = `${formatShape(x.shape)} and ${formatShape(y.shape)}`;
      const rank = x.shape.length;
      if (rank < 2 || y.shape.length !== rank || !sameShape(x.shape.slice(0, -2), y.shape.slice(0, -2))) {
        throw new ShapeError("matmul", `batch axes of ${shapes} differ`);
      }
      if (x.shape[rank - 1] !== y.shape[rank - 2]) {
        throw new ShapeError(
          "matmul",
          `shapes ${shapes} do not fit: the last axis of x is ${x.shape[rank - 1]}, the second last of y is ${y.shape[rank - 2]}`,
        );
      }
      return checkShape("matmul", [...x.shape.slice(0, -1), y.shape[rank - 1]]);
    },
    dtype: ([x, y]) => {
      if (x.dtype !== y.dtype || !isFloat(x.dtype)) {
        throw new DTypeError("matmul", `needs two f32 or two f64 tensors, got ${x.dtype} and ${y.dtype}; cast first`);
      }
      return x.dtype;
    },
    vjp: (b, g, _out, [x, y]) => [
      b.apply("contract", [g, transpose(b, y)], {}),
      b.apply("contract", [transpose(b, x), g], {}),
    ],
  },
  gather: {
    shape: ([x, index], { axis }) => {
      checkAlong("gather", x, index, axis);
      return index.shape;
    },
    dtype: ([x, index]) => {
      checkIndex("gather", index);
      return x.dtype;
    },
    vjp: (b, g, y, [x, index]) => [isFloat(x.dtype) ? spread(b, g, x, index, y.attrs) : undefined, undefined],
  },
  scatterAdd: {
    shape: ([x, index, updates], { axis }) => {
      checkAlong("scatterAdd", x, index, axis);
      if (!sameShape(index.shape, updates.shape)) {
        throw new ShapeError(
          "scatterAdd",
          `index ${formatShape(index.shape)} and updates ${formatShape(updates.shape)} differ`,
        );
      }
      return x.shape;
    },
    dtype: ([x, index, updates]) => {
      checkIndex("scatterAdd", index);
      if (x.dtype !== updates.dtype || x.dtype === "bool") {
        throw new DTypeError(
          "scatterAdd",
          `x and updates must be numbers of one dtype, got ${x.dtype} and ${updates.dtype}`,
        );
      }
      return x.dtype;
    },
    vjp: (b, g, y, [, index]) => [g, undefined, b.apply("gather", [g, index], y.attrs)],
  },
  argsort: {
    shape: ([x], { kept }) => {
      if (x.shape.length === 0) throw new ShapeError("argsort", "needs at least one axis, got a scalar");
      return x.shape.with(-1, kept);
    },
    dtype: () => "i32",
    vjp: "integer result",
  },
  data: {
    shape: () => {
      throw new ArgumentError("data", "leaves are made by dataNode, not applied");
    },
    dtype: () => {
      throw new ArgumentError("data", "leaves are made by dataNode, not applied");
    },
    vjp: leaf,
  },
  full: { shape: (_, { shape }) => checkShape("full", shape), dtype: (_, { dtype }) => dtype, vjp: leaf },
  iota: { shape: (_, { shape }) => checkShape("iota", shape), dtype: () => "i32", vjp: leaf },
  uniform: {
    shape: ([key], { shape, dtype, bound }) => {
      const whole = bound !== undefined && Number.isInteger(bound) && bound > 0 && bound <= 2 ** 32;
      if ((dtype === "i32") !== whole) {
        throw new ArgumentError("uniform", `i32 needs a whole bound in [1, 2^32], floats none; got ${dtype}, ${bound}`);
      }
      if (!sameShape(key.shape, [3])) throw new ShapeError("uniform", `key must be [3], got ${formatShape(key.shape)}`);
      return checkShape("uniform", shape);
    },
    dtype: ([key], { dtype }) => {
      if (key.dtype !== "i32") throw new DTypeError("uniform", `key must be i32, got ${key.dtype}`);
      return dtype;
    },
    vjp: "random: does not depend on any input",
  },
};
