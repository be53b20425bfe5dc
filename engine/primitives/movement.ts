// Movement: which element is read. Index rewriting only; each gradient is another movement.

import { ArgumentError, DTypeError, ShapeError } from "../errors.ts";
import type { Node } from "../graph/node.ts";
import { checkShape, formatShape, sameShape, sizeOf } from "../shape.ts";
import type { Build, Row } from "./row.ts";

type MovementOp =
  | "reshape"
  | "permute"
  | "expand"
  | "slice"
  | "pad"
  | "flip"
  | "concat"
  | "alias"
  | "stopGradient"
  | "custom";

const sameDType = (inputs: readonly Node[]) => inputs[0].dtype;

function checkRank(op: string, x: Node, ...lists: readonly (readonly number[])[]): void {
  for (const list of lists) {
    if (list.length !== x.shape.length) {
      throw new ShapeError(op, `needs one entry per axis of ${formatShape(x.shape)}, got [${list.join(", ")}]`);
    }
  }
}

/** Puts step - 1 zeros after each element of an axis but the last: the adjoint of a strided slice. */
export function dilate(b: Build, x: Node, axis: number, step: number): Node {
  const n = x.shape[axis];
  if (step === 1 || n === 0) return x;
  const zeros = x.shape.map(() => 0);
  const split = b.reshape(x, [...x.shape.slice(0, axis + 1), 1, ...x.shape.slice(axis + 1)]);
  const hi = [...zeros.slice(0, axis + 1), step - 1, ...zeros.slice(axis + 1)];
  const padded = b.apply("pad", [split], { lo: [0, ...zeros], hi, value: 0 });
  const joined = b.reshape(padded, [...x.shape.slice(0, axis), n * step, ...x.shape.slice(axis + 1)]);
  return sliceAxis(b, joined, axis, 0, (n - 1) * step + 1);
}

function sliceAxis(b: Build, x: Node, axis: number, start: number, stop: number): Node {
  return b.apply("slice", [x], {
    starts: x.shape.map((_, i) => (i === axis ? start : 0)),
    stops: x.shape.map((side, i) => (i === axis ? stop : side)),
    steps: x.shape.map(() => 1),
  });
}

export const movements: { readonly [P in MovementOp]: Row<P> } = {
  alias: { shape: ([x]) => x.shape, dtype: sameDType, vjp: (_b, g) => [g] },
  stopGradient: { shape: ([x]) => x.shape, dtype: sameDType, vjp: "its purpose is to stop gradients" },
  custom: { shape: ([x]) => x.shape, dtype: sameDType, vjp: (_b, g, y) => [undefined, ...y.attrs.rule(g)] },
  reshape: {
    shape: ([x], { shape }) => {
      checkShape("reshape", shape);
      if (sizeOf(shape) !== sizeOf(x.shape)) {
        throw new ShapeError(
          "reshape",
          `cannot reshape ${formatShape(x.shape)} to ${formatShape(shape)}: sizes differ`,
        );
      }
      return shape;
    },
    dtype: sameDType,
    vjp: (b, g, _y, [x]) => [b.reshape(g, x.shape)],
  },
  permute: {
    shape: ([x], { order }) => {
      checkRank("permute", x, order);
      const seen = [...order].sort((p, q) => p - q);
      if (seen.some((axis, i) => axis !== i)) {
        throw new ShapeError(
          "permute",
          `[${order.join(", ")}] is not a permutation of the axes of ${formatShape(x.shape)}`,
        );
      }
      return order.map((axis) => x.shape[axis]);
    },
    dtype: sameDType,
    vjp: (b, g, y) => [
      b.permute(
        g,
        y.attrs.order.map((_, axis) => y.attrs.order.indexOf(axis)),
      ),
    ],
  },
  expand: {
    shape: ([x], { shape }) => {
      checkShape("expand", shape);
      checkRank("expand", x, shape);
      if (x.shape.some((side, i) => side !== 1 && side !== shape[i])) {
        throw new ShapeError(
          "expand",
          `cannot expand ${formatShape(x.shape)} to ${formatShape(shape)}: only sides of 1 grow`,
        );
      }
      return shape;
    },
    dtype: sameDType,
    vjp: (b, g, y, [x]) => {
      const axes = y.shape.map((_, i) => i).filter((i) => x.shape[i] !== y.shape[i]);
      return [axes.length === 0 ? g : b.reshape(b.sum(g, axes), x.shape)];
    },
  },
  slice: {
    shape: ([x], { starts, stops, steps }) => {
      checkRank("slice", x, starts, stops, steps);
      return x.shape.map((side, i) => {
        if (starts[i] < 0 || stops[i] > side || starts[i] > stops[i] || !(steps[i] >= 1)) {
          throw new ShapeError(
            "slice",
            `[${starts[i]}, ${stops[i]}) step ${steps[i]} is out of range for axis ${i} of ${formatShape(x.shape)}`,
          );
        }
        return Math.ceil((stops[i] - starts[i]) / steps[i]);
      });
    },
    dtype: sameDType,
    vjp: (b, g, y, [x]) => {
      const { starts, steps } = y.attrs;
      const spread = steps.reduce((acc, step, axis) => dilate(b, acc, axis, step), g);
      const hi = x.shape.map((side, i) => side - starts[i] - spread.shape[i]);
      return [b.apply("pad", [spread], { lo: starts, hi, value: 0 })];
    },
  },
  pad: {
    shape: ([x], { lo, hi }) => {
      checkRank("pad", x, lo, hi);
      if ([...lo, ...hi].some((n) => !Number.isInteger(n) || n < 0)) {
        throw new ShapeError(
          "pad",
          `amounts must be non-negative integers, got lo [${lo}] and hi [${hi}]; use slice to crop`,
        );
      }
      return checkShape(
        "pad",
        x.shape.map((side, i) => side + lo[i] + hi[i]),
      );
    },
    dtype: sameDType,
    vjp: (b, g, y, [x]) => {
      const { lo } = y.attrs;
      const stops = x.shape.map((side, i) => side + lo[i]);
      return [b.apply("slice", [g], { starts: lo, stops, steps: x.shape.map(() => 1) })];
    },
  },
  flip: {
    shape: ([x], { axes }) => {
      if (axes.some((axis) => axis < 0 || axis >= x.shape.length)) {
        throw new ShapeError("flip", `axes [${axes}] are out of range for ${formatShape(x.shape)}`);
      }
      return x.shape;
    },
    dtype: sameDType,
    vjp: (b, g, y) => [b.apply("flip", [g], y.attrs)],
  },
  concat: {
    shape: (inputs, { axis }) => {
      const shapes = inputs.map((input) => formatShape(input.shape)).join(", ");
      const [first] = inputs;
      const fits = (shape: readonly number[]) =>
        shape.length === first.shape.length && sameShape(shape.with(axis, 0), first.shape.with(axis, 0));
      if (axis < 0 || axis >= first.shape.length || !inputs.every((input) => fits(input.shape))) {
        throw new ShapeError("concat", `shapes ${shapes} differ outside axis ${axis}`);
      }
      const side = inputs.reduce((n, input) => n + input.shape[axis], 0);
      return checkShape("concat", first.shape.with(axis, side));
    },
    // Asked for first, so that it is where nothing at all is refused.
    dtype: (inputs) => {
      if (inputs.length === 0) throw new ArgumentError("concat", "needs at least one tensor");
      const [first] = inputs;
      if (inputs.some((input) => input.dtype !== first.dtype)) {
        throw new DTypeError("concat", `dtypes differ: ${inputs.map((input) => input.dtype).join(", ")}; cast first`);
      }
      return first.dtype;
    },
    vjp: (b, g, y, inputs) => {
      const { axis } = y.attrs;
      let start = 0;
      return inputs.map((input) => {
        const piece = sliceAxis(b, g, axis, start, start + input.shape[axis]);
        start += input.shape[axis];
        return piece;
      });
    },
  },
};
