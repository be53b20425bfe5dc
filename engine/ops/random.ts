// Random tensors. A Generator is a state of three i32 (seed, stream, counter); every draw has a counter of its own, so
// compiled and un-compiled code, any backend and any number of threads see the same numbers.

import { ArgumentError } from "../errors.ts";
import { type Node, withoutGrad } from "../graph/node.ts";
import { Storage } from "../graph/storage.ts";
import { operation } from "../operation.ts";
import { build } from "../primitives/index.ts";
import { hashName } from "../random.ts";
import { currentTrace, type Trace } from "../runtime/trace.ts";
import { checkShape, type Shape } from "../shape.ts";
import { leafTensor, Tensor } from "../tensor.ts";
import { assign } from "../update.ts";
import { tensor } from "./create.ts";
import { add, cos, less, log, mul, neg, sqrt } from "./elementwise.ts";
import { gather } from "./indexing.ts";
import { checkTensor } from "./operand.ts";
import { argsort } from "./sorting.ts";

const key = (seed: number, stream: number, counter: number): Tensor =>
  leafTensor(new Storage("i32", 3, Int32Array.of(seed, stream, counter)), [3]);

function checkSeed(op: string, seed: number): number {
  if (!Number.isInteger(seed) || seed < -(2 ** 31) || seed >= 2 ** 32) {
    throw new ArgumentError(op, `a seed is a whole number of 32 bits, got ${seed}`);
  }
  return seed | 0;
}

/** A stream of random numbers. Make one with `generator(seed, name)`. */
export class Generator {
  /** i32 [3]: seed, stream, counter. Part of a checkpoint; advanced by each draw. */
  readonly state: Tensor;
  readonly #draws = new WeakMap<Trace, number>();

  constructor(seed: number, stream = 0) {
    this.state = key(checkSeed("generator", seed), stream, 0);
  }

  /** The state as numbers: [seed, stream, counter]. Needs a synchronous backend. */
  getState(): [seed: number, stream: number, counter: number] {
    const [seed, stream, counter] = this.state.dataSync();
    return [seed, stream, counter];
  }

  /** Puts the stream where `getState` found it. */
  setState(state: ArrayLike<number>): void {
    this.state.copyFrom(state);
  }

  /** Uniform floats in [0, 1), or whole numbers in [0, bound) for i32: a node that holds the next draw of this stream. */
  draw(shape: Shape, dtype: "f32" | "f64" | "i32" = "f32", bound?: number): Node {
    checkShape("random", shape);
    const wanted = { shape, dtype, ...(bound !== undefined && { bound }) };
    const trace = currentTrace();
    if (trace === undefined) {
      // A leaf of its own: the draw keeps its number however late it is evaluated, and its program is known already.
      const [seed, stream, counter] = this.getState();
      this.setState([seed, stream, counter + 1]);
      return build.apply("uniform", [key(seed, stream, counter).node], { ...wanted, call: 0 });
    }
    const call = this.#draws.get(trace);
    if (call === undefined) trace.atEnd.push(() => this.#advance(trace));
    this.#draws.set(trace, (call ?? 0) + 1);
    return build.apply("uniform", [this.state.node], { ...wanted, call: call ?? 0 });
  }

  /** At the end of a trace: each replay of the program starts where the last one stopped. */
  #advance(trace: Trace): void {
    const draws = this.#draws.get(trace) ?? 0;
    withoutGrad(() => assign(this.state, add(this.state, tensor([0, 0, draws], { dtype: "i32" }))));
  }
}

/** A stream of its own for a seed and a name: equal names give equal numbers, different names independent ones. */
export const generator = (seed: number, name = ""): Generator => new Generator(seed, name === "" ? 0 : hashName(name));

let shared: Generator | undefined;

/** The generator of calls that name none. Its seed is 0 until `manualSeed` sets another. */
export function defaultGenerator(): Generator {
  shared ??= new Generator(0);
  return shared;
}

/** Restarts the default generator from a seed (32 bits). */
export function manualSeed(seed: number): void {
  defaultGenerator().setState([checkSeed("manualSeed", seed), 0, 0]);
}

export interface DrawOptions {
  /** Where the numbers come from; default: the generator `manualSeed` seeds. */
  readonly generator?: Generator;
}

export interface RandomOptions extends DrawOptions {
  /** Default f32. */
  readonly dtype?: "f32" | "f64";
  /** Whether `backward` fills the tensor's `grad`; the numbers are then drawn at once. */
  readonly requiresGrad?: boolean;
}

const uniform = (shape: Shape, options: RandomOptions): Tensor =>
  new Tensor((options.generator ?? defaultGenerator()).draw(shape, options.dtype));

function asked(x: Tensor, { requiresGrad }: RandomOptions): Tensor {
  if (requiresGrad === true) x.requiresGrad = true;
  return x;
}

/** Uniform in [0, 1). */
export const rand = operation(
  "rand",
  (shape: Shape, options: RandomOptions = {}): Tensor => asked(uniform(shape, options), options),
);

/** Standard normal (Box & Muller 1958). */
export const randn = operation("randn", (shape: Shape, options: RandomOptions = {}): Tensor => {
  const radius = uniform(shape, options);
  const angle = uniform(shape, options);
  // 1 - u is in (0, 1]: its logarithm is finite.
  const length = sqrt(mul(log(add(neg(radius), 1)), -2));
  return asked(mul(length, cos(mul(angle, 2 * Math.PI))), options);
});

/** i32 in [0, bound), bound up to 2^32. */
const whole = (shape: Shape, bound: number, options: DrawOptions): Tensor =>
  new Tensor((options.generator ?? defaultGenerator()).draw(shape, "i32", bound));

/** Whole numbers in [low, high), i32, all equally likely. */
export const randint = operation(
  "randint",
  (low: number, high: number, shape: Shape, options: DrawOptions = {}): Tensor => {
    const fits = [low, high].every((bound) => Number.isInteger(bound) && Math.abs(bound) <= 2 ** 31);
    if (!fits || low >= high) throw new ArgumentError("randint", `needs whole low < high, got ${low} and ${high}`);
    // 53 random bits: no range of i32 is noticeably biased.
    return add(whole(shape, high - low, options), low);
  },
);

export interface BernoulliOptions extends DrawOptions {
  /** Needed where p is a number. */
  readonly shape?: Shape;
}

/** true with probability p (a number, or one per element), as bool. */
export const bernoulli = operation("bernoulli", (p: Tensor | number, options: BernoulliOptions = {}): Tensor => {
  if (typeof p !== "number") checkTensor("bernoulli", p, "p");
  else if (!(p >= 0 && p <= 1)) throw new ArgumentError("bernoulli", `p must be in [0, 1], got ${p}`);
  const shape = options.shape ?? (typeof p === "number" ? [] : p.shape);
  return less(uniform(shape, options), p);
});

/** 0, ..., n - 1 in random order: i32 [n]. Takes two draws of the stream. */
export const permutation = operation("permutation", (n: number, options: DrawOptions = {}): Tensor => {
  // Two draws: in 32 bits alone, long sequences have equal keys.
  const [major, minor] = [whole([n], 2 ** 32, options), whole([n], 2 ** 32, options)];
  const order = argsort(minor);
  return gather(order, 0, argsort(gather(major, 0, order)));
});
