// mulberry32: a portable generator of 32 random bits a draw, so that generated data are the same bit for bit anywhere.

import { fisherYates } from "../../nn/index.ts";

export class Mulberry {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 0;
  }

  /** Uniform in [0, 1). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  }

  /** A whole number in [0, count). */
  integer(count: number): number {
    return Math.floor(this.next() * count);
  }

  /** The numbers 0 .. count - 1 in random order. */
  permutation(count: number): number[] {
    return fisherYates(count, (below) => this.integer(below));
  }
}
