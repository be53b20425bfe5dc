// Several tensors made one.

import { ArgumentError, ShapeError } from "../errors.ts";
import { operation } from "../operation.ts";
import { build } from "../primitives/index.ts";
import { formatShape, resolveAxis, sameShape } from "../shape.ts";
import { Tensor } from "../tensor.ts";
import { unsqueeze } from "./movement.ts";
import { checkTensor, commonDType, toNode } from "./operand.ts";

function checkTensors(op: string, tensors: readonly Tensor[]): readonly Tensor[] {
  for (const [i, item] of tensors.entries()) checkTensor(op, item, `element ${i}`);
  return tensors;
}

/** Tensors joined along an axis; other sides must agree. dtypes promote. */
export const concat = operation("concat", (tensors: readonly Tensor[], axis = 0): Tensor => {
  const list = checkTensors("concat", tensors);
  if (list.length === 0) throw new ArgumentError("concat", "needs at least one tensor");
  const at = resolveAxis("concat", axis, list[0].shape);
  if (list.length === 1) return list[0];
  const dtype = commonDType("concat", list);
  return new Tensor(
    build.apply(
      "concat",
      list.map((item) => toNode(item, item.shape, dtype)),
      { axis: at },
    ),
  );
});

/** Tensors of one shape along a new axis. */
export const stack = operation("stack", (tensors: readonly Tensor[], axis = 0): Tensor => {
  const list = checkTensors("stack", tensors);
  if (list.length === 0) throw new ArgumentError("stack", "needs at least one tensor");
  const [first] = list;
  const other = list.find((item) => !sameShape(item.shape, first.shape));
  if (other !== undefined) {
    throw new ShapeError("stack", `shapes differ: ${formatShape(first.shape)} and ${formatShape(other.shape)}`);
  }
  const at = resolveAxis("stack", axis, first.rank + 1);
  return concat(
    list.map((item) => unsqueeze(item, at)),
    at,
  );
});
