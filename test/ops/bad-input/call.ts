// A valid call of an operation as data: each argument says what it may be, so that wrong ones can be made of it.

import fc from "fast-check";
import * as S from "../../../engine/index.ts";

export type Given = S.Tensor | number | readonly number[] | string;

export interface Wrong {
  readonly given: Given;
  readonly what: string;
  /** What the message must show: one of these. */
  readonly shown: readonly string[];
}

/** A valid value of an argument, and wrong ones. */
export interface Argument<T extends Given = Given> {
  readonly valid: () => T;
  readonly wrongs: readonly fc.Arbitrary<Wrong>[];
}

const made = (shape: readonly number[], dtype: S.DType): S.Tensor => S.zeros(shape, { dtype });

export interface TensorRules {
  readonly dtype?: S.DType;
  /** All dtypes that are taken; default: any. */
  readonly dtypes?: readonly S.DType[];
  /** Axes whose sides cannot change alone. */
  readonly agree?: readonly number[];
  /** Ranks that are taken with the other arguments as they are; default: any. */
  readonly ranks?: readonly number[];
}

export function tensor(shape: readonly number[], rules: TensorRules = {}): Argument<S.Tensor> {
  const { dtype = "f32", dtypes = ["f32", "f64", "i32", "bool"], agree = [], ranks } = rules;
  const wrong = (what: string, bad: readonly number[], kind = dtype): Wrong => ({
    given: made(bad, kind),
    what,
    shown: [kind === dtype ? S.formatShape(bad) : kind],
  });
  const wrongs: Wrong[] = agree.flatMap((axis) =>
    [-1, 1].map((by) => wrong(`axis ${axis} ${by < 0 ? "shorter" : "longer"}`, shape.with(axis, shape[axis] + by))),
  );
  for (const rank of [0, shape.length - 1, shape.length + 1, shape.length + 2]) {
    if (ranks === undefined || ranks.includes(rank) || rank < 0) continue;
    const other = [...new Array<number>(Math.max(0, rank - shape.length)).fill(2), ...shape].slice(-rank || Infinity);
    wrongs.push(wrong(`rank ${rank}`, rank === 0 ? [] : other));
  }
  for (const kind of ["f32", "f64", "i32", "bool"] as const) {
    if (!dtypes.includes(kind)) wrongs.push(wrong(`of ${kind}`, shape, kind));
  }
  return { valid: () => made(shape, dtype), wrongs: wrongs.map((one) => fc.constant(one)) };
}

/** What makes a tensor too large may be shown as the shape that it would have. */
const bad = (given: number): Wrong => ({
  given,
  what: String(given),
  shown: [String(given), ...(given > 2 ** 20 ? ["elements, more than 2147483647"] : [])],
});

/** Whole numbers outside [least, most], and what is no whole number. */
function badNumbers(least: number, most: number): fc.Arbitrary<Wrong>[] {
  const list: fc.Arbitrary<number>[] = [
    fc.constantFrom(Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY),
    fc.integer({ min: 0, max: 9 }).map((n) => n + 0.5),
    fc.integer({ min: -(2 ** 33), max: -1 }).map((by) => least + by),
    fc.constant(least - 1),
  ];
  if (most < 2 ** 31)
    list.push(
      fc.integer({ min: 1, max: 2 ** 33 }).map((by) => most + by),
      fc.constant(most + 1),
    );
  else list.push(fc.integer({ min: 2 ** 31, max: 2 ** 50 }));
  return list.map((arbitrary) => arbitrary.map(bad));
}

/** A whole number in [least, most]. */
export const whole = (value: number, least: number, most = Number.POSITIVE_INFINITY): Argument<number> => ({
  valid: () => value,
  wrongs: badNumbers(least, most),
});

/** Any whole number. */
export const anyWhole = (value: number): Argument<number> => ({
  valid: () => value,
  wrongs: [fc.constantFrom(Number.NaN, Infinity, -Infinity, 0.5, -1.5).map(bad)],
});

/** A whole number of at least `least`, however large. */
export const atLeast = (value: number, least: number): Argument<number> => ({
  valid: () => value,
  wrongs: [fc.constantFrom(Number.NaN, -Infinity, value + 0.5, least - 1, least - 2 ** 31).map(bad)],
});

/** An axis of a tensor of this rank. */
export const axisOf = (rank: number, value = rank - 1): Argument<number> => whole(value, -rank, rank - 1);

interface ListRules {
  /** How long it may be; default: as it is. */
  readonly lengths?: readonly number[] | "any";
  /** A number outside [least, most] that is taken. */
  readonly except?: number;
}

/** A list of whole numbers in [least, most]. */
export function list(
  values: readonly number[],
  least: number,
  most = Number.POSITIVE_INFINITY,
  { lengths = [values.length], except }: ListRules = {},
): Argument<readonly number[]> {
  const elements = values.flatMap((_, at) =>
    badNumbers(least, most).map((arbitrary) =>
      arbitrary
        .filter(({ given }) => given !== except)
        .map(({ given, shown }): Wrong => {
          const whole = values.with(at, given as number);
          return { given: whole, what: `[${whole}]`, shown };
        }),
    ),
  );
  const longer = [...values, values[values.length - 1] ?? 1];
  const wrongLengths = [values.slice(1), longer].filter(({ length }) => lengths !== "any" && !lengths.includes(length));
  return {
    valid: () => values,
    wrongs: [
      ...elements,
      ...wrongLengths.map((given) => fc.constant({ given, what: `[${given}]`, shown: [given.join(", ")] })),
    ],
  };
}

/** One of some words. */
export const word = <W extends string>(value: W): Argument<W> => ({
  valid: () => value,
  wrongs: [fc.constant({ given: "nonsense", what: "nonsense", shown: ["nonsense"] })],
});

type Arguments = Readonly<Record<string, Argument>>;

export interface Call {
  readonly args: Arguments;
  readonly run: (given: Readonly<Record<string, Given>>) => unknown;
}

/** A call of an operation with these arguments, by name. */
export const call = <A extends Arguments>(
  args: A,
  run: (given: { readonly [K in keyof A]: ReturnType<A[K]["valid"]> }) => unknown,
): Call => ({ args, run: run as unknown as Call["run"] });

/** An operation along an axis. */
export const along = (run: (x: S.Tensor, axis: number) => unknown): Call =>
  call({ x: tensor([2, 3], { ranks: [2, 3, 4] }), axis: axisOf(2) }, ({ x, axis }) => run(x, axis));
