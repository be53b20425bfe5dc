// A named stream of random numbers on the host: a pure function of (seed, name, position). For initial values and data.

import { ArgumentError, hashName, threefry2x32 } from "../engine/index.ts";

/** Random numbers that depend on the seed, the stream's name and how many were drawn before, on nothing else. */
export class Stream {
  readonly #seed: number;
  readonly #name: number;
  #counter = 0;
  /** Numbers come in pairs; the second waits here. */
  #spareBits: number | undefined;
  #spareNormal: number | undefined;

  /** @param seed a whole number; @param name what the numbers are for, such as "experts.weight" */
  constructor(seed: number, name: string) {
    if (!Number.isSafeInteger(seed)) throw new ArgumentError("Stream", `the seed must be a whole number, got ${seed}`);
    this.#seed = seed | 0;
    this.#name = hashName(name);
  }

  #bits(): number {
    const spare = this.#spareBits;
    if (spare !== undefined) {
      this.#spareBits = undefined;
      return spare;
    }
    const [first, second] = threefry2x32(this.#seed, this.#name, this.#counter++, 0);
    this.#spareBits = second >>> 0;
    return first >>> 0;
  }

  /** Uniform in [low, high), with 32 random bits. */
  uniform(low = 0, high = 1): number {
    return low + (high - low) * this.#bits() * 2 ** -32;
  }

  /** Normal with the given mean and standard deviation (Box-Muller). */
  normal(mean = 0, deviation = 1): number {
    const spare = this.#spareNormal;
    this.#spareNormal = undefined;
    if (spare !== undefined) return mean + deviation * spare;
    // 1 - u is in (0, 1]: its logarithm is finite.
    const radius = Math.sqrt(-2 * Math.log(1 - this.uniform()));
    const angle = 2 * Math.PI * this.uniform();
    this.#spareNormal = radius * Math.sin(angle);
    return mean + deviation * radius * Math.cos(angle);
  }

  /** A whole number in [0, count). */
  integer(count: number): number {
    return Math.floor(this.uniform() * count);
  }

  /** The numbers 0 .. count - 1 in random order. */
  permutation(count: number): number[] {
    return fisherYates(count, (below) => this.integer(below));
  }
}

/** The numbers 0 .. count - 1 in random order, by whole numbers drawn from [0, below) for below = count .. 2. */
export function fisherYates(count: number, integer: (below: number) => number): number[] {
  const order = Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const j = integer(i + 1);
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}
