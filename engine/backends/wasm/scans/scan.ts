// Scans as a function (base address of each argument, lo, hi). Rows of many elements: each row from the one before it,
// a range of columns at a time. Short rows: the row before stays in registers. Rows of one element: scan-line.ts.

import type { ScanKernel } from "../../../compile/ir.ts";
import { bytesPerElement } from "../../../dtype.ts";
import type { Env } from "../vector/env.ts";
import { loadRun, storeRun } from "../vector/lanes.ts";
import { type Local, Vector } from "../vector/vector.ts";
import { emitLines } from "./scan-line.ts";
import { combine, widthOf } from "./scan-step.ts";

/** Rows of up to this many vectors stay in registers. */
const heldVectors = 8;
/** Vectors in a block of columns, which is one unit of work, and the most blocks that are done together: a row of them
 * must still be in the first cache when the next row needs it. */
const blockVectors = 16;
const blocksTogether = 32;

type Shape = "line" | "held" | "rows";

function shapeOf(kernel: ScanKernel): Shape {
  if (kernel.inner === 1) return "line";
  return kernel.inner <= heldVectors * widthOf(kernel) ? "held" : "rows";
}

const blocksOf = (kernel: ScanKernel): number => Math.ceil(kernel.inner / (blockVectors * widthOf(kernel)));

/** Lines, or blocks of columns: none depends on another, so any partition gives the same bits. */
export function scanUnits(kernel: ScanKernel): number {
  const { outer, length, inner } = kernel;
  if (outer * length * inner === 0) return 0;
  return shapeOf(kernel) === "rows" ? outer * blocksOf(kernel) : outer;
}

export function emitScan(env: Env, kernel: ScanKernel, name: string): number {
  const params = [...kernel.args.map(() => "i32" as const), "i32" as const, "i32" as const];
  return env.module.func(name, params, [], (f) => {
    if (scanUnits(kernel) === 0) return;
    const v = new Vector(f, env);
    const shape = shapeOf(kernel);
    if (shape === "line") emitLines(v, kernel);
    else if (shape === "held") new Columns(v, kernel).held();
    else new Columns(v, kernel).rows();
  });
}

/** Rows of more than one element. */
class Columns {
  private readonly v: Vector;
  private readonly kernel: ScanKernel;
  private readonly size: number;
  private readonly rowBytes: number;
  /** Pointers to the current row of each argument, the result last. */
  private readonly pointers: readonly Local[];
  private readonly lo: Local;
  private readonly hi: Local;

  constructor(v: Vector, kernel: ScanKernel) {
    this.v = v;
    this.kernel = kernel;
    this.size = bytesPerElement(kernel.dtype);
    this.rowBytes = kernel.inner * this.size;
    this.pointers = kernel.args.map(() => v.fresh("i32"));
    this.lo = kernel.args.length;
    this.hi = this.lo + 1;
  }

  private get out(): Local {
    return this.pointers[this.pointers.length - 1];
  }

  /** Bytes from one row to the next one visited. */
  private get step(): number {
    return this.kernel.reverse ? -this.rowBytes : this.rowBytes;
  }

  /** Sets the pointers to the first row visited of outer index `outer`, at a column offset if there is one. */
  private place(outer: Local, column?: Local): void {
    const { f } = this.v;
    const { length, reverse } = this.kernel;
    const first = reverse ? (length - 1) * this.rowBytes : 0;
    this.pointers.forEach((pointer, i) => {
      f.get(i)
        .get(outer)
        .i32(length * this.rowBytes)
        .op("i32.mul")
        .op("i32.add");
      if (first !== 0) f.i32(first).op("i32.add");
      if (column !== undefined) f.get(column).op("i32.add");
      f.set(pointer);
    });
  }

  private advance(): void {
    for (const pointer of this.pointers) this.v.f.get(pointer).i32(this.step).op("i32.add").set(pointer);
  }

  /** How far from its pointer an input is read: coefficients that lag are those of the row before. */
  private lagOf(input: number): number {
    return this.kernel.lag && input === 0 ? -this.step : 0;
  }

  /** Runs `body` for the rows after the first. */
  private otherRows(body: () => void): void {
    const { f } = this.v;
    if (this.kernel.length === 1) return;
    const left = this.v.fresh("i32");
    f.i32(this.kernel.length - 1).set(left);
    f.loop(() => {
      this.advance();
      body();
      f.get(left).i32(1).op("i32.sub").tee(left).brIf(0);
    });
  }

  private load(input: number, pointer: Local, offset: number): Local {
    const { v, kernel } = this;
    return loadRun(v, kernel.dtype, widthOf(kernel), { pointer, offset: offset + this.lagOf(input), wraps: false });
  }

  /** The first element of a scan from its input: a sum starts from 0, which makes -0 a 0. */
  private first(x: Local): Local {
    const { v, kernel } = this;
    if (kernel.fn !== "sum" || kernel.dtype === "i32") return x;
    return kernel.dtype === "f32" ? v.op("f32x4.add", x, v.f32(0)) : v.op("f64x2.add", x, v.f64(0));
  }

  /** Rows of a few vectors: one unit is one outer index. */
  held(): void {
    const { v, kernel } = this;
    const { f } = v;
    const width = widthOf(kernel);
    const count = Math.ceil(kernel.inner / width);
    const held = Array.from({ length: count }, () => v.fresh());
    const live = (j: number): number => Math.min(width, kernel.inner - j * width);
    const store = (j: number): void =>
      storeRun(v, kernel.dtype, live(j), { pointer: this.out, offset: j * 16, wraps: false }, held[j]);
    const last = kernel.args.length - 2;
    f.get(this.lo).get(this.hi).op("i32.lt_u");
    f.if(() =>
      f.loop(() => {
        this.place(this.lo);
        held.forEach((before, j) => {
          v.scope(() => {
            const { pointers } = this;
            const x = loadRun(v, kernel.dtype, width, { pointer: pointers[last], offset: j * 16, wraps: false });
            f.get(this.first(x)).set(before);
            store(j);
          });
        });
        this.otherRows(() => {
          held.forEach((before, j) => {
            v.scope(() => {
              const inputs = this.pointers.slice(0, -1).map((pointer, i) => this.load(i, pointer, j * 16));
              f.get(combine(v, kernel, before, inputs)).set(before);
              store(j);
            });
          });
        });
        f.get(this.lo).i32(1).op("i32.add").tee(this.lo).get(this.hi).op("i32.lt_u").brIf(0);
      }),
    );
  }

  /** Long rows: a unit is a block of columns of one outer index; neighbouring blocks are done together. */
  rows(): void {
    const { v, kernel } = this;
    const { f } = v;
    const blocks = blocksOf(kernel);
    const blockBytes = blockVectors * 16;
    const [outer, block, count, bytes] = [v.fresh("i32"), v.fresh("i32"), v.fresh("i32"), v.fresh("i32")];
    const least = (push: () => void): void => {
      f.get(count);
      push();
      f.get(count);
      push();
      f.op("i32.lt_u").op("select").set(count);
    };
    f.get(this.lo).get(this.hi).op("i32.lt_u");
    f.if(() =>
      f.loop(() => {
        f.get(this.lo).i32(blocks).op("i32.div_u").set(outer);
        f.get(this.lo).i32(blocks).op("i32.rem_u").set(block);
        f.i32(blocksTogether).set(count);
        least(() => f.get(this.hi).get(this.lo).op("i32.sub"));
        least(() => f.i32(blocks).get(block).op("i32.sub"));
        f.get(this.lo).get(count).op("i32.add").set(this.lo);
        f.get(block).i32(blockBytes).op("i32.mul").set(block);
        this.place(outer, block);
        // The last block may be narrower.
        f.get(count).i32(blockBytes).op("i32.mul").set(bytes);
        f.i32(this.rowBytes).get(block).op("i32.sub").get(bytes);
        f.i32(this.rowBytes).get(block).op("i32.sub").get(bytes).op("i32.lt_u").op("select").set(bytes);
        this.segment(bytes);
        f.get(this.lo).get(this.hi).op("i32.lt_u").brIf(0);
      }),
    );
  }

  /** All rows of a range of columns, `bytes` wide. */
  private segment(bytes: Local): void {
    const { v, kernel } = this;
    const last = kernel.args.length - 2;
    const at = v.fresh("i32");
    const address = (pointer: Local, offset: number) => ({ pointer, offset, wraps: false });
    /** Runs `body` with moving pointers for vectors at at, at + 16, ..., then for the lanes that are left. */
    const columns = (body: (moved: readonly Local[], offset: number, live: number) => void): void =>
      this.columns(at, bytes, body);
    columns((moved, offset, live) => {
      const x = loadRun(v, kernel.dtype, widthOf(kernel), address(moved[last], offset));
      storeRun(v, kernel.dtype, live, address(moved[last + 1], offset), this.first(x));
    });
    this.otherRows(() => {
      columns((moved, offset, live) => {
        const inputs = moved.slice(0, -1).map((pointer, i) => this.load(i, pointer, offset));
        const before = loadRun(v, kernel.dtype, widthOf(kernel), address(moved[last + 1], offset - this.step));
        storeRun(v, kernel.dtype, live, address(moved[last + 1], offset), combine(v, kernel, before, inputs));
      });
    });
  }

  private columns(
    at: Local,
    bytes: Local,
    body: (moved: readonly Local[], offset: number, live: number) => void,
  ): void {
    const { v, kernel } = this;
    const { f } = v;
    const width = widthOf(kernel);
    const tail = kernel.inner % width;
    const piece = (unroll: number, live: number): void =>
      v.scope(() => {
        const moved = this.pointers.map((pointer) => {
          const result = v.fresh("i32");
          f.get(pointer).get(at).op("i32.add").set(result);
          return result;
        });
        for (let j = 0; j < unroll; j++) v.scope(() => body(moved, j * 16, live));
      });
    if (kernel.reverse) {
      this.descending(at, bytes, tail, piece);
      return;
    }
    f.i32(0).set(at);
    for (const unroll of [4, 1]) {
      f.block(() =>
        f.loop(() => {
          f.get(at)
            .i32(unroll * 16)
            .op("i32.add")
            .get(bytes)
            .op("i32.gt_u")
            .brIf(1);
          piece(unroll, width);
          f.get(at)
            .i32(unroll * 16)
            .op("i32.add")
            .set(at)
            .br(0);
        }),
      );
    }
    if (tail === 0) return;
    f.get(at).get(bytes).op("i32.lt_u");
    f.if(() => piece(1, tail));
  }

  /** Last column first: memory is then walked through steadily in one direction, which hardware foresees. */
  private descending(at: Local, bytes: Local, tail: number, piece: (unroll: number, live: number) => void): void {
    const { f } = this.v;
    const width = widthOf(this.kernel);
    f.get(bytes).i32(-16).op("i32.and").set(at);
    if (tail !== 0) {
      f.get(at).get(bytes).op("i32.lt_u");
      f.if(() => piece(1, tail));
    }
    for (const [unroll, mask] of [[1, 63] as const, [4, -1] as const]) {
      f.block(() =>
        f.loop(() => {
          f.get(at).i32(mask).op("i32.and").op("i32.eqz").brIf(1);
          f.get(at)
            .i32(unroll * 16)
            .op("i32.sub")
            .set(at);
          piece(unroll, width);
          f.br(0);
        }),
      );
    }
  }
}
