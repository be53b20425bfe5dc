// Operands whose axes are several axes in memory: what a reshape merged that no single stride can walk, as the windows
// of a convolution are. A contraction reads them where they lie.

import { type Shape, sizeOf } from "../shape.ts";
import { refine } from "./domain.ts";
import type { MatrixAccess, WalkAxis } from "./ir.ts";
import { isMove, throughMovement, type Vertex, viewOf } from "./vertex.ts";
import { identityAccess, type View } from "./view.ts";

/** Whether a value is read through windows: laying it out would repeat elements many times over. */
export function slides(x: Vertex): boolean {
  for (let at = x; isMove(at); at = at.inputs[0]) if (at.op === "windows") return true;
  return false;
}

/** The access of a matrix operand, axes merged by reshapes told apart; undefined where strides cannot say it. */
export function matrixAccess(x: Vertex): MatrixAccess | undefined {
  const [, whole] = throughMovement(x, identityAccess(x.shape));
  const plain = whole.length === 1 && whole[0].mask === undefined;
  const view = plain ? whole[0] : fineView(x);
  if (view === undefined) return undefined;
  const axes = plain ? x.shape.map((side, i) => walkOf(side, view.strides[i])) : walks(x.shape, view);
  if (axes === undefined || axes.slice(0, -2).some((walk) => walk.length > 1)) return undefined;
  const [rows, cols] = axes.slice(-2);
  const step = (walk: readonly WalkAxis[]): number => walk[walk.length - 1]?.stride ?? 0;
  return {
    batch: axes.slice(0, -2).map(step),
    row: step(rows),
    col: step(cols),
    offset: view.offset,
    ...(rows.length > 1 ? { rows } : {}),
    ...(cols.length > 1 ? { cols } : {}),
  };
}

const walkOf = (side: number, stride: number): WalkAxis[] => (side === 1 ? [] : [{ side, stride }]);

/** A single view over finer sides than x's own. */
function fineView(x: Vertex): View | undefined {
  if (sizeOf(x.shape) === 0) return undefined;
  const shapes: Shape[] = [x.shape];
  for (let at = x; isMove(at) && viewOf(at) === undefined; at = at.inputs[0]) shapes.push(at.inputs[0].shape);
  const sides = refine(shapes);
  if (sides === undefined) return undefined;
  const [, access] = throughMovement(x, identityAccess(sides));
  return access.length === 1 && access[0].mask === undefined ? access[0] : undefined;
}

/** For each axis of `shape` the axes of the view it is made of, those merged that step as one. */
function walks(shape: Shape, view: View): WalkAxis[][] | undefined {
  let next = 0;
  const result: WalkAxis[][] = [];
  for (const side of shape) {
    const walk: WalkAxis[] = [];
    let left = side;
    while (next < view.shape.length && (left > 1 || view.shape[next] === 1)) {
      const [axis] = walkOf(view.shape[next], view.strides[next]);
      left /= view.shape[next];
      next += 1;
      if (axis === undefined) continue;
      const last = walk[walk.length - 1];
      if (last !== undefined && last.stride === axis.stride * axis.side) {
        walk[walk.length - 1] = { side: last.side * axis.side, stride: axis.stride };
      } else walk.push(axis);
    }
    if (left !== 1) return undefined;
    result.push(walk);
  }
  return result;
}
