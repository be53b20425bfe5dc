// Scans: each element from the one before it along an axis. Their gradients are scans in the other direction.

import { isFloat } from "../dtype.ts";
import { DTypeError, ShapeError } from "../errors.ts";
import type { Attrs, Node } from "../graph/node.ts";
import { formatShape, sameShape } from "../shape.ts";
import type { Build, Row } from "./row.ts";

type ScanOp = "recurrence" | "cumsum" | "cummax";

function checkAxis(op: string, x: Node, axis: number): void {
  if (!Number.isInteger(axis) || axis < 0 || axis >= x.shape.length) {
    throw new ShapeError(op, `axis ${axis} is out of range for ${formatShape(x.shape)}`);
  }
}

function checkNumbers(op: string, inputs: readonly Node[]): Node["dtype"] {
  const [first] = inputs;
  if (first.dtype === "bool" || inputs.some((input) => input.dtype !== first.dtype)) {
    throw new DTypeError(op, `needs numbers of one dtype, got ${inputs.map((input) => input.dtype).join(" and ")}`);
  }
  return first.dtype;
}

/**
 * The gradient of the coefficients: each is multiplied by the h before it, and meets the gradient of the h it makes.
 * Parts joined to a zero, not padding: a kernel that need not ask where it is runs at full speed.
 */
function coefficientGradient(b: Build, gh: Node, h: Node, attrs: Attrs["recurrence"]): Node {
  const { axis, reverse, lag } = attrs;
  const side = h.shape[axis];
  if (side === 0) return gh;
  const part = (x: Node, start: number): Node =>
    b.apply("slice", [x], {
      starts: x.shape.map((_, i) => (i === axis ? start : 0)),
      stops: x.shape.map((whole, i) => (i === axis ? start + side - 1 : whole)),
      steps: x.shape.map(() => 1),
    });
  const products = b.mul(part(gh, reverse ? 0 : 1), part(h, reverse ? 1 : 0));
  const zero = b.apply("full", [], { shape: h.shape.with(axis, 1), dtype: h.dtype, value: 0 });
  return b.apply("concat", lag === reverse ? [zero, products] : [products, zero], { axis });
}

export const scans: { readonly [P in ScanOp]: Row<P> } = {
  recurrence: {
    shape: ([a, b], { axis }) => {
      if (!sameShape(a.shape, b.shape)) {
        throw new ShapeError("linearRecurrence", `shapes ${formatShape(a.shape)} and ${formatShape(b.shape)} differ`);
      }
      checkAxis("linearRecurrence", a, axis);
      return a.shape;
    },
    dtype: (inputs) => checkNumbers("linearRecurrence", inputs),
    vjp: (b, g, h, [a]) => {
      if (!isFloat(a.dtype)) return [];
      const { axis, reverse, lag } = h.attrs;
      // The coefficient between two neighbours is the same in both directions; only whose element it is changes.
      const gh = b.apply("recurrence", [a, g], { axis, reverse: !reverse, lag: !lag });
      return [coefficientGradient(b, gh, h, h.attrs), gh];
    },
  },
  cumsum: {
    shape: ([x], { axis }) => {
      checkAxis("cumsum", x, axis);
      return x.shape;
    },
    dtype: (inputs) => checkNumbers("cumsum", inputs),
    vjp: (b, g, y) => [b.apply("cumsum", [g], { axis: y.attrs.axis, reverse: !y.attrs.reverse })],
  },
  cummax: {
    shape: ([x], { axis }) => {
      checkAxis("cummax", x, axis);
      return x.shape;
    },
    dtype: (inputs) => checkNumbers("cummax", inputs),
    vjp: (b, g, y, [x]) => {
      if (!isFloat(x.dtype)) return [];
      const { axis, reverse } = y.attrs;
      // An element gets what flows into it and into those after it, up to the next that attains the maximum.
      const hit = b.logicalOr(b.equal(x, y), b.notEqual(x, x));
      const passes = b.where(hit, b.fill(x, 0), b.fill(x, 1));
      const sums = b.apply("recurrence", [passes, g], { axis, reverse: !reverse, lag: true });
      return [b.where(hit, sums, b.fill(x, 0))];
    },
  },
};
