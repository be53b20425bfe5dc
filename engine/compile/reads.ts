// What a vertex reads: other vertices, through movement and inline expressions, and where these reads break its flat
// positions into axes that no single step walks.

import { type Shape, sizeOf } from "../shape.ts";
import { refine } from "./domain.ts";
import { isOpaque } from "./legalize.ts";
import { iotaView, isMove, throughMovement, type Vertex, viewOf } from "./vertex.ts";
import { type Access, appendView, identityAccess, identityView, type View, viewBreaks } from "./view.ts";

/** What a vertex reads: another vertex, and how its index space (a reduction's: its input's) leads there. */
export interface Dependency {
  readonly vertex: Vertex;
  readonly access: Access;
  /** Read by position (an operand of an opaque kernel, the source of a gather): it must be in memory. */
  readonly whole: boolean;
}

export interface Reads {
  readonly dependencies: readonly Dependency[];
  /** Numbers of elements (of the index space, counted from its end) between which no access goes on in even steps. */
  readonly breaks: ReadonlySet<number>;
}

/** Whether a vertex reads its i-th input by position, not element for element. */
export const readsWhole = (v: Vertex, i: number): boolean =>
  isOpaque(v) || v.op === "uniform" || (v.op === "gather" && i === 0);

export function readsOf(vertex: Vertex, inline: ReadonlySet<Vertex>): Reads {
  const dependencies: Dependency[] = [];
  const breaks = new Set<number>();
  const meet = ([front]: Access): void => {
    for (const at of viewBreaks(front)) breaks.add(at);
  };
  const walk = (v: Vertex, access: Access, whole: boolean): void => {
    if (isMove(v)) {
      const view = viewOf(v);
      walk(v.inputs[0], view === undefined ? access : appendView(access, view), whole);
    } else if (inline.has(v)) {
      if (v.op === "iota") meet(appendView(access, iotaView(v)));
      for (const input of v.inputs) walk(input, access, whole);
    } else {
      dependencies.push({ vertex: v, access, whole });
      if (!whole) meet(access);
    }
  };
  vertex.inputs.forEach((input, i) => {
    walk(input, start(input), readsWhole(vertex, i));
  });
  if (vertex.op === "gather") meet([gatherView(vertex)]);
  if (vertex.part !== undefined) meet([vertex.part.view]);
  return { dependencies, breaks };
}

/** Element i of x is element i, over sides so fine that the first view x is seen through is one with them. */
function start(x: Vertex): Access {
  if (!isMove(x)) return identityAccess(x.shape);
  let sides: Shape = x.shape;
  if (sizeOf(sides) === 0) return identityAccess(sides);
  for (let at = x; ; at = at.inputs[0]) {
    sides = refine([sides, at.shape]) ?? sides;
    if (!isMove(at) || viewOf(at) !== undefined) return identityAccess(sides);
  }
}

/** How x reads what it is a movement of. */
export function readThrough(x: Vertex): Access {
  const [base, access] = throughMovement(x, start(x));
  return base.op === "iota" ? appendView(access, iotaView(base)) : access;
}

/** Where a gather reads its source, but for the indexed axis. */
export function gatherView(v: Vertex): View {
  const [x] = v.inputs;
  const [, [view]] = throughMovement(x, [identityView(x.shape)]);
  return { shape: v.shape, strides: view.strides.with(v.as("gather").axis, 0), offset: view.offset };
}

/** Whether x has its elements in the order of what it is a movement of: it is that, reshaped. */
export function isReshaped(x: Vertex): boolean {
  for (let at = x; isMove(at); at = at.inputs[0]) if (viewOf(at) !== undefined) return false;
  return true;
}
