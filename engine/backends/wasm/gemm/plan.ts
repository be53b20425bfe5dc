// How a product is computed: which path, which tile, what is packed, how it is cut. Pure decisions, no code.

import type { ContractKernel, MatrixAccess } from "../../../compile/ir.ts";
import { fullTile, type TileA } from "./kernel.ts";
import { lanesOf } from "./lanes.ts";
import { directColumns, directWay, hasComposite, type Stencil, type Taps } from "./slide.ts";

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
  /** How a product over windows with few rows is computed, instead of by tiles. */
  readonly direct?: Stencil | Taps;
}

/** L1 holds a strip of A and of B along blockK; L2 holds a block of A; a block of B streams from L2 or L3. */
const block = { m: 120, n: 512, k: 256 };
/** Multiplications in a unit: fewer than this are not worth a share of their own. */
const unitWork = 1 << 14;

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

/** Operands that walk several axes at once are packed, or read directly where few rows use them. */
function planSlides(kernel: ContractKernel, fma: boolean): Plan {
  const { dtype, m, n } = kernel;
  const axes = kernel.batch.flatMap((side, i) => (side === 1 ? [] : [i]));
  const access = (x: MatrixAccess): MatrixAccess => ({ ...x, batch: axes.map((i) => x.batch[i]) });
  const product = {
    ...kernel,
    batch: axes.map((i) => kernel.batch[i]),
    a: access(kernel.a),
    b: access(kernel.b),
    swapped: false,
    fma,
  };
  const direct = directWay(product);
  if (direct !== undefined) {
    const path = {
      path: "tile",
      rows: 1,
      cols: directColumns(direct),
      tileA: "rows",
      packA: false,
      packB: false,
    } as const;
    return { ...cut({ ...product, ...path }, "columns"), direct };
  }
  const full = fullTile(dtype, fma);
  const path = { path: "tile", rows: tileRows(m, full.rows), cols: full.cols, tileA: "panel" } as const;
  return cut({ ...product, ...path, packA: true, packB: true }, n > m ? "columns" : "rows");
}

export function planGemm(kernel: ContractKernel, fma: boolean): Plan {
  if (hasComposite(kernel)) return planSlides(kernel, fma);
  const product = simplify(kernel);
  return cut({ ...product, fma, ...choosePath(product, fma) });
}

export type Path = Pick<Plan, "path" | "rows" | "cols" | "tileA" | "packA" | "packB">;

/** The path and tile that measure best for these sides and strides; `dots` allows the dot-product path. */
export function choosePath(product: Product, fma: boolean, dots = true): Path {
  const { dtype, m, n, k, a, b } = product;
  const { width } = lanesOf[dtype];
  // Summing along k pays where packing B could not be shared by many rows, or where columns would not fill a vector.
  const fewSides = n <= width || (m <= (k < 64 ? 4 : 8) && b.col !== 1);
  if (dots && fewSides && a.col === 1 && b.row === 1 && k >= 2 * width)
    return { path: "dot", rows: m === 1 ? 1 : 2, cols: m === 1 ? 8 : 4, tileA: "rows", packA: false, packB: false };
  const full = fullTile(dtype, fma);
  const packB = b.col !== 1 || (m >= 96 ? k * n >= 1 << 12 : m >= 48 && n >= 384 && k * n >= 1 << 16);
  const packA = m > 4 && (a.row === 1 ? n > 64 && m * k > 32768 : n >= 32);
  const rows = tileRows(m, full.rows);
  const cols = !packB && rows <= 2 ? (2 / rows) * full.cols * 2 : full.cols;
  return { path: "tile", rows, cols, tileA: packA || a.row === 1 ? "panel" : "rows", packA, packB };
}

/** Cycles that a tile of so many rows takes per step of k, measured: a low one waits for its own sums. */
const tileCycles = (rows: number): number => (rows === 0 ? 0 : Math.max(4, 0.75 * rows + 1.7));

/** The height of tile that computes m rows in the least time. */
function tileRows(m: number, most: number): number {
  if (m <= most) return Math.max(m, 1);
  const cycles = (rows: number): number => Math.floor(m / rows) * tileCycles(rows) + tileCycles(m % rows);
  let best = most;
  for (let rows = most - 1; rows >= 4; rows--) if (cycles(rows) < cycles(best)) best = rows;
  return best;
}

/** The side of blocks of k: all alike, so that the last is not a sliver. */
function blockOfK({ path, m, n, k, rows, packA, packB }: Product & Path): number {
  let most = block.k;
  if (path === "dot" || (!packA && !packB && m <= rows)) most = k;
  // One or two rows stream all of B once: a few of its rows at a time are streams the machine fetches ahead.
  if (path === "tile" && !packB && rows <= 2 && k * n >= 1 << 15) most = 16 * rows * rows;
  return k <= most ? k : Math.min(most, multiple(Math.ceil(k / Math.ceil(k / most)), 4));
}

/** Block sides and units for a path; units are cut from the longer side of C unless `split` says otherwise. */
export function cut(
  plan: Product & Path & { readonly fma: boolean },
  split: Plan["split"] = plan.n > plan.m ? "columns" : "rows",
): Plan {
  const { m, n, k, rows, cols } = plan;
  const [side, tile, work] = split === "rows" ? [m, rows, n * k] : [n, cols, m * k];
  const unit = tile * Math.max(1, Math.ceil(unitWork / Math.max(1, work * tile)));
  return {
    ...plan,
    blockM: Math.min(multiple(m, rows), multiple(block.m, rows)),
    blockN: Math.min(multiple(n, cols), multiple(block.n, cols)),
    blockK: blockOfK(plan),
    split,
    unit,
    unitsPerBatch: m === 0 || n === 0 ? 0 : Math.ceil(side / unit),
  };
}
