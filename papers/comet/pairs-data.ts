// Task A's data: each cluster of inputs is answered by a mixture of its own two of eight fixed networks.

import { type Tensor, tensor } from "../../engine/index.ts";
import { Stream } from "../../nn/index.ts";

export const inputDim = 24;
export const outputDim = 8;
/** Hash gates see an id in place of x; ids are drawn at random, since the task has none. */
export const idCount = 1024;

const clusters = 8;
const basisNets = 8;
const plainDim = 16;
const signatureDim = 8;
const basisHidden = 24;

/** A batch of samples, on the host. */
export interface Batch {
  readonly size: number;
  /** [B, 24]: 16 plain inputs, then the noisy signature of the cluster. */
  readonly x: Float32Array;
  /** [B, 8]. */
  readonly target: Float32Array;
  /** [B]. */
  readonly ids: Int32Array;
}

/** A batch as tensors. */
export const toTensors = ({ size, x, target, ids }: Batch): [x: Tensor, target: Tensor, ids: Tensor] => [
  tensor(x, { shape: [size, inputDim] }),
  tensor(target, { shape: [size, outputDim] }),
  tensor(ids),
];

interface Cluster {
  readonly signature: readonly number[];
  readonly pair: readonly [number, number];
  readonly share: number;
}

interface Net {
  readonly first: readonly number[];
  readonly second: readonly number[];
}

/** The task of one seed: the same clusters, networks and samples for every gate. */
export class PairsTask {
  readonly #seed: number;
  readonly #clusters: readonly Cluster[];
  readonly #nets: readonly Net[];
  readonly #training: Stream;
  readonly #batches: Batch[] = [];
  readonly #validation = new Map<number, Batch>();

  constructor(seed: number) {
    this.#seed = 100 + seed;
    const of = (name: string): Stream => new Stream(this.#seed, name);
    const normals = (stream: Stream, count: number, variance: number): number[] =>
      Array.from({ length: count }, () => stream.normal(0, Math.sqrt(variance)));
    const nets = of("basis nets");
    this.#nets = Array.from({ length: basisNets }, () => ({
      first: normals(nets, plainDim * basisHidden, 1 / plainDim),
      second: normals(nets, basisHidden * outputDim, 4 / basisHidden),
    }));
    const drawn = of("clusters");
    this.#clusters = Array.from({ length: clusters }, () => {
      const direction = normals(drawn, signatureDim, 1);
      const length = Math.hypot(...direction);
      const [first, second] = drawn.permutation(basisNets);
      const signature = direction.map((value) => (1.5 * value) / length);
      return { signature, pair: [first, second], share: drawn.uniform(0.3, 0.7) };
    });
    this.#training = of("training");
  }

  /** Training batch number `step`, from 0 on; batches are kept, so that the next gate gets the same ones for nothing. */
  batch(step: number, size: number): Batch {
    while (this.#batches.length <= step) this.#batches.push(this.#sample(this.#training, size));
    return this.#batches[step];
  }

  /** The validation samples. */
  validation(size: number): Batch {
    const known = this.#validation.get(size) ?? this.#sample(new Stream(this.#seed, "validation"), size);
    this.#validation.set(size, known);
    return known;
  }

  #sample(stream: Stream, size: number): Batch {
    const x = new Float32Array(size * inputDim);
    const target = new Float32Array(size * outputDim);
    const ids = new Int32Array(size);
    for (let i = 0; i < size; i++) {
      const { signature, pair, share } = this.#clusters[stream.integer(clusters)];
      const row = x.subarray(i * inputDim, (i + 1) * inputDim);
      for (let j = 0; j < plainDim; j++) row[j] = stream.normal();
      for (let j = 0; j < signatureDim; j++) row[plainDim + j] = stream.normal(signature[j], 0.3);
      const answer = target.subarray(i * outputDim, (i + 1) * outputDim);
      addAnswer(this.#nets[pair[0]], row, share, answer);
      addAnswer(this.#nets[pair[1]], row, 1 - share, answer);
      for (let j = 0; j < outputDim; j++) answer[j] += stream.normal(0, 0.05);
      ids[i] = stream.integer(idCount);
    }
    return { size, x, target, ids };
  }
}

/** answer += share * relu(u W1) W2, u the plain part of the row. */
function addAnswer({ first, second }: Net, row: Float32Array, share: number, answer: Float32Array): void {
  for (let h = 0; h < basisHidden; h++) {
    let sum = 0;
    for (let j = 0; j < plainDim; j++) sum += row[j] * first[j * basisHidden + h];
    if (sum <= 0) continue;
    for (let o = 0; o < outputDim; o++) answer[o] += share * sum * second[h * outputDim + o];
  }
}
