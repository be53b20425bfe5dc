// Data sets and loaders: the batch of a step is a pure function of the seed and the step, so a resumed run reads on.

import { ArgumentError, formatShape, type HostArray, ShapeError, type Tensor, tensor } from "../../engine/index.ts";
import { checkSizes } from "../checks.ts";
import { Stream } from "../stream.ts";

/** Samples by number. */
export interface Dataset<Batch> {
  readonly length: number;
  /** The samples of these numbers, as one batch. */
  batch(indices: readonly number[]): Batch;
}

/** Tensors whose first axis is the sample, by name: a batch has their rows. Values are read once, at the start. */
export async function tensorDataset<Name extends string>(
  tensors: Readonly<Record<Name, Tensor>>,
): Promise<Dataset<Record<Name, Tensor>>> {
  const names = Object.keys(tensors) as Name[];
  const shapes = names.map((name) => tensors[name].shape);
  const length = shapes[0]?.[0];
  if (length === undefined || shapes.some((shape) => shape[0] !== length))
    throw new ShapeError("tensorDataset", `first axes differ or are missing: ${shapes.map(formatShape).join(", ")}`);
  const all = await Promise.all(names.map((name) => tensors[name].data()));
  const rows = (values: HostArray, x: Tensor, indices: readonly number[]): Tensor => {
    const size = x.size / length;
    const picked = values.slice(0, indices.length * size);
    indices.forEach((index, i) => {
      picked.set(values.subarray(index * size, (index + 1) * size), i * size);
    });
    return tensor(picked, { shape: [indices.length, ...x.shape.slice(1)], dtype: x.dtype });
  };
  return {
    length,
    batch: (indices) =>
      Object.fromEntries(names.map((name, i) => [name, rows(all[i], tensors[name], indices)])) as Record<Name, Tensor>,
  };
}

export interface LoaderOptions {
  readonly batchSize: number;
  /** Whether each epoch has an order of its own; default true. */
  readonly shuffle?: boolean;
  /** Of the orders; default 0. */
  readonly seed?: number;
  /** Whether a last batch that is not full is left out; default true: one batch size, one compiled step. */
  readonly dropLast?: boolean;
}

/** Batches of a data set, epoch after epoch. It has no state: iterate as often as you like. */
export class DataLoader<Batch> {
  readonly dataset: Dataset<Batch>;
  readonly batchSize: number;
  /** Batches in an epoch. */
  readonly length: number;
  readonly #shuffle: boolean;
  readonly #seed: number;
  #order: { readonly epoch: number; readonly indices: readonly number[] } | undefined;

  /** @throws ArgumentError where there is no batch in an epoch */
  constructor(dataset: Dataset<Batch>, options: LoaderOptions) {
    const { batchSize, shuffle = true, seed = 0, dropLast = true } = options;
    checkSizes("DataLoader", { batchSize });
    this.dataset = dataset;
    this.batchSize = batchSize;
    this.length = dropLast ? Math.floor(dataset.length / batchSize) : Math.ceil(dataset.length / batchSize);
    if (this.length === 0)
      throw new ArgumentError("DataLoader", `${dataset.length} samples make no batch of ${batchSize}`);
    this.#shuffle = shuffle;
    this.#seed = seed;
  }

  /** The batch of a step, counted from 0 through all epochs. */
  at(step: number): Batch {
    const epoch = Math.floor(step / this.length);
    if (this.#order?.epoch !== epoch) this.#order = { epoch, indices: this.#orderOf(epoch) };
    const start = (step - epoch * this.length) * this.batchSize;
    return this.dataset.batch(this.#order.indices.slice(start, start + this.batchSize));
  }

  /** The batches of an epoch. */
  *epoch(epoch: number): Generator<Batch> {
    for (let i = 0; i < this.length; i++) yield this.at(epoch * this.length + i);
  }

  #orderOf(epoch: number): number[] {
    if (this.#shuffle) return new Stream(this.#seed, `epoch ${epoch}`).permutation(this.dataset.length);
    return Array.from({ length: this.dataset.length }, (_, i) => i);
  }
}
