// Sums over all steps of a scan, made once from sequences instead of step by step: a weight's gradient is one product
// over all steps, not a product and an addition at each.

import type { Node } from "../graph/node.ts";
import { build } from "../primitives/index.ts";
import { type Shape, sizeOf } from "../shape.ts";

/** Values of a body whose sequences are known, or shall be. */
export interface Sequences {
  readonly length: number;
  /** Whether the value of each step is kept already. */
  has(value: Node): boolean;
  /** Whether it is the same at each step. */
  isFixed(value: Node): boolean;
  /** All values of a kept value, along a new first axis. */
  of(value: Node): Node;
}

/** A value to add up over all steps, and how to make the sum when sequences are there. */
export interface TimeSum {
  readonly leaf: Node;
  readonly value: Node;
  /** Undefined: add up step by step. */
  readonly total: (() => Node) | undefined;
}

/** Keeping operands may take this many times the memory of their product. */
const worthKeeping = 4;

/** How to make each sum; the values that must be kept for that are added to `kept`. */
export function sumsOverTime(
  values: readonly Omit<TimeSum, "total">[],
  kept: Set<Node>,
  sequences: Sequences,
): TimeSum[] {
  const attempt = (value: Node): TimeSum["total"] => {
    const wanted = new Set<Node>();
    const total = sumOverTime(value, sequences, wanted);
    if (total !== undefined) for (const one of wanted) kept.add(one);
    return total;
  };
  // Products first: what they keep serves the others.
  for (const { value } of values) attempt(value);
  return values.map(({ leaf, value }) => ({ leaf, value, total: attempt(value) }));
}

/** The values that must be kept are added to `wanted`. */
function sumOverTime(value: Node, sequences: Sequences, wanted: Set<Node>): (() => Node) | undefined {
  const { attrs, inputs, shape } = value;
  switch (value.op) {
    case "add": {
      const [x, y] = inputs.map((input) => sumOverTime(input, sequences, wanted));
      return x && y && (() => build.add(x(), y()));
    }
    case "reshape":
    case "permute": {
      const inner = sumOverTime(inputs[0], sequences, wanted);
      return inner && (() => build.apply(value.op as "reshape", [inner()], attrs as { shape: Shape }));
    }
    case "sum": {
      // Kept for this alone, the terms would only take memory.
      const [terms] = inputs;
      const source = baseOf(terms);
      if (!sequences.has(source) || sequences.isFixed(source)) return undefined;
      const axes = (attrs as { readonly axes: readonly number[] }).axes.map((axis) => axis + 1);
      return () => build.sum(alongTime(terms, sequences), [0, ...axes]);
    }
    case "contract": {
      const sources = inputs.map(baseOf);
      const kept = sources.filter((source) => !sequences.has(source));
      if (sources.some((source) => sequences.isFixed(source))) return undefined;
      if (kept.reduce((sum, source) => sum + sizeOf(source.shape), 0) > worthKeeping * sizeOf(shape)) return undefined;
      for (const source of kept) wanted.add(source);
      return () => longProduct(inputs.map((input) => alongTime(input, sequences)));
    }
    default:
      return undefined;
  }
}

const isView = (node: Node): boolean => node.op === "reshape" || node.op === "permute";

function baseOf(value: Node): Node {
  let at = value;
  while (isView(at)) at = at.inputs[0];
  return at;
}

/** The sequence of a value: views are taken of the sequence of what they show. */
function alongTime(value: Node, sequences: Sequences): Node {
  if (!isView(value) || sequences.has(value)) return sequences.of(value);
  const inner = alongTime(value.inputs[0], sequences);
  if (value.op === "reshape") return build.reshape(inner, [sequences.length, ...value.shape]);
  const { order } = (value as Node<"permute">).attrs;
  return build.permute(inner, [0, ...order.map((axis) => axis + 1)]);
}

/**
 * The sum of the products [.., m, k] x [.., k, n] of all steps: one product over steps and k. Steps and k become one
 * axis before m takes its place, so that an x that is a transposed sequence is read where it lies.
 */
function longProduct([x, y]: readonly Node[]): Node {
  const rank = x.shape.length;
  const lead = x.shape.slice(1, -2).map((_, i) => i + 1);
  const batch = lead.map((axis) => x.shape[axis]);
  const rows = x.shape[0] * x.shape[rank - 1];
  const left = permuted(x, [...lead, 0, rank - 1, rank - 2]);
  const right = permuted(y, [...lead, 0, rank - 2, rank - 1]);
  const swapped = [...batch.map((_, i) => i), batch.length + 1, batch.length];
  return build.apply(
    "contract",
    [
      build.permute(build.reshape(left, [...batch, rows, x.shape[rank - 2]]), swapped),
      build.reshape(right, [...batch, rows, y.shape[rank - 1]]),
    ],
    {},
  );
}

/** Two permutations are one, or none: only then is it seen that elements lie as they should. */
function permuted(x: Node, order: readonly number[]): Node {
  if (x.op !== "permute") return build.permute(x, order);
  const first = (x as Node<"permute">).attrs.order;
  return build.permute(
    x.inputs[0],
    order.map((axis) => first[axis]),
  );
}
