// Products over rows sorted by group, whose borders are data: one matrix per group. Two primitives, each the other's
// gradient, so that derivatives of any order stay among them.

import { DTypeError, ShapeError } from "../errors.ts";
import type { Attrs, Node } from "../graph/node.ts";
import { operationOf } from "../operation.ts";
import { checkShape, formatShape } from "../shape.ts";
import { transpose } from "./indexing.ts";
import type { Build, Row } from "./row.ts";

type GroupedOp = "groupedContract" | "groupedOuter";

function checkDTypes(x: Node, y: Node, offsets: Node): Node["dtype"] {
  if (x.dtype !== y.dtype || (x.dtype !== "f32" && x.dtype !== "f64")) {
    throw new DTypeError(
      "groupedMatmul",
      `needs two f32 or two f64 tensors, got ${x.dtype} and ${y.dtype}; cast first`,
    );
  }
  if (offsets.dtype !== "i32") throw new DTypeError("groupedMatmul", `offsets must be i32, got ${offsets.dtype}`);
  return x.dtype;
}

function refuse(inputs: readonly Node[], why: string): never {
  const shapes = inputs.map((input) => formatShape(input.shape)).join(", ");
  throw new ShapeError("groupedMatmul", `${why}, got ${shapes}`);
}

/** What is wrong with an offset that is below the one before it (or 0), or beyond the number of rows: `bound`. */
export const offsetError = (source: string, offset: number, bound: number): ShapeError =>
  new ShapeError(
    operationOf(source),
    offset < bound
      ? `offsets must ascend from 0 on, got ${offset} after ${bound}`
      : `offset ${offset} is beyond the ${bound} rows`,
  );

/** Throws unless offsets ascend within the rows. */
export function checkOffsets(source: string, offsets: ArrayLike<number>, rows: number): void {
  let before = 0;
  for (let g = 0; g < offsets.length; g++) {
    if (offsets[g] < before) throw offsetError(source, offsets[g], before);
    before = offsets[g];
  }
  if (before > rows) throw offsetError(source, before, rows);
}

type Source = Attrs["groupedContract"];
const product = (b: Build, x: Node, w: Node, offsets: Node, source: Source): Node =>
  b.apply("groupedContract", [x, w, offsets], source);
const outer = (b: Build, x: Node, y: Node, offsets: Node, source: Source): Node =>
  b.apply("groupedOuter", [x, y, offsets], source);

export const grouped: { readonly [P in GroupedOp]: Row<P> } = {
  groupedContract: {
    shape: (inputs) => {
      const [x, w, offsets] = inputs.map((input) => input.shape);
      const fits = x.length === 2 && w.length === 3 && offsets.length === 1;
      if (!fits || x[1] !== w[1] || offsets[0] !== w[0] + 1)
        refuse(inputs, "needs x [R, K], w [G, K, N] and offsets [G + 1]");
      return checkShape("groupedMatmul", [x[0], w[2]]);
    },
    dtype: ([x, w, offsets]) => checkDTypes(x, w, offsets),
    vjp: (b, g, { attrs }, [x, w, offsets]) => [
      product(b, g, transpose(b, w), offsets, attrs),
      outer(b, x, g, offsets, attrs),
      undefined,
    ],
  },
  groupedOuter: {
    shape: (inputs) => {
      const [x, y, offsets] = inputs.map((input) => input.shape);
      const fits = x.length === 2 && y.length === 2 && offsets.length === 1;
      if (!fits || x[0] !== y[0] || offsets[0] < 1) refuse(inputs, "needs x [R, K], y [R, N] and offsets [G + 1]");
      return checkShape("groupedMatmul", [offsets[0] - 1, x[1], y[1]]);
    },
    dtype: ([x, y, offsets]) => checkDTypes(x, y, offsets),
    vjp: (b, g, { attrs }, [x, y, offsets]) => [
      product(b, y, transpose(b, g), offsets, attrs),
      product(b, x, g, offsets, attrs),
      undefined,
    ],
  },
};
