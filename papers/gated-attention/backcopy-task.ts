// The bigram-backcopy task (after Guo et al. 2024, arXiv 2410.13835): most tokens follow a bigram table, some copy the last but one.

import { type Tensor, tensor } from "../../engine/index.ts";
import { Stream } from "../../nn/index.ts";

/** The token that begins every sequence. */
export const bos = 0;
/** Tokens 1 to 16 are ordinary, and `bos`. */
export const tokenCount = 17;
const ordinary = tokenCount - 1;
/** After one of these (from position 2 on) comes the token before it. */
export const triggers: readonly number[] = [1, 2, 3];
/** Inputs of a sequence; its targets are one further. */
export const sequenceLength = 32;

/** Of the Dirichlet distribution that rows of the table come from: small, so that a few successors have most of a row. */
const concentration = 0.3;

/** Sequences and what is known about them, all [count, 32], row by row. */
export interface Sequences {
  readonly count: number;
  readonly inputs: Int32Array;
  readonly targets: Int32Array;
  /** 1 where the input is a trigger that copies. */
  readonly copies: Uint8Array;
  /** Entropy in nats of the target given all inputs so far: 0 where it is a copy, else that of the table's row. */
  readonly entropy: Float64Array;
}

/** The task of one seed: its table and its sequences. */
export class BackcopyTask {
  /** [16][16], rows and columns of tokens 1 to 16: probabilities of what follows. */
  readonly table: readonly (readonly number[])[];
  readonly #seed: number;
  readonly #entropies: readonly number[];

  constructor(seed: number) {
    const stream = new Stream(seed, "bigram table");
    this.#seed = seed;
    this.table = Array.from({ length: ordinary }, () => dirichlet(stream, concentration, ordinary));
    this.#entropies = this.table.map(entropyOf);
  }

  /** The sequences of training step `step`, from 0 on. */
  training(step: number, count: number): Sequences {
    return this.#sample(new Stream(this.#seed, `backcopy, step ${step}`), count);
  }

  /** Sequences that training does not see. */
  evaluation(count: number): Sequences {
    return this.#sample(new Stream(this.#seed, "backcopy, evaluation"), count);
  }

  #sample(stream: Stream, count: number): Sequences {
    const inputs = new Int32Array(count * sequenceLength);
    const targets = new Int32Array(count * sequenceLength);
    const copies = new Uint8Array(count * sequenceLength);
    const entropy = new Float64Array(count * sequenceLength);
    for (let i = 0; i < count; i++) {
      let [before, token] = [bos, bos];
      for (let t = 0; t < sequenceLength; t++) {
        const at = i * sequenceLength + t;
        const copy = t >= 2 && triggers.includes(token);
        const next = copy ? before : token === bos ? 1 + stream.integer(ordinary) : this.#follow(stream, token);
        inputs[at] = token;
        targets[at] = next;
        copies[at] = copy ? 1 : 0;
        entropy[at] = copy ? 0 : token === bos ? Math.log(ordinary) : this.#entropies[token - 1];
        [before, token] = [token, next];
      }
    }
    return { count, inputs, targets, copies, entropy };
  }

  #follow(stream: Stream, token: number): number {
    const row = this.table[token - 1];
    let left = stream.uniform();
    for (let j = 0; j < ordinary; j++) {
      left -= row[j];
      if (left < 0) return j + 1;
    }
    // Rounding can leave a crumb: it goes to the likeliest token, never to one of probability 0.
    return row.indexOf(Math.max(...row)) + 1;
  }
}

/** The sequences as tensors. */
export const toTensors = ({ count, inputs, targets }: Sequences): [inputs: Tensor, targets: Tensor] => [
  tensor(inputs, { shape: [count, sequenceLength] }),
  tensor(targets, { shape: [count, sequenceLength] }),
];

const entropyOf = (row: readonly number[]): number => -row.reduce((sum, p) => (p > 0 ? sum + p * Math.log(p) : sum), 0);

/** Probabilities from the symmetric Dirichlet distribution: gammas over their sum. */
function dirichlet(stream: Stream, alpha: number, count: number): number[] {
  const drawn = Array.from({ length: count }, () => gamma(stream, alpha));
  const sum = drawn.reduce((total, value) => total + value, 0);
  return drawn.map((value) => value / sum);
}

/** A gamma variable of shape alpha < 1 (Marsaglia & Tsang 2000: one of shape alpha + 1, times u^(1 / alpha)). */
function gamma(stream: Stream, alpha: number): number {
  const d = alpha + 1 - 1 / 3;
  const c = 1 / Math.sqrt(9 * d);
  for (;;) {
    const x = stream.normal();
    const v = (1 + c * x) ** 3;
    if (v <= 0) continue;
    if (Math.log(1 - stream.uniform()) < 0.5 * x * x + d - d * v + d * Math.log(v))
      return d * v * (1 - stream.uniform()) ** (1 / alpha);
  }
}
