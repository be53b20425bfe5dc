// Products over sliding windows: which of three ways computes them, and how their index axes are walked. Pure decisions.

import type { ContractKernel, MatrixAccess, WalkAxis } from "../../../compile/ir.ts";
import { lanesOf } from "./lanes.ts";

type Sides = Pick<ContractKernel, "dtype" | "m" | "n" | "k" | "a" | "b">;

export const isComposite = (x: MatrixAccess): boolean => x.rows !== undefined || x.cols !== undefined;

/** Whether an operand is one that only strips or direct kernels can read. */
export const hasComposite = ({ a, b }: Pick<ContractKernel, "a" | "b">): boolean => isComposite(a) || isComposite(b);

/** The axes an index of the matrix walks; one, where a stride is enough. */
export const walkRows = (x: MatrixAccess, side: number): readonly WalkAxis[] => x.rows ?? [{ side, stride: x.row }];
export const walkCols = (x: MatrixAccess, side: number): readonly WalkAxis[] => x.cols ?? [{ side, stride: x.col }];

export const innermost = (walk: readonly WalkAxis[]): WalkAxis => walk[walk.length - 1];

/**
 * Few rows (a depthwise convolution has one): columns straight from memory, lanes along the innermost of at most two
 * column axes, so that nothing is packed. A tile is `lines` of that axis (or a piece of `vectors` of one line).
 */
export interface Stencil {
  readonly kind: "stencil";
  readonly line: WalkAxis;
  /** How many lines there are, and how far apart. */
  readonly across: WalkAxis;
  readonly lines: number;
  readonly vectors: number;
}

/**
 * Few rows, and a sum over positions (the weight of a depthwise convolution): lanes along k, in runs that both operands
 * walk evenly, and one accumulator for each of a group of neighbouring columns.
 */
export interface Taps {
  readonly kind: "taps";
  /** Length of a run along k, and how far B's neighbours in it are. */
  readonly run: number;
  readonly stepB: number;
  /** The innermost column axis: its columns are a group. */
  readonly group: WalkAxis;
}

/** Accumulators that are free while each has a load of its own. */
export const accumulators = 8;
/** Rows up to which packing costs more than reading the windows anew for each row. */
const fewRows = 4;

export function directWay(sides: Sides): Stencil | Taps | undefined {
  const { m, n, k, a, b } = sides;
  if (m > fewRows || m * n * k === 0) return undefined;
  return stencil(sides) ?? taps({ ...sides, n, k, a, b });
}

function stencil({ dtype, n, a, b }: Sides): Stencil | undefined {
  const columns = walkCols(b, n);
  const line = innermost(columns);
  const across = columns.length === 2 ? columns[0] : { side: 1, stride: 0 };
  const { width } = lanesOf[dtype];
  if (isComposite(a) || columns.length > 2 || line.side < width) return undefined;
  if (line.stride < 1 || line.stride > 4 || across.stride < 0) return undefined;
  const vectors = Math.ceil(line.side / width);
  const lines = Math.min(across.side, Math.max(1, Math.floor(accumulators / vectors)));
  return { kind: "stencil", line, across, lines, vectors: Math.ceil(vectors / Math.ceil(vectors / accumulators)) };
}

function taps({ dtype, n, k, a, b }: Sides): Taps | undefined {
  const [along, other] = [innermost(walkRows(b, k)), innermost(walkCols(a, k))];
  const group = innermost(walkCols(b, n));
  const even = other.side % along.side === 0 && other.stride === 1 && a.rows === undefined;
  if (!even || along.side < lanesOf[dtype].width || along.stride < 1 || along.stride > 4) return undefined;
  return group.side > 2 * accumulators ? undefined : { kind: "taps", run: along.side, stepB: along.stride, group };
}

/** Columns in a unit of direct work must be whole tiles. */
export const directColumns = (way: Stencil | Taps): number =>
  way.kind === "stencil" ? way.line.side * way.lines : way.group.side;
