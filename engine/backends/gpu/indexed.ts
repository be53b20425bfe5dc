// Scatter and sort, as gathers: every thread finds what ends at its own place.

import type { ScatterKernel, SortKernel } from "../../compile/ir.ts";
import { accumulateValue, foldedRange, notBeyond } from "./integer.ts";
import type { Steps } from "./steps.ts";
import { type Range, type Value, variable, whole, wrapped } from "./value.ts";
import type { Writer } from "./writer.ts";

/** x, index, updates -> out. Short lines are looked through by each element; the indices of long ones are sorted first. */
export function emitScatter(steps: Steps, kernel: ScatterKernel, slots: readonly number[]): number {
  const { outer, bound, count, inner } = kernel;
  const rounds = Math.ceil(Math.log2(Math.max(2, count)));
  // Reads of a merge's bisection, and of finding an element's place.
  const sorted = count * rounds * rounds * 4 + bound * rounds * 2;
  if (bound * count > sorted) return scatterSorted(steps, kernel, slots);
  const [x, index, updates] = slots;
  return steps.values("a scatter", outer * bound * inner, kernel.dtype, (w, t) => {
    const [o, at, i] = w.unravel(t, [outer, bound, inner]);
    const sum = variable(w, steps.read(w, x, t), sumRange(steps, kernel, x, updates));
    w.loop(count, (j) => {
      const from = w.const(`(${o} * ${count} + ${j}) * ${inner} + ${i}`);
      const wanted = steps.readFloat(w, index, from);
      w.if(`${wanted} === ${at}`, () => accumulateValue(w, "sum", sum, steps.read(w, updates, from)));
    });
    return sum;
  });
}

/** What an element and all updates can add up to. */
function sumRange(steps: Steps, { count }: ScatterKernel, x: number, updates: number): Range | undefined {
  const [start, added] = [steps.ranges[x], steps.ranges[updates]];
  if (start === undefined || added === undefined) return undefined;
  const sum = foldedRange("sum", added, count);
  return wrapped(start[0] + sum[0], start[1] + sum[1]);
}

/** Equal indices are neighbours once sorted, in the order of their updates: each element adds up its own. */
function scatterSorted(steps: Steps, kernel: ScatterKernel, [x, index, updates]: readonly number[]): number {
  const { outer, bound, count, inner } = kernel;
  const rows = outer * inner;
  const from = (o: string, j: string, i: string): string => `(${o} * ${count} + ${j}) * ${inner} + ${i}`;
  const keys = steps.emit("a scatter's indices in rows", rows * count, (w) => {
    const [o, i, j] = w.unravel(w.const("this.thread.x"), [outer, inner, count]);
    return steps.readFloat(w, index, from(o, j, i));
  });
  const order = emitSort(steps, { rows, length: count, kept: count, descending: false }, keys);
  return steps.values("a scatter of sorted indices", outer * bound * inner, kernel.dtype, (w, t) => {
    const [o, at, i] = w.unravel(t, [outer, bound, inner]);
    const row = w.const(`(${o} * ${inner} + ${i}) * ${count}`);
    const place = (rank: string): string =>
      w.const(w.read(order, `${row} + Math.max(0, Math.min(${count - 1}, ${rank}))`));
    const key = (j: string): string => w.const(w.read(keys, `${row} + ${j}`));
    // The first rank whose index is not below this element's.
    const low = w.let("0");
    const high = w.let(String(count));
    w.loop(Math.ceil(Math.log2(count + 1)), () => {
      w.if(`${low} < ${high}`, () => {
        const middle = w.const(`Math.floor((${low} + ${high}) * 0.5)`);
        const found = key(place(middle));
        const below = w.let("0");
        w.if(`${found} < ${at}`, () => w.line(`${below} = 1;`));
        w.if(`${below} > 0.5`, () => w.line(`${low} = ${middle} + 1;`));
        w.if(`${below} < 0.5`, () => w.line(`${high} = ${middle};`));
      });
    });
    const sum = variable(w, steps.read(w, x, t), sumRange(steps, kernel, x, updates));
    w.loop(count, (k) => {
      const rank = w.const(`${low} + ${k}`);
      w.breakIf(`${rank} >= ${count}`);
      const j = place(rank);
      w.breakIf(`${key(j)} > ${at}`);
      accumulateValue(w, "sum", sum, steps.read(w, updates, from(o, j, i)));
    });
    return sum;
  });
}

/** Rows to sort. */
type Rows = Pick<SortKernel, "rows" | "length" | "kept" | "descending">;

/**
 * x -> the order of each row: sorted runs of 1, 2, 4, ... are merged, each thread finding by bisection how many elements
 * of the left run come before its place. Equal keys keep their order, NaN comes last.
 */
export function emitSort(steps: Steps, kernel: Rows, x: number): number {
  const { rows, length, kept } = kernel;
  const size = rows * length;
  const places: Range = [0, Math.max(0, length - 1)];
  let order = steps.values("a sort", size, "i32", (w, t) => {
    const [, at] = w.unravel(t, [rows, length]);
    return whole(places, w.const(at));
  });
  for (let run = 1; run < length; run *= 2) order = mergeRuns(steps, kernel, x, order, run);
  if (kept === length) return order;
  return steps.values("a sort", rows * kept, "i32", (w, t) => {
    const [row, at] = w.unravel(t, [rows, kept]);
    return steps.read(w, order, `${row} * ${length} + ${at}`);
  });
}

function mergeRuns(steps: Steps, { rows, length, descending }: Rows, x: number, order: number, run: number): number {
  return steps.values("a sort", rows * length, "i32", (w, t) => {
    const [row, at] = w.unravel(t, [rows, length]);
    const start = w.const(`${row} * ${length}`);
    const [pair, place] = w.divide(at, 2 * run, length);
    const left = w.const(pair === "0" ? "0" : `${pair} * ${2 * run}`);
    const middle = w.const(`Math.min(${length}, ${left} + ${run})`);
    const end = w.const(`Math.min(${length}, ${left} + ${2 * run})`);
    const [leftSide, rightSide] = [w.const(`${middle} - ${left}`), w.const(`${end} - ${middle}`)];
    const within = w.const(place);
    const key = (position: string) => {
      const inRow = w.const(`Math.max(0, Math.min(${length - 1}, ${position}))`);
      return steps.read(w, x, `${start} + ${w.const(w.read(order, `${start} + ${inRow}`))}`);
    };
    // How many of the first `within` merged elements are from the left run.
    const low = w.let(`Math.max(0, ${within} - ${rightSide})`);
    const high = w.let(`Math.min(${within}, ${leftSide})`);
    w.loop(Math.ceil(Math.log2(run)) + 1, () => {
      w.if(`${low} < ${high}`, () => {
        const guess = w.const(`Math.floor((${low} + ${high}) * 0.5)`);
        const other = w.const(`${within} - ${guess} - 1`);
        const takesLeft = isBefore(w, key(`${left} + ${guess}`), key(`${middle} + ${other}`), descending);
        w.if(`${takesLeft} > 0.5`, () => w.line(`${low} = ${guess} + 1;`));
        w.if(`${takesLeft} < 0.5`, () => w.line(`${high} = ${guess};`));
      });
    });
    const rightAt = w.const(`${within} - ${low}`);
    const fromLeft = w.let("0");
    w.if(`${low} < ${leftSide}`, () => {
      w.line(`${fromLeft} = 1;`);
      w.if(`${rightAt} < ${rightSide}`, () => {
        const first = isBefore(w, key(`${left} + ${low}`), key(`${middle} + ${rightAt}`), descending);
        w.line(`${fromLeft} = ${first};`);
      });
    });
    const from = w.let(`${middle} + ${rightAt}`);
    w.if(`${fromLeft} > 0.5`, () => w.line(`${from} = ${left} + ${low};`));
    return steps.read(w, order, `${start} + Math.max(0, Math.min(${length - 1}, ${from}))`);
  });
}

/** Whether the left key comes first: it is not beyond the right one, which a NaN always is. */
function isBefore(w: Writer, a: Value, b: Value, descending: boolean): string {
  if (a.range !== undefined) return notBeyond(w, a, b, descending);
  const [left, right] = [a.parts[0], b.parts[0]];
  const first = w.let("0");
  w.if(`${left} ${descending ? ">=" : "<="} ${right}`, () => w.line(`${first} = 1;`));
  const odd = w.let("1");
  w.if(`${right} === ${right}`, () => w.line(`${odd} = 0;`));
  w.if(`${odd} > 0.5`, () => w.line(`${first} = 1;`));
  return first;
}
