// Puts copies where a kernel needs a value laid out in memory: operands of contractions, sorts, scatters, scans, parts of
// concatenations, results of the program. After it, every vertex is a loop member, a movement, or such a kernel.

import type { Attrs, Op } from "../graph/node.ts";
import { sizeOf } from "../shape.ts";
import { matrixAccess, slides } from "./composite.ts";
import type { Simplified } from "./simplify.ts";
import { copyOf, movedFrom, partView, sorted, throughMovement, Vertex } from "./vertex.ts";
import { identityAccess, isIdentityAccess } from "./view.ts";

/** Primitives that are kernels of their own, not loops over scalar expressions. */
export const isOpaque = (v: Vertex): boolean => opaque.has(v.op);

const opaque: ReadonlySet<string> = new Set([
  ...["contract", "groupedContract", "groupedOuter", "scatterAdd", "argsort", "concat", "data"],
  ...["recurrence", "cumsum", "cummax", "scan", "part", "selectiveScan", "selectiveScanGrad"],
]);

export interface Legal extends Simplified {
  /** All vertices, inputs before users. */
  readonly order: readonly Vertex[];
}

export function legalize({ inputs, outputs }: Simplified): Legal {
  const done = new Map<Vertex, Vertex>();
  const copies = new Copies();
  for (const vertex of sorted(outputs))
    done.set(
      vertex,
      rebuild(
        vertex,
        vertex.inputs.map((x) => done.get(x) as Vertex),
        copies,
      ),
    );
  const legal = outputs.map((output) => result(done.get(output) as Vertex, copies));
  // An input nobody reads is still an input.
  return { inputs: inputs.map((input) => done.get(input) ?? input), outputs: legal, order: sorted(legal) };
}

function rebuild(vertex: Vertex, inputs: readonly Vertex[], copies: Copies): Vertex {
  const { op, attrs, shape, dtype } = vertex;
  const again = (list: readonly Vertex[]): Vertex =>
    list.every((x, i) => x === vertex.inputs[i]) ? vertex : new Vertex(op, list, attrs, shape, dtype);
  switch (op) {
    case "contract":
      return again(inputs.map((x) => (readsAsItLies(x, inputs) ? x : affine(x, copies))));
    case "groupedContract":
    case "groupedOuter":
      return again([...inputs.slice(0, 2).map((x) => affine(x, copies)), laidOut(inputs[2], copies)]);
    case "windows":
      // Windows overlap: what they are taken of is laid out once, rather than each window.
      return again([laidOut(inputs[0], copies)]);
    case "gather":
      return again([affine(inputs[0], copies), inputs[1]]);
    case "scatterAdd":
    case "argsort":
    case "recurrence":
    case "cumsum":
    case "cummax":
    case "scan":
    case "selectiveScan":
    case "selectiveScanGrad":
      return again(inputs.map((x) => laidOut(x, copies)));
    case "concat":
      return concatenation(vertex, inputs, (attrs as Attrs["concat"]).axis);
    default:
      return again(inputs);
  }
}

function concatenation(vertex: Vertex, inputs: readonly Vertex[], axis: number): Vertex {
  const parts = inputs.filter((x) => sizeOf(x.shape) > 0).map(copyOf);
  const whole = new Vertex("concat", parts, vertex.attrs as Attrs[Op], vertex.shape, vertex.dtype);
  let start = 0;
  for (const part of parts) {
    part.part = { whole, view: partView(part.shape, vertex.shape, axis, start) };
    start += part.shape[axis];
  }
  return whole;
}

/** One copy of each value, however many kernels need it laid out. */
class Copies {
  readonly #made = new Map<Vertex, Vertex>();

  of(x: Vertex): Vertex {
    const copy = this.#made.get(x) ?? copyOf(x);
    this.#made.set(x, copy);
    return copy;
  }
}

/** A value that strides over a stored tensor can read. */
function affine(x: Vertex, copies: Copies): Vertex {
  const [base, access] = throughMovement(x, identityAccess(x.shape));
  const strided = access.length === 1 && access[0].mask === undefined;
  return strided && isStorable(base) ? x : copies.of(x);
}

/** An operand of a contraction over windows, where strides over several axes at once can read it. */
function readsAsItLies(x: Vertex, operands: readonly Vertex[]): boolean {
  if (!operands.some(slides) || matrixAccess(x) === undefined) return false;
  return isStorable(movedFrom(x));
}

/** A value whose elements are contiguous in memory in its own order. */
function laidOut(x: Vertex, copies: Copies): Vertex {
  const [base, access] = throughMovement(x, identityAccess(x.shape));
  const inPlace = isIdentityAccess(access) && sizeOf(base.shape) === sizeOf(x.shape);
  return inPlace && isStorable(base) ? x : copies.of(x);
}

/** A result of the program: laid out, and never one of its inputs (which may be overwritten before it is read). */
function result(x: Vertex, copies: Copies): Vertex {
  const base = movedFrom(x);
  return base.op === "data" ? copies.of(x) : laidOut(x, copies);
}

/** Constants are expressions, never buffers: something that needs one in memory needs a copy. */
const isStorable = (v: Vertex): boolean => v.op !== "full" && v.op !== "iota";
