// The order in which a reduction that rounds joins its terms. It follows from the graph alone: from the reduction's shape
// and from how the values it is computed from lie in memory. So it is the same in whatever kernel the reduction ends up,
// fused or not, and so are the bits.

import { isFloat } from "../dtype.ts";
import { isReduce } from "../graph/vocabulary.ts";
import { contiguousStrides } from "../shape.ts";
import { domainOf } from "./columns.ts";
import { runsOf } from "./domain.ts";
import { isOpaque } from "./legalize.ts";
import { gatherView, isReshaped, readThrough } from "./reads.ts";
import { isMove, movedFrom, type Vertex } from "./vertex.ts";
import { type Access, viewBreaks, viewStep } from "./view.ts";

/** Terms are counted along the last reduced axes, neighbours taken as one axis: the row. */
export interface Order {
  /** Term i of a line goes to partial result i % parts, as `Fold` says. 1: in order, and lanes lie along what is kept. */
  readonly parts: number;
  /** After so many terms the next goes to the first partial result again. It divides the row. */
  readonly line: number;
  readonly row: number;
  /** Elements from a term of the row to the next. */
  readonly step: number;
}

/** Whether rows walked in lines of `side` terms have the partial results of the order. */
export const keepsOrder = ({ parts, line }: Order, side: number): boolean =>
  parts === 1 || side === line || (side % parts === 0 && (line % parts === 0 || line % side === 0));

/** Whether lines of `side` terms can be joined to lines that keep the order. */
export const inLine = ({ parts, line }: Order, side: number): boolean => parts === 1 || line % side === 0;

/** The order of each reduction that rounds. `order` holds all vertices, inputs before users. */
export function findOrders(order: readonly Vertex[]): ReadonlyMap<Vertex, Order> {
  const orders = new Map<Vertex, Order>();
  const uses = new Map<Vertex, number>();
  for (const v of order) for (const x of v.inputs) uses.set(movedFrom(x), (uses.get(movedFrom(x)) ?? 0) + 1);
  const accesses = new Map<Vertex, Accesses>();
  /** Where x is read, if every scalar expression it is made of is computed on the way. */
  const reach = (x: Vertex): Accesses => {
    const base = movedFrom(x);
    if (base.op === "full") return nothing;
    const known = isReshaped(x) ? accesses.get(base) : undefined;
    return known ?? new Map([entry(readThrough(x))]);
  };
  for (const v of order) {
    if (isMove(v) || isOpaque(v) || v.op === "full" || v.op === "iota" || v.op === "uniform") continue;
    if (!isReduce(v.op)) {
      const [x, ...rest] = v.inputs;
      const all = v.op === "gather" ? [new Map([entry([gatherView(v)])]), ...rest.map(reach)] : v.inputs.map(reach);
      accesses.set(v, all.length === 1 && x !== undefined ? all[0] : new Map(all.flatMap((each) => [...each])));
    } else if ((v.op === "sum" || v.op === "prod") && isFloat(v.dtype)) {
      const [x] = v.inputs;
      // What others use too is likely to be stored, or to be part of something that is.
      const stored = accesses.has(movedFrom(x)) && (uses.get(movedFrom(x)) ?? 0) > 1 ? [readThrough(x)] : [];
      orders.set(v, orderOf(v, [...reach(x).values(), ...stored]));
    }
  }
  return orders;
}

/** Different accesses over one index space, by a text for each. */
type Accesses = ReadonlyMap<string, Access>;

const nothing: Accesses = new Map();

const entry = (access: Access): readonly [string, Access] => [
  access.map(({ shape, strides, mask }) => `${shape};${strides};${mask ?? ""}`).join("|"),
  access,
];

/** Lines from so many terms on cost hardly more than one long row. */
const longLine = 64;

function orderOf(v: Vertex, accesses: readonly Access[]): Order {
  const runs = runsOf(domainOf(v));
  const at = runs.findLastIndex(({ reduced }) => reduced);
  const row = runs[at]?.side ?? 1;
  const last = at === runs.length - 1;
  // The kept axis that lanes could lie along instead, and the elements between its indices.
  const kept = (last ? runs[at - 1]?.side : runs[at + 1].side) ?? 1;
  const [step, keptStep] = last ? [1, row] : [kept, 1];
  const parts = vectorsOf(v.dtype, row);
  // Lines end where even steps end, and where long axes end: something may be broadcast along them in the same kernel.
  const ends = accesses.flatMap(([front]) => [
    ...viewBreaks(front),
    ...contiguousStrides(front.shape).filter((elements) => elements >= longLine * step),
  ]);
  const lines = ends.map((elements) => elements / step).filter((side) => side > 1 && row % side === 0);
  const line = Math.min(row, ...lines.filter((side) => side % parts !== 0));
  // Lanes lie along the axis on which more of what is read is contiguous.
  const ways = accesses.flatMap((access) => {
    const steps = [step, keptStep].map((elements) => viewStep(access[0], elements));
    return access.length === 1 && steps[0] !== 0 && steps[1] !== 0 ? [steps] : [];
  });
  const contiguous = (which: number): number => ways.filter((steps) => steps[which] === 1).length;
  const bias = contiguous(1) - contiguous(0);
  // A row shorter than two vectors leaves lanes empty, and its folds end in horizontal steps.
  const short = line < 8 && kept >= 2 * line;
  const across = kept > 1 && (short || bias > 0 || (bias === 0 && !last));
  return { parts: across ? 1 : vectorsOf(v.dtype, line), line, row, step };
}

/** Lanes of four vectors, where a line has that many terms: as many sums as the machine can have under way; else of one. */
function vectorsOf(dtype: Vertex["dtype"], line: number): number {
  const width = dtype === "f64" ? 2 : 4;
  return line >= 4 * width ? 4 * width : width;
}
