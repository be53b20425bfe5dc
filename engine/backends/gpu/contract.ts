// Products of matrices. Large ones compute a 2 x 2 tile a thread, four sums from four loads, and put the tiles in order
// afterwards; small ones a sum a thread; long sums over few results are cut into parts that are added up.

import type { ContractKernel, GroupedKernel, MatrixAccess, WalkAxis } from "../../compile/ir.ts";
import { contiguousStrides, sizeOf } from "../../shape.ts";
import { foldRows } from "./fold.ts";
import type { Product } from "./stage.ts";
import type { Steps } from "./steps.ts";
import { affine, type Writer } from "./writer.ts";

/** From this many multiply-adds on, and sums this long, tiles pay. */
const tiledWork = 1 << 15;
const tiledLength = 16;
/** Sums of at least this length over fewer results than this are cut. */
const [cutLength, cutThreads] = [256, 4096];

/** How tiles are computed: with positions as integers (GPUs) or as floats (SIMD); or not at all. */
export type TileStyle = "none" | "integer" | "float";

/** A, B -> C, computed where it is read; or C, where it has to be there first. */
export function contraction(
  steps: Steps,
  kernel: ContractKernel,
  [a, b]: readonly number[],
  tiles: TileStyle,
): Product | number {
  const { m, n, k } = kernel;
  const results = sizeOf(kernel.batch) * m * n;
  if (k >= cutLength && results < cutThreads && results > 0) return cut(steps, kernel, a, b);
  if (tiles !== "none" && results * k >= tiledWork && k >= tiledLength && m > 1 && n > 1) {
    const product = tiled(steps, kernel, a, b, tiles);
    // Finding one's tile beside other work is free where positions are integers, and not where they are floats.
    return tiles === "integer" ? product : materialize(steps, kernel, product);
  }
  return {
    costly: true,
    value: (w, position) => {
      const { start, row, col } = place(w, kernel, position);
      const sum = w.let("0");
      w.loop(k, (p) => addProduct(w, kernel, a, b, sum, start, row, col, p));
      return sum;
    },
  };
}

/** The slot of a contraction's result. */
export function materialize(steps: Steps, kernel: ContractKernel, product: Product | number): number {
  if (typeof product === "number") return product;
  const purpose = product.costly ? describe(kernel) : "putting tiles in order";
  const results = sizeOf(kernel.batch) * kernel.m * kernel.n;
  return steps.emit(purpose, results, (w) => product.value(w, w.const("this.thread.x")));
}

const describe = ({ m, n, k }: ContractKernel): string => `a product of [${m}, ${k}] and [${k}, ${n}]`;

interface Place {
  /** Index over the batch axes. */
  readonly start: readonly string[];
  readonly row: string;
  readonly col: string;
}

function place(w: Writer, { batch, m, n }: ContractKernel, position: string): Place {
  const index = w.unravel(position, [...batch, m, n]);
  return { start: index.slice(0, -2), row: index[index.length - 2], col: index[index.length - 1] };
}

function addProduct(
  w: Writer,
  kernel: ContractKernel,
  a: number,
  b: number,
  sum: string,
  start: readonly string[],
  row: string,
  col: string,
  p: string,
): void {
  const at = (x: MatrixAccess, i: string, j: string) => {
    const [rows, cols] = [walk(w, i, x.row, x.rows), walk(w, j, x.col, x.cols)];
    return affine(x.offset, [...start, ...rows.index, ...cols.index], [...x.batch, ...rows.strides, ...cols.strides]);
  };
  const left = w.read(a, at(kernel.a, row, p));
  w.line(`${sum} = ${sum} + ${left} * ${w.read(b, at(kernel.b, p, col))};`);
}

/** An index of a matrix as indices of the axes it walks, and their strides. */
function walk(w: Writer, index: string, stride: number, axes: readonly WalkAxis[] | undefined) {
  if (axes === undefined) return { index: [index], strides: [stride] };
  const sides = axes.map((axis) => axis.side);
  return { index: w.unravel(index, sides), strides: axes.map((axis) => axis.stride) };
}

/** Parts of each sum, then their sum. */
function cut(steps: Steps, kernel: ContractKernel, a: number, b: number): number {
  const { m, n, k } = kernel;
  const results = sizeOf(kernel.batch) * m * n;
  const parts = Math.min(Math.ceil(k / 64), Math.max(2, Math.ceil((cutThreads * 4) / results)));
  const each = Math.ceil(k / parts);
  const partial = steps.emit(describe(kernel), results * parts, (w) => {
    const [result, part] = w.divide(w.const("this.thread.x"), parts, results * parts);
    const { start, row, col } = place(w, kernel, result);
    const sum = w.let("0");
    w.loop(each, (i) => {
      const p = w.const(`${part} * ${each} + ${i}`);
      const body = (at: string) => addProduct(w, kernel, a, b, sum, start, row, col, at);
      if (each * parts === k) body(p);
      else w.if(`${p} < ${k}`, () => body(w.const(`Math.min(${p}, ${k - 1})`)));
    });
    return sum;
  });
  return foldRows(steps, "sum", "f32", partial, results, parts);
}

/** Products added in one round of a tile's loop. */
const unrolled = 2;

/** Tiles side by side in memory, four values each; whoever reads them puts them in order. */
function tiled(steps: Steps, kernel: ContractKernel, a: number, b: number, style: TileStyle): Product {
  const { m, n, k, batch } = kernel;
  const [tileRows, tileCols, batches] = [Math.ceil(m / 2), Math.ceil(n / 2), sizeOf(batch)];
  const tiles = batches * tileRows * tileCols;
  const packed = steps.emit(
    describe(kernel),
    tiles,
    (w) => {
      const inline = style === "integer" ? integerPositions(kernel) : undefined;
      const positions = inline ?? floatPositions(w, kernel);
      const sums = [0, 1, 2, 3].map(() => w.let("0"));
      const round = (counter: string, each: number, first: number): void => {
        const products = sums.map((sum) => [sum]);
        for (let u = 0; u < each; u++) {
          const [stepA, stepB] = positions.steps(counter, each, first + u);
          const left = positions.rows.map((row) => w.const(w.read(a, `${row} + ${stepA}`)));
          const right = positions.cols.map((col) => w.const(w.read(b, `${col} + ${stepB}`)));
          products.forEach((terms, i) => {
            terms.push(`${left[i >> 1]} * ${right[i & 1]}`);
          });
        }
        for (const terms of products) w.line(`${terms[0]} = ${terms.join(" + ")};`);
      };
      const rounds = Math.floor(k / unrolled);
      const loop = inline === undefined ? w.loop : w.integerLoop;
      loop.call(w, rounds, (counter) => round(counter, unrolled, 0));
      for (let left = rounds * unrolled; left < k; left++) round("0", 1, left);
      return `[${sums.join(", ")}]`;
    },
    { output: [tileCols, tileRows, batches], lanes: 4 },
  );
  const [plain, inTiles] = [[batches, m, n], contiguousStrides([batches, tileRows, tileCols])];
  return {
    costly: false,
    value: (w, position) => {
      const [z, i, j] = w.unravel(position, plain);
      const [tileRow, y] = w.divide(i, 2, m);
      const [tileCol, x] = w.divide(j, 2, n);
      const tile = affine(0, [z, tileRow, tileCol], inTiles);
      return w.const(w.read(packed, `(${tile}) * 4 + ${y} * 2 + ${x}`));
    },
  };
}

/** Where a tile's rows of A and columns of B start, and what round `counter` * `each` + `more` of the sum adds. */
interface TilePositions {
  readonly rows: readonly string[];
  readonly cols: readonly string[];
  steps(counter: string, each: number, more: number): readonly [a: string, b: string];
}

/** Positions without a variable: they stay integers, which GPUs add faster. Undefined where that cannot be written. */
function integerPositions({ batch, m, n, a, b }: ContractKernel): TilePositions | undefined {
  const walks = a.rows ?? a.cols ?? b.rows ?? b.cols;
  if (walks !== undefined || batch.length > 1 || m % 2 !== 0 || n % 2 !== 0) return undefined;
  const strides = [a.row, a.col, b.row, b.col, ...a.batch, ...b.batch];
  if (strides.some((stride) => stride < 0)) return undefined;
  const of = (x: MatrixAccess, thread: string, stride: number) =>
    [0, 1].map((i) => affine(x.offset + i * stride, [thread, "this.thread.z"], [2 * stride, x.batch[0] ?? 0]));
  return {
    rows: of(a, "this.thread.y", a.row),
    cols: of(b, "this.thread.x", b.col),
    steps: (counter, each, more) => [
      affine(more * a.col, [counter], [each * a.col]),
      affine(more * b.row, [counter], [each * b.row]),
    ],
  };
}

function floatPositions(w: Writer, { batch, m, n, a, b }: ContractKernel): TilePositions {
  const base = (x: MatrixAccess): string => {
    if (batch.length === 0) return String(x.offset);
    return w.const(affine(x.offset, w.unravel(w.const("this.thread.z"), batch), x.batch));
  };
  const step = (index: string, stride: number, axes: readonly WalkAxis[] | undefined): string => {
    const along = walk(w, index, stride, axes);
    return w.const(affine(0, along.index, along.strides));
  };
  const [baseA, baseB] = [base(a), base(b)];
  return {
    rows: pair(w, "this.thread.y", m).map((i) => w.const(`${baseA} + ${step(i, a.row, a.rows)}`)),
    cols: pair(w, "this.thread.x", n).map((j) => w.const(`${baseB} + ${step(j, b.col, b.cols)}`)),
    steps: (counter, each, more) => {
      const at = w.const(affine(more, [counter], [each]));
      return [step(at, a.col, a.cols), step(at, b.row, b.rows)];
    },
  };
}

/** The two rows or columns of a tile; beyond the last one, that again. */
function pair(w: Writer, thread: string, side: number): string[] {
  const first = w.const(`${thread} * 2`);
  const second = side % 2 === 0 ? `${first} + 1` : `Math.min(${side - 1}, ${first} + 1)`;
  return [first, w.const(second)];
}

/** A, B, offsets -> C: each row of a sorted axis belongs to the group whose offsets enclose it. */
export function emitGrouped(steps: Steps, kernel: GroupedKernel, [a, b, offsets]: readonly number[]): number {
  const { over, groups, m, n, k } = kernel;
  const at = (x: MatrixAccess, i: string, j: string, offset = x.offset) => affine(offset, [i, j], [x.row, x.col]);
  const purpose = `${groups} grouped products of [${m}, ${k}] and [${k}, ${n}]`;
  if (over === "rows") {
    return steps.emit(purpose, m * n, (w) => {
      const [row, col] = w.unravel(w.const("this.thread.x"), [m, n]);
      // Offsets ascend, so the group is the number of them that are not beyond the row, less one.
      const group = w.let("-1");
      w.loop(groups + 1, (g) => {
        w.if(`${steps.readFloat(w, offsets, g)} <= ${row}`, () => w.line(`${group} = ${g};`));
      });
      const inside = w.let("0");
      w.if(`${group} >= 0 && ${group} < ${groups}`, () => w.line(`${inside} = 1;`));
      const start = w.const(`Math.max(0, Math.min(${groups - 1}, ${group})) * ${kernel.b.batch[0]}`);
      const sum = w.let("0");
      w.loop(k, (p) => {
        const right = w.read(b, `${start} + ${at(kernel.b, p, col)}`);
        w.line(`${sum} = ${sum} + ${w.read(a, at(kernel.a, row, p))} * ${right};`);
      });
      // Not a product: rows of no group are 0 whatever they hold.
      w.if(`${inside} < 0.5`, () => w.line(`${sum} = 0;`));
      return sum;
    });
  }
  return steps.emit(purpose, groups * m * n, (w) => {
    const [group, row, col] = w.unravel(w.const("this.thread.x"), [groups, m, n]);
    const first = steps.readFloat(w, offsets, group);
    const last = steps.readFloat(w, offsets, `${group} + 1`);
    const sum = w.let("0");
    w.loop(k, (p) => {
      w.if(`${p} >= ${first} && ${p} < ${last}`, () => {
        w.line(`${sum} = ${sum} + ${w.read(a, at(kernel.a, row, p))} * ${w.read(b, at(kernel.b, p, col))};`);
      });
    });
    return sum;
  });
}
