// The table of all primitives, and how a node is made from a row.

import { isFloat } from "../dtype.ts";
import { type Attrs, Node, type Op } from "../graph/node.ts";
import {
  binaryBoolOps,
  binaryNumericOps,
  compareOps,
  reduceOps,
  unaryBoolOps,
  unaryFloatOps,
  unaryNumericOps,
} from "../graph/vocabulary.ts";
import { checkShape, keepAxes, sameShape } from "../shape.ts";
import { elementwise } from "./elementwise.ts";
import { grouped } from "./grouped.ts";
import { indexing } from "./indexing.ts";
import { movements } from "./movement.ts";
import { parts } from "./parts.ts";
import { reductions } from "./reduce.ts";
import type { Build, Row } from "./row.ts";
import { scans } from "./scan.ts";
import { selective } from "./selective.ts";
import { windows } from "./windows.ts";

export { integerScalar } from "./elementwise.ts";
export { resultsOf } from "./parts.ts";
export { reduceIdentity } from "./reduce.ts";
export type { Build, Row, Vjp } from "./row.ts";
export {
  chunkOf,
  groupChannels,
  type SelectiveSizes,
  selectiveGradients,
  selectiveResults,
  selectiveSizes,
} from "./selective.ts";

/** One row per primitive. Leaving one out does not compile. */
export const primitives: { readonly [P in Op]: Row<P> } = {
  ...elementwise,
  ...reductions,
  ...movements,
  ...indexing,
  ...grouped,
  windows,
  ...scans,
  ...parts,
  ...selective,
};

/** Makes a node: checks shapes and dtypes by the primitive's row. */
export function apply<P extends Op>(op: P, inputs: readonly Node[], attrs: Attrs[P]): Node<P> {
  const row: Row<P> = primitives[op];
  const dtype = row.dtype(inputs, attrs);
  // What no gradient can pass is no part of differentiation, and lets go of its history once it has a value.
  const tracked = op === "stopGradient" || !isFloat(dtype) ? false : undefined;
  // Flat positions are i32 everywhere, in what is only looked through too.
  return new Node(op, inputs, attrs, checkShape(op, row.shape(inputs, attrs)), dtype, tracked);
}

const unaryNames = [...unaryFloatOps, ...unaryNumericOps, ...unaryBoolOps, "stopGradient"] as const;
const binaryNames = [...binaryNumericOps, ...compareOps, ...binaryBoolOps] as const;

type Named<K extends string, F> = Record<K, F>;
const table = <K extends string, F>(names: readonly K[], make: (name: K) => F): Named<K, F> =>
  Object.fromEntries(names.map((name) => [name, make(name)])) as Named<K, F>;

/** The builder that vjp rules and composed operations write graphs with. */
export const build: Build = {
  ...table(unaryNames, (op) => (x: Node) => apply(op, [x], {})),
  ...table(binaryNames, (op) => (x: Node, y: Node) => apply(op, [x, y], {})),
  ...table(reduceOps, (op) => (x: Node, axes: readonly number[]) => (axes.length === 0 ? x : apply(op, [x], { axes }))),
  apply,
  fill: (like, value) => apply("full", [], { shape: like.shape, dtype: like.dtype, value }),
  where: (condition, x, y) => apply("where", [condition, x, y], {}),
  reshape: (x, shape) => (sameShape(x.shape, shape) ? x : apply("reshape", [x], { shape })),
  permute: (x, order) => (order.every((axis, i) => axis === i) ? x : apply("permute", [x], { order })),
  unreduce: (x, shape, axes) => {
    const kept = build.reshape(x, keepAxes(shape, axes));
    return sameShape(kept.shape, shape) ? kept : apply("expand", [kept], { shape });
  },
  cast: (x, dtype) => (x.dtype === dtype ? x : apply("cast", [x], { dtype })),
};
