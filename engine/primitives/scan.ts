// Scans: each element from the one before it along an axis. Their gradients are scans in the other direction.

import { isFloat } from "../dtype.ts";
import { DTypeError, ShapeError } from "../errors.ts";
import type { Node } from "../graph/node.ts";
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

/** Element t is that of x at t + by (by is 1 or -1); 0 beyond the ends. */
function neighbour(b: Build, x: Node, axis: number, by: number): Node {
  const side = x.shape[axis];
  if (side === 0) return x;
  const at = (value: number, others: readonly number[]) => others.map((other, i) => (i === axis ? value : other));
  const zeros = x.shape.map(() => 0);
  const part = b.apply("slice", [x], {
    starts: at(by > 0 ? 1 : 0, zeros),
    stops: at(by > 0 ? side : side - 1, x.shape),
    steps: x.shape.map(() => 1),
  });
  return b.apply("pad", [part], { lo: at(by > 0 ? 0 : 1, zeros), hi: at(by > 0 ? 1 : 0, zeros), value: 0 });
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
      const back = reverse ? 1 : -1;
      const da = lag ? b.mul(neighbour(b, gh, axis, -back), h) : b.mul(gh, neighbour(b, h, axis, back));
      return [da, gh];
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
