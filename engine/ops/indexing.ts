// Elements chosen by data. Indices are i32; one out of range is an error when the program runs.

import { checkDType, type DType } from "../dtype.ts";
import { ArgumentError, DTypeError, ShapeError } from "../errors.ts";
import { indexSource, operation } from "../operation.ts";
import { build } from "../primitives/index.ts";
import { broadcastParts, checkShape, formatShape, resolveAxis, type Shape } from "../shape.ts";
import { Tensor } from "../tensor.ts";
import { add, cast, equal, lessEqual, where } from "./elementwise.ts";
import { broadcastTo, reshape, unsqueeze } from "./movement.ts";
import { checkTensor, positions } from "./operand.ts";

function checkIndex(op: string, index: Tensor): void {
  checkTensor(op, index, "the index");
  if (index.dtype !== "i32") {
    throw new DTypeError(op, `the index must be i32, got ${index.dtype}; use tensor(..., { dtype: "i32" }) or cast`);
  }
}

const without = (shape: Shape, axis: number): number[] => shape.filter((_, i) => i !== axis);

/**
 * out[.., i, ..] = x[.., index[.., i, ..], ..] along `axis` (NumPy's take_along_axis). index has x's rank; the other
 * sides broadcast. Returns the broadcast shape with index's side along `axis`.
 */
export const takeAlongAxis = operation("takeAlongAxis", (x: Tensor, index: Tensor, axis: number): Tensor => {
  checkTensor("takeAlongAxis", x);
  checkIndex("takeAlongAxis", index);
  const at = resolveAxis("takeAlongAxis", axis, x.shape);
  if (index.rank !== x.rank) {
    const shapes = `${formatShape(index.shape)} and ${formatShape(x.shape)}`;
    throw new ShapeError("takeAlongAxis", `index and x must have one rank, got ${shapes}`);
  }
  const outer = broadcastParts(
    "takeAlongAxis",
    [without(x.shape, at), without(index.shape, at)],
    [x.shape, index.shape],
  );
  const [from, by] = [x, index].map((part) => broadcastTo(part, outer.toSpliced(at, 0, part.shape[at])));
  return new Tensor(
    build.apply("gather", [from.node, by.node], { axis: at, source: indexSource("takeAlongAxis index") }),
  );
});

/**
 * PyTorch's gather: out[i][j] = x[index[i][j]][j] for axis 0. index may be smaller than x along any axis: the rest of x
 * is not looked at. Returns index's shape.
 */
export const gather = operation("gather", (x: Tensor, axis: number, index: Tensor): Tensor => {
  checkTensor("gather", x);
  checkIndex("gather", index);
  const at = resolveAxis("gather", axis, x.shape);
  return new Tensor(
    build.apply("gather", [cropTo("gather", x, index.shape, at).node, index.node], {
      axis: at,
      source: indexSource("gather index"),
    }),
  );
});

/** x cut to the sides of `shape`, but for one axis. */
function cropTo(op: string, x: Tensor, shape: Shape, axis: number): Tensor {
  const fits = shape.length === x.rank && shape.every((side, i) => i === axis || side <= x.shape[i]);
  if (!fits) {
    const shapes = `${formatShape(shape)} and ${formatShape(x.shape)}`;
    throw new ShapeError(op, `index and x do not fit outside axis ${axis}: ${shapes}`);
  }
  const stops = x.shape.map((side, i) => (i === axis ? side : shape[i]));
  if (stops.every((stop, i) => stop === x.shape[i])) return x;
  const attrs = { starts: stops.map(() => 0), stops, steps: stops.map(() => 1) };
  return new Tensor(build.apply("slice", [x.node], attrs));
}

/**
 * Rows of x (slices along `axis`) by number: the axis is replaced by the axes of index. [v, d] and an index [b, t] give
 * [b, t, d]: an embedding.
 */
export const indexSelect = operation("indexSelect", (x: Tensor, axis: number, index: Tensor): Tensor => {
  checkTensor("indexSelect", x);
  checkIndex("indexSelect", index);
  const at = resolveAxis("indexSelect", axis, x.shape);
  const flat = reshape(
    index,
    x.shape.map((_, i) => (i === at ? index.size : 1)),
  );
  const rows = takeAlongAxis(x, flat, at);
  return reshape(rows, [...x.shape.slice(0, at), ...index.shape, ...x.shape.slice(at + 1)]);
});

/**
 * x with updates[.., i, ..] added at index[.., i, ..] along `axis`; equal indices add up, in order. index and updates
 * have one shape, which may differ from x's along `axis` only.
 */
export const scatterAdd = operation("scatterAdd", (x: Tensor, axis: number, index: Tensor, updates: Tensor): Tensor => {
  checkTensor("scatterAdd", x);
  checkIndex("scatterAdd", index);
  checkTensor("scatterAdd", updates, "updates");
  const at = resolveAxis("scatterAdd", axis, x.shape);
  return new Tensor(
    build.apply("scatterAdd", [x.node, index.node, cast(updates, x.dtype).node], {
      axis: at,
      source: indexSource("scatterAdd index"),
    }),
  );
});

/** 1 at the class each index names, 0 elsewhere: [..., classes]. An index outside [0, classes) gives all 0. */
export const oneHot = operation("oneHot", (index: Tensor, classes: number, dtype: DType = "f32"): Tensor => {
  checkIndex("oneHot", index);
  if (!Number.isInteger(classes) || classes < 0) {
    throw new ArgumentError("oneHot", `the number of classes must be a whole number >= 0, got ${classes}`);
  }
  checkDType("oneHot", dtype);
  const shape = checkShape("oneHot", [...index.shape, classes]);
  return cast(equal(unsqueeze(index, -1), positions(shape, index.rank)), dtype);
});

function triangle(op: string, x: Tensor, diagonal: number, keep: (shifted: Tensor, column: Tensor) => Tensor): Tensor {
  checkTensor(op, x);
  if (x.rank < 2) throw new ShapeError(op, `needs matrices, got ${formatShape(x.shape)}`);
  if (!Number.isInteger(diagonal)) throw new ArgumentError(op, `the diagonal must be a whole number, got ${diagonal}`);
  const matrix = x.shape.slice(-2);
  // No further than there are elements: positions are i32.
  const by = Math.max(-matrix[0], Math.min(matrix[1], diagonal));
  return where(keep(add(positions(matrix, 0), by), positions(matrix, 1)), x, x.dtype === "bool" ? false : 0);
}

/** The lower triangle of matrices [..., m, n]: 0 above the given diagonal (0: the main one, positive: above it). */
export const tril = operation("tril", (x: Tensor, diagonal = 0): Tensor => {
  return triangle("tril", x, diagonal, (shifted, column) => lessEqual(column, shifted));
});

/** The upper triangle of matrices [..., m, n]: 0 below the given diagonal. */
export const triu = operation("triu", (x: Tensor, diagonal = 0): Tensor => {
  return triangle("triu", x, diagonal, lessEqual);
});
