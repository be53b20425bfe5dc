// Random well-typed programs: whole graphs of operations, as recipes that can be played again on any backend.

import fc from "fast-check";
import * as S from "../../engine/index.ts";
import { shapes } from "../shapes.ts";
import { seeds, tensorOf, valuesOf } from "../values.ts";
import { jumpingSteps, movementSteps, smoothSteps } from "./steps.ts";
import { type Step, Tape, type Value } from "./values.ts";

export type { Value } from "./values.ts";

export interface Program {
  readonly dtype: "f32" | "f64";
  readonly shape: readonly number[];
  readonly seed: number;
  /** Choices, one after the other: which step, of which value, how. */
  readonly tape: readonly number[];
  /** Only steps with derivatives. */
  readonly smooth: boolean;
}

export interface ProgramOptions {
  readonly dtype?: "f32" | "f64";
  readonly smooth?: boolean;
  /** How many choices a program may make; a step takes about three. */
  readonly length?: number;
}

/** Random programs. They shrink towards few steps on small tensors. */
export const programs = (options: ProgramOptions = {}): fc.Arbitrary<Program> =>
  fc.record({
    dtype: fc.constant(options.dtype ?? "f32"),
    shape: fc.oneof(
      { weight: 1, arbitrary: shapes({ minRank: 1, maxRank: 4, maxSide: 7, maxSize: 100 }) },
      { weight: 3, arbitrary: shapes({ minRank: 2, maxRank: 3, minSide: 1, maxSide: 9, maxSize: 200 }) },
    ),
    seed: seeds,
    tape: fc.array(fc.nat(9999), { minLength: 3, maxLength: options.length ?? 40, size: "max" }),
    smooth: fc.constant(options.smooth ?? false),
  });

/** The tensors a program starts from: real numbers, and small whole ones. */
export function inputsOf({ dtype, shape, seed }: Program): S.Tensor[] {
  const last = shape.slice(-1);
  return [
    tensorOf(valuesOf("real", S.sizeOf(shape), seed, 0), shape, dtype),
    tensorOf(valuesOf("real", S.sizeOf(last), seed, 1), last, dtype),
    tensorOf(valuesOf("integer", S.sizeOf(shape), seed, 2), shape, dtype),
    tensorOf(valuesOf("integer", S.sizeOf(last), seed, 3), last, dtype),
  ];
}

/** Values larger than this are scaled down, so that products of products stay finite. */
const largeBound = 1000;
/** Values less certain than this (in units of the last place of their bound) are not used further. */
const largeError = 1e5;

function tame(v: Value): Value | undefined {
  if (v.error === 0 && v.bound <= 2 ** 20) return v;
  if (v.bound <= largeBound) return v.error > largeError * Math.min(1, v.bound) ? undefined : v;
  // A power of two: scaling is exact.
  const factor = 2 ** -Math.ceil(Math.log2(v.bound));
  return tame({ ...v, x: S.mul(v.x, factor), bound: 1, error: v.error * factor });
}

/** Builds the program's graph on these inputs. Returns every value nothing else was made of, and the last ones. */
export function play(program: Program, inputs: readonly S.Tensor[]): Value[] {
  const pool: Value[] = inputs.map((x, i) => ({ x, bound: 4, error: i < 2 ? 1 : 0, text: `input ${i}` }));
  const steps: readonly (readonly [string, Step])[] = Object.entries({
    ...smoothSteps,
    ...movementSteps,
    ...(program.smooth ? {} : jumpingSteps),
  });
  const tape = new Tape(program.tape);
  const used = new Set<Value>();
  while (!tape.done) {
    const [, step] = tape.pick(steps);
    // Newer values more often: programs get deep, not only wide.
    const back = Math.min(pool.length - 1, tape.next(4) === 0 ? tape.next(pool.length) : tape.next(2));
    const value = pool[pool.length - 1 - back];
    const made = step(value, tape, pool);
    const kept = made === undefined ? undefined : tame(made);
    if (kept === undefined) continue;
    used.add(value);
    pool.push({ ...kept, text: `${kept.text} of (${value.text})` });
  }
  return pool.filter((value, i) => i >= inputs.length && (!used.has(value) || i >= pool.length - 2));
}
