// Primitives with several results: a node for all of them together, and one for each.

import type { DType } from "../dtype.ts";
import { ShapeError } from "../errors.ts";
import type { Body, Node } from "../graph/node.ts";
import { checkShape, formatShape, type Shape, sameShape } from "../shape.ts";
import type { Row } from "./row.ts";
import { selectiveGradients, selectiveResults, selectiveSizes } from "./selective.ts";

interface Result {
  readonly shape: Shape;
  readonly dtype: DType;
}

/** The results of a node that has several. */
export function resultsOf(node: Node): readonly Result[] {
  switch (node.op) {
    case "scan":
      return scanResults((node as Node<"scan">).attrs.body);
    case "selectiveScan":
      return selectiveResults(selectiveSizes(node.inputs)).map((shape) => ({ shape, dtype: node.dtype }));
    case "selectiveScanGrad":
      return selectiveGradients(selectiveSizes(node.inputs)).map((shape) => ({ shape, dtype: node.dtype }));
    default:
      return [];
  }
}

const scanResults = ({ results, carries, length }: Body): Result[] =>
  results.map(({ shape, dtype }, i) => ({
    shape: i < carries ? shape : checkShape("scan", [length, ...shape]),
    dtype,
  }));

/** What the inputs of a scan must be, in order. */
function scanInputs({ leaves, carries, sequences, length }: Body): Result[] {
  const isSequence = (i: number): boolean => i >= carries && i < carries + sequences;
  return leaves.map(({ shape, dtype }, i) => ({ shape: isSequence(i) ? [length, ...shape] : shape, dtype }));
}

/** A node with several results has no value itself: its shape and dtype mean nothing. */
const noShape = (): Shape => [];
const noDType = (): DType => "f32";

export const parts: { readonly [P in "scan" | "part" | "tuple"]: Row<P> } = {
  scan: {
    shape: (inputs, { body }) => {
      for (const [i, { shape, dtype }] of scanInputs(body).entries()) {
        const { shape: actual, dtype: kind } = inputs[i];
        if (sameShape(actual, shape) && kind === dtype) continue;
        const names = `${dtype} ${formatShape(shape)}, got ${kind} ${formatShape(actual)}`;
        throw new ShapeError("scan", `input ${i} must be ${names}`);
      }
      return noShape();
    },
    dtype: noDType,
    vjp: (_b, g, scan) => scan.attrs.body.pullBack(scan, g as Node<"tuple">),
  },
  part: {
    shape: ([x], { index }) => resultsOf(x)[index].shape,
    dtype: ([x], { index }) => resultsOf(x)[index].dtype,
    vjp: (b, g, part) => [b.apply("tuple", [g], { slots: [part.attrs.index] })],
  },
  tuple: { shape: noShape, dtype: noDType, vjp: "holds gradients while they are being computed" },
};
