// How a product is computed: which path, which tile, what is packed, how it is cut. Pure decisions, no code.

import type { ContractKernel, MatrixAccess } from "../../compile/ir.ts";
import { fullTile, type TileA } from "./gemm-kernel.ts";
import { lanesOf } from "./gemm-lanes.ts";

/** The product as it is computed: the same elements of C in the same order, in as few and as simple axes as can be. */
export interface Product {
  readonly dtype: "f32" | "f64";
  readonly batch: readonly number[];
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly a: MatrixAccess;
  readonly b: MatrixAccess;
  /** Whether A is the kernel's second argument and B its first. */
  readonly swapped: boolean;
}

export interface Plan extends Product {
  readonly fma: boolean;
  /** `dot`: both operands contiguous along k, sums along lanes. `tile`: sums in registers, lanes along n. */
  readonly path: "tile" | "dot";
  /** Rows and columns of C held in registers. */
  readonly rows: number;
  readonly cols: number;
  /** How the tile reads A; packed operands are copied to scratch memory first. */
  readonly tileA: TileA;
  readonly packA: boolean;
  readonly packB: boolean;
  /** Sides of the blocks of rows, columns and k: multiples of the tile, or all there is. */
  readonly blockM: number;
  readonly blockN: number;
  readonly blockK: number;
  /** A unit of work is this many rows (all columns) or columns (all rows) of one batch element. */
  readonly split: "rows" | "columns";
  readonly unit: number;
  readonly unitsPerBatch: number;
}

/** L1 holds a strip of A and of B along blockK; L2 holds a block of A; a block of B streams from L2 or L3. */
const block = { m: 120, n: 512, k: 256 };
/** Multiplications in a unit: below this, sharing costs more than it gains. */
const unitWork = 1 << 16;

const multiple = (value: number, of: number): number => Math.ceil(value / of) * of;

/**
 * Drops batch axes of one element, merges into the rows of A what repeats one B, and turns a single column
 * into a single row (C has the same elements in the same order), so that vectors need no path of their own.
 */
export function simplify(kernel: ContractKernel): Product {
  let { m, n, a, b } = kernel;
  const { dtype, k } = kernel;
  let axes = kernel.batch.map((side, i) => ({ side, a: kernel.a.batch[i], b: kernel.b.batch[i] }));
  axes = axes.filter((axis) => axis.side !== 1);
  if (n === 1) {
    [m, n] = [1, m];
    [a, b] = [
      { ...b, row: b.col, col: b.row },
      { ...a, row: a.col, col: a.row },
    ];
    axes = axes.map((axis) => ({ side: axis.side, a: axis.b, b: axis.a }));
  }
  for (let last = axes.at(-1); last !== undefined && last.b === 0; last = axes.at(-1)) {
    const row = m === 1 ? last.a : a.row;
    if (last.a !== m * row) break;
    m *= last.side;
    a = { ...a, row };
    axes.pop();
  }
  // Strides along axes of one element say nothing: choose those that make the operand look contiguous.
  if (m === 1) a = { ...a, row: a.col === 1 ? k : 1 };
  if (n === 1) b = { ...b, col: 1 };
  if (k === 1)
    [a, b] = [
      { ...a, col: a.row === 1 ? m : 1 },
      { ...b, row: b.col === 1 ? n : 1 },
    ];
  const access = (x: MatrixAccess, batch: readonly number[]): MatrixAccess => ({ ...x, batch });
  return {
    dtype,
    batch: axes.map((axis) => axis.side),
    m,
    n,
    k,
    swapped: kernel.n === 1,
    a: access(
      a,
      axes.map((axis) => axis.a),
    ),
    b: access(
      b,
      axes.map((axis) => axis.b),
    ),
  };
}

export function planGemm(kernel: ContractKernel, fma: boolean): Plan {
  const product = simplify(kernel);
  return cut({ ...product, fma, ...choosePath(product, fma) });
}

type Path = Pick<Plan, "path" | "rows" | "cols" | "tileA" | "packA" | "packB">;

function choosePath(product: Product, fma: boolean): Path {
  const { dtype, m, n, k, a, b } = product;
  const { width } = lanesOf[dtype];
  if (a.col === 1 && b.row === 1 && k >= 2 * width && (m <= 8 || n < width) && !(b.col === 1 && n >= width))
    return { path: "dot", rows: m === 1 ? 1 : 2, cols: m === 1 ? 8 : 4, tileA: "rows", packA: false, packB: false };
  const full = fullTile(dtype, fma);
  const packB = b.col !== 1 || (m > 48 && k * n > 4096);
  const packA = n > 64 && m > 4 && (a.row !== 1 || m * k > 4096);
  const rows = tileRows(m, full.rows);
  const cols = !packB && rows <= 2 ? (2 / rows) * full.cols * 2 : full.cols;
  return { path: "tile", rows, cols, tileA: packA || a.row === 1 ? "panel" : "rows", packA, packB };
}

/** The height that computes m rows in the least time: a tile of less than four rows takes as long as one of four. */
function tileRows(m: number, most: number): number {
  if (m <= most) return Math.max(m, 1);
  const cost = (rows: number): number => Math.floor(m / rows) * rows + (m % rows === 0 ? 0 : Math.max(m % rows, 4));
  let best = most;
  for (let rows = most - 1; rows >= 4; rows--) if (cost(rows) < cost(best)) best = rows;
  return best;
}

/** Block sides and units for a path. */
export function cut(plan: Product & Path & { readonly fma: boolean }): Plan {
  const { m, n, k, rows, cols } = plan;
  const whole = plan.path === "dot" || (!plan.packA && !plan.packB && m <= rows);
  // Blocks of k of one size, so that the last is not a sliver.
  const blockK = whole || k === 0 ? k : Math.min(k, multiple(Math.ceil(k / Math.ceil(k / block.k)), 4));
  const split = n > m ? "columns" : "rows";
  const [side, tile, work] = split === "rows" ? [m, rows, n * k] : [n, cols, m * k];
  const unit = tile * Math.max(1, Math.ceil(unitWork / Math.max(1, work * tile)));
  return {
    ...plan,
    blockM: Math.min(multiple(m, rows), multiple(block.m, rows)),
    blockN: Math.min(multiple(n, cols), multiple(block.n, cols)),
    blockK,
    split,
    unit,
    unitsPerBatch: m === 0 || n === 0 ? 0 : Math.ceil(side / unit),
  };
}
