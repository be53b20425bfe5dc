// Task C's data: two overlapping digits on one canvas, halved in size. The tasks are to read one and the other.

import type { Stream } from "../../nn/index.ts";
import type { Digits } from "./mnist.ts";

const canvas = 36;
const digit = 28;
/** The second digit starts here, so that they overlap by 20 x 20. */
const shift = canvas - digit;
const side = canvas / 2;
/** Inputs of a sample: 18 x 18. */
export const pixelCount = side * side;

/** Pairs of digits: images in [0, 1] and both labels. */
export interface DigitPairs {
  readonly count: number;
  /** [count, 324]. */
  readonly images: Float32Array;
  /** The digit at the top left, and the one at the bottom right. */
  readonly labels: readonly [Int32Array, Int32Array];
}

/**
 * `count` random pairs of two different images among those from `first` to before `last`: pixelwise maximum on a
 * 36 x 36 canvas, then the mean over 2 x 2 pixels.
 */
export function makePairs(digits: Digits, first: number, last: number, count: number, stream: Stream): DigitPairs {
  const images = new Float32Array(count * pixelCount);
  const labels = [new Int32Array(count), new Int32Array(count)] as const;
  const drawing = new Uint8Array(canvas * canvas);
  for (let i = 0; i < count; i++) {
    const a = first + stream.integer(last - first);
    // Of the others, so that the two differ.
    const other = first + stream.integer(last - first - 1);
    const b = other < a ? other : other + 1;
    drawing.fill(0);
    stamp(drawing, digits, a, 0);
    stamp(drawing, digits, b, shift);
    halve(drawing, images.subarray(i * pixelCount, (i + 1) * pixelCount));
    labels[0][i] = digits.labels[a];
    labels[1][i] = digits.labels[b];
  }
  return { count, images, labels };
}

function stamp(drawing: Uint8Array, { pixels }: Digits, index: number, at: number): void {
  for (let row = 0; row < digit; row++) {
    for (let column = 0; column < digit; column++) {
      const where = (row + at) * canvas + column + at;
      const ink = pixels[(index * digit + row) * digit + column];
      if (ink > drawing[where]) drawing[where] = ink;
    }
  }
}

function halve(drawing: Uint8Array, into: Float32Array): void {
  for (let row = 0; row < side; row++) {
    for (let column = 0; column < side; column++) {
      const at = 2 * row * canvas + 2 * column;
      const sum = drawing[at] + drawing[at + 1] + drawing[at + canvas] + drawing[at + canvas + 1];
      into[row * side + column] = sum / (4 * 255);
    }
  }
}

/** Batches of positions: every sample once an epoch, in an order of its own. */
export class Epochs {
  readonly #stream: Stream;
  readonly #count: number;
  #order: number[] = [];

  constructor(count: number, stream: Stream) {
    this.#count = count;
    this.#stream = stream;
  }

  /** The next `size` positions; what is left of an epoch is joined by the start of the next. */
  next(size: number): number[] {
    while (this.#order.length < size) this.#order.push(...this.#stream.permutation(this.#count));
    return this.#order.splice(0, size);
  }
}

/** The pairs at some positions, as one batch. */
export function pick({ images, labels }: DigitPairs, positions: readonly number[]) {
  const x = new Float32Array(positions.length * pixelCount);
  for (const [i, at] of positions.entries()) {
    x.set(images.subarray(at * pixelCount, (at + 1) * pixelCount), i * pixelCount);
  }
  const read = (list: Int32Array): Int32Array => Int32Array.from(positions, (at) => list[at]);
  return { x, labels: [read(labels[0]), read(labels[1])] as const };
}
