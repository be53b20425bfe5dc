// The values of random programs, the choices that make them, and kinds of steps from one to the next. Each step knows
// how large its result can get and how far two honest evaluations of it may differ: backends are held to a bound and
// not to a guess.

import * as S from "../../engine/index.ts";

/** A tensor and what is known about it, whatever the backend. */
export interface Value {
  readonly x: S.Tensor;
  /** No element is larger in magnitude. */
  readonly bound: number;
  /** Two evaluations differ by at most this many units in the last place of 1. 0: every backend has the same bits. */
  readonly error: number;
  /** How it was made. */
  readonly text: string;
}

/** Numbers that stand for choices: `next(n)` is one of 0..n-1, and 0 when they have run out. */
export class Tape {
  readonly #choices: readonly number[];
  #at = 0;

  constructor(choices: readonly number[]) {
    this.#choices = choices;
  }

  get done(): boolean {
    return this.#at >= this.#choices.length;
  }

  next(n: number): number {
    const choice = this.#choices[this.#at++] ?? 0;
    return n === 0 ? 0 : choice % n;
  }

  pick<T>(list: readonly T[]): T {
    return list[this.next(list.length)];
  }
}

/** A step: from a value (and the others there are) to a new one, or undefined where it does not apply. */
export type Step = (v: Value, tape: Tape, pool: readonly Value[]) => Value | undefined;

export const isFloat = (v: Value): boolean => v.x.dtype === "f32" || v.x.dtype === "f64";
/** Small whole numbers every backend computes exactly: the only ones that may be compared, rounded or sorted. */
export const isExact = (v: Value): boolean => v.error === 0 && v.bound <= 2 ** 20;
export const largest = 600;

/** A float function with slope at most `slope`, accurate to a few ulp. */
export const smooth =
  (name: string, run: (x: S.Tensor) => S.Tensor, slope: number, bound: (b: number) => number): Step =>
  (v) =>
    isFloat(v) && bound(v.bound) < 1e4
      ? {
          x: run(v.x),
          bound: bound(v.bound),
          error: slope * v.error + 8 * Math.max(1, bound(v.bound), v.bound),
          text: name,
        }
      : undefined;

export const fitsTogether = (a: Value, b: Value): boolean => {
  const rank = Math.max(a.x.rank, b.x.rank);
  return Array.from({ length: rank }, (_, i) => [a, b].map(({ x }) => x.shape[x.rank - rank + i] ?? 1)).every(
    ([p, q]) => p === q || p === 1 || q === 1,
  );
};

/** Another value of v's dtype that broadcasts with it: v itself at worst. */
export function partner(v: Value, tape: Tape, pool: readonly Value[]): Value | undefined {
  const fits = pool.filter((w) => w.x.dtype === v.x.dtype && fitsTogether(v, w));
  const w = fits.length === 0 ? undefined : tape.pick(fits);
  const size = w === undefined ? 0 : S.sizeOf(S.broadcastShapes("partner", v.x.shape, w.x.shape));
  return size > largest ? undefined : w;
}

/** Two values, broadcast; whole numbers stay whole numbers (`exactly`) while they are small. */
export function pair(
  name: string,
  run: (x: S.Tensor, y: S.Tensor) => S.Tensor,
  range: (a: Value, b: Value) => [bound: number, error: number],
  exactly = true,
): Step {
  return (v, tape, pool) => {
    const w = partner(v, tape, pool);
    if (w === undefined || !isFloat(v)) return undefined;
    const [bound, error] = range(v, w);
    const exact = exactly && isExact(v) && isExact(w) && bound <= 2 ** 20;
    return { x: run(v.x, w.x), bound, error: exact ? 0 : error + bound, text: `${name} with ${w.text}` };
  };
}

export function row(
  name: string,
  run: (x: S.Tensor, axis: number) => S.Tensor,
  range: (v: Value, n: number) => [bound: number, error: number],
  last = false,
): Step {
  return (v, tape) => {
    if (!isFloat(v) || v.x.rank === 0 || v.bound > 100) return undefined;
    const axis = last ? v.x.rank - 1 : tape.next(v.x.rank);
    const n = v.x.shape[axis];
    if (n === 0) return undefined;
    const [bound, error] = range(v, n);
    return { x: run(v.x, axis), bound, error, text: `${name} ${axis}` };
  };
}

export function moved(name: string, run: (x: S.Tensor, tape: Tape) => S.Tensor): Step {
  return (v, tape) => {
    const x = run(v.x, tape);
    return x.size > largest || x.rank > 5 ? undefined : { ...v, x, text: name };
  };
}

/** An axis, or all of them, and how many elements that reduces into one. */
export function someAxis({ x }: Value, tape: Tape): [axis: number | undefined, count: number] {
  const axis = tape.next(x.rank + 1);
  return axis === x.rank ? [undefined, x.size] : [axis, x.shape[axis]];
}
