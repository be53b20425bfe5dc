// What a gradient adds to which rows, where it is zero elsewhere: read off the graph, so that the zeros are never made.

import type { Node } from "./graph/node.ts";
import { concat } from "./ops/joining.ts";
import { reshape } from "./ops/movement.ts";
import { sizeOf } from "./shape.ts";
import { Tensor } from "./tensor.ts";

/** Zeros [v, ...] with `rows` [n, ...] added at `index` [n] (i32) along the first axis; repeated indices add up in order. */
export interface ScatteredRows {
  readonly index: Tensor;
  readonly rows: Tensor;
}

/**
 * The rows that x adds to zeros, where x is not yet evaluated and its graph says that it is nothing else: the gradient
 * of a table with respect to lookups of rows (`indexSelect` along axis 0), several of them too. Undefined for any other x.
 */
export function scatteredRows(x: Tensor): ScatteredRows | undefined {
  const parts = partsOf(x.node);
  if (parts === undefined || parts.length === 0) return undefined;
  if (parts.length === 1) return parts[0];
  return {
    index: concat(parts.map(({ index }) => index)),
    rows: concat(parts.map(({ rows }) => rows)),
  };
}

function partsOf(node: Node): ScatteredRows[] | undefined {
  if (node.storage !== undefined) return undefined;
  if (node.op === "add") {
    const parts = node.inputs.map(partsOf);
    return parts.some((part) => part === undefined) ? undefined : (parts as ScatteredRows[][]).flat();
  }
  if (node.op !== "scatterAdd") return undefined;
  const [base, index, rows] = node.inputs;
  const { axis } = node.attrs as Node<"scatterAdd">["attrs"];
  const which = oneARow(index);
  if (axis !== 0 || which === undefined || !isZero(base)) return undefined;
  return [{ index: which, rows: new Tensor(rows) }];
}

function isZero(node: Node): boolean {
  return node.op === "full" && Object.is((node.attrs as Node<"full">["attrs"]).value, 0);
}

/** The index of each row as one number, where all of its elements have the same by construction. */
function oneARow(index: Node): Tensor | undefined {
  const source = index.op === "expand" ? index.inputs[0] : index;
  const [count] = index.shape;
  return sizeOf(source.shape) === count ? reshape(new Tensor(source), [count]) : undefined;
}
