// Scans in three phases: the total of each chunk, the value carried into each chunk, then every element from its
// chunk's carry. Carries of many chunks are a scan of their own.

import type { ScanKernel } from "../../compile/ir.ts";
import { accumulateValue, applyWhole, foldedRange, foldStart } from "./integer.ts";
import type { Steps } from "./steps.ts";
import { anyWhole, assign, float, type Range, type Value, variable } from "./value.ts";
import type { Writer } from "./writer.ts";

/** Lines up to this length are replayed from their start by every element. */
const shortLine = 32;
const longestChunk = 16;

type Fn = ScanKernel["fn"];

/** A line of composed steps: out = a * before + b (no `a`: sums and maxima). */
interface Line {
  readonly fn: Fn;
  readonly outer: number;
  readonly length: number;
  readonly inner: number;
  /** Position of element `step` of a line, counted from where the scan starts. */
  at(w: Writer, o: string, step: string, i: string): string;
  /** Position of the coefficient of that element. */
  coefficient(w: Writer, o: string, step: string, i: string): string;
  readonly a: number | undefined;
  readonly b: number;
}

/** x -> out, or a, b -> out. */
export function emitScan(steps: Steps, kernel: ScanKernel, slots: readonly number[]): number {
  const { fn, outer, length, inner, reverse, lag } = kernel;
  const at = (o: string, place: string, i: string) => `(${o} * ${length} + ${place}) * ${inner} + ${i}`;
  const place = (step: string) => (reverse ? `(${length - 1} - ${step})` : step);
  const line: Line = {
    fn,
    outer,
    length,
    inner,
    at: (_w, o, step, i) => at(o, place(step), i),
    // The first element has no step before it: its coefficient is never used.
    coefficient: (w, o, step, i) => at(o, place(lag ? w.const(`Math.max(0, ${step} - 1)`) : step), i),
    a: fn === "linear" ? slots[0] : undefined,
    b: slots[slots.length - 1],
  };
  return scan(steps, line, reverse);
}

/** `reverse`: a result's place counts from the end of its line, as the scan does. */
function scan(steps: Steps, line: Line, reverse: boolean): number {
  const { outer, length, inner } = line;
  const size = outer * length * inner;
  const chunk = length <= shortLine ? length : Math.min(longestChunk, Math.ceil(Math.sqrt(length)));
  const chunks = length === 0 ? 0 : Math.ceil(length / chunk);
  const carries = chunks > 1 ? carriesOf(steps, line, chunk, chunks) : undefined;
  return steps.values("a scan", size, dtypeOf(steps, line), (w, t) => {
    const [o, place, i] = w.unravel(t, [outer, length, inner]);
    const step = reverse ? w.const(`${length - 1} - ${place}`) : place;
    const [which, within] = w.divide(step, chunk, length);
    const first = w.const(`${which} * ${chunk}`);
    const state = start(w, steps, line);
    if (carries !== undefined) {
      w.if(`${which} > 0`, () => {
        const before = w.const(`Math.max(0, ${which} - 1)`);
        assign(w, state, steps.read(w, carries, `(${o} * ${chunks} + ${before}) * ${inner} + ${i}`));
      });
    }
    w.loop(chunk, (k) => {
      w.if(`${k} <= ${within}`, () =>
        advance(w, steps, line, state, o, w.const(bounded(`${first} + ${k}`, length)), i),
      );
    });
    return state;
  });
}

const bounded = (expression: string, length: number): string => `Math.min(${length - 1}, ${expression})`;

const dtypeOf = (steps: Steps, { b }: Line): "i32" | "f32" => (steps.ranges[b] === undefined ? "f32" : "i32");

/** What the states of a line can be. */
function rangeOf(steps: Steps, { fn, b, length }: Line): Range | undefined {
  const range = steps.ranges[b];
  if (range === undefined) return undefined;
  return fn === "linear" ? anyWhole : foldedRange(fn, range, length);
}

const start = (w: Writer, steps: Steps, line: Line): Value =>
  variable(w, foldStart(w, line.fn === "max" ? "max" : "sum", dtypeOf(steps, line), rangeOf(steps, line)));

/** state = the element at `step` after `state`. */
function advance(w: Writer, steps: Steps, line: Line, state: Value, o: string, step: string, i: string): void {
  const b = steps.read(w, line.b, line.at(w, o, step, i));
  if (line.a === undefined) {
    accumulateValue(w, line.fn === "max" ? "max" : "sum", state, b);
    return;
  }
  const a = steps.read(w, line.a, line.coefficient(w, o, step, i));
  const next = variable(w, b, state.range);
  // The first element takes nothing over, whatever its coefficient.
  w.if(`${step} > 0`, () => assign(w, next, taken(w, a, state, b)));
  assign(w, state, next);
}

/** a * state + b. */
function taken(w: Writer, a: Value, state: Value, b: Value): Value {
  if (state.range === undefined) return float(w.const(`${a.parts[0]} * ${state.parts[0]} + ${b.parts[0]}`));
  const product = applyWhole(w, "mul", "i32", "i32", [a, state]);
  return applyWhole(w, "add", "i32", "i32", [product, b]);
}

/** The state after each chunk but the last, [outer, chunks, inner]: a scan over the chunks' totals. */
function carriesOf(steps: Steps, line: Line, chunk: number, chunks: number): number {
  const { fn, outer, length, inner } = line;
  const threads = outer * chunks * inner;
  const indices = (w: Writer, position: string) => w.unravel(position, [outer, chunks, inner]);
  const eachStep = (w: Writer, which: string, body: (step: string) => void): void => {
    w.loop(chunk, (k) => {
      const step = w.const(`${which} * ${chunk} + ${k}`);
      if (chunk * chunks === length) body(step);
      else w.if(`${step} < ${length}`, () => body(w.const(bounded(step, length))));
    });
  };
  const b = steps.values("the totals of a scan's chunks", threads, dtypeOf(steps, line), (w, t) => {
    const [o, which, i] = indices(w, t);
    const state = start(w, steps, line);
    eachStep(w, which, (step) => advance(w, steps, line, state, o, step, i));
    return state;
  });
  const coefficients = line.a;
  const a =
    coefficients === undefined
      ? undefined
      : steps.values("the products of a scan's chunks", threads, dtypeOf(steps, line), (w, t) => {
          const [o, which, i] = indices(w, t);
          const range = steps.ranges[coefficients] && anyWhole;
          const product = variable(w, foldStart(w, "prod", "i32", range));
          eachStep(w, which, (step) => {
            const factor = steps.read(w, coefficients, line.coefficient(w, o, step, i));
            accumulateValue(w, "prod", product, factor);
          });
          return product;
        });
  const at = (o: string, step: string, i: string) => `(${o} * ${chunks} + ${step}) * ${inner} + ${i}`;
  const totals: Line = {
    ...{ fn, outer, length: chunks, inner, a, b },
    at: (_w, o, step, i) => at(o, step, i),
    coefficient: (_w, o, step, i) => at(o, step, i),
  };
  return scan(steps, totals, false);
}
