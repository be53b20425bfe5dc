// A data set whose batches are made in a worker: reading and decoding take no time from training.

import { ArgumentError, DataError, type HostArray, type Shape, type Tensor, tensor } from "../../engine/index.ts";
import { checkSizes } from "../checks.ts";
import type { Dataset } from "./loader.ts";

/** A tensor of a batch as a worker makes it: f32, f64 or i32 by its array, bool by a Uint8Array. */
export interface PackedTensor {
  readonly data: HostArray;
  readonly shape: Shape;
}

/** What the module of a `WorkerDataset` exports under the name `batch`. */
export type BatchMaker<Name extends string = string, Parameters = unknown> = (
  indices: readonly number[],
  parameters: Parameters,
) => Readonly<Record<Name, PackedTensor>> | Promise<Readonly<Record<Name, PackedTensor>>>;

export interface WorkerDatasetOptions {
  /** Samples in the set. */
  readonly length: number;
  /** Given to `batch` each time: anything that can be sent to a worker. */
  readonly parameters?: unknown;
}

interface Answer {
  readonly id: number;
  readonly batch?: Readonly<Record<string, PackedTensor>>;
  readonly error?: string;
}

interface Waiting {
  readonly resolve: (batch: Readonly<Record<string, PackedTensor>>) => void;
  readonly reject: (error: Error) => void;
}

/** A worker, wherever it runs. `hold` says whether it keeps the process alive. */
interface Running {
  ask(message: object): void;
  hold(on: boolean): void;
  end(): void;
}

// A script without a file of its own, so that it works from sources, from a package and from a bundle; as a module or
// not, which in Node is up to how the process was started.
const source = `
const receive = async (port, { id, url, indices, parameters }) => {
  try {
    const made = await (await import(url)).batch(indices, parameters);
    // Entries alone: what a module keeps for itself, such as a view of all its data, must not be sent away.
    const batch = Object.fromEntries(
      Object.entries(made).map(([name, { data, shape }]) => [name, { data: data.slice(), shape }]),
    );
    port.postMessage({ id, batch }, Object.values(batch).map(({ data }) => data.buffer));
  } catch (error) {
    port.postMessage({ id, error: String(error?.stack ?? error) });
  }
};
if (typeof process === "object" && process.versions?.node)
  import("node:worker_threads").then(({ parentPort }) => parentPort.on("message", (data) => receive(parentPort, data)));
else self.onmessage = (event) => void receive(self, event.data);
`;

async function start(answered: (answer: Answer) => void, lost: (cause: string) => void): Promise<Running> {
  if (typeof Worker === "undefined") {
    const { Worker: Thread } = await import("node:worker_threads");
    const worker = new Thread(source, { eval: true });
    worker.on("message", answered);
    worker.on("error", (error) => lost(String(error)));
    worker.on("exit", (code) => lost(`exited with code ${code}`));
    return {
      ask: (message) => worker.postMessage(message),
      hold: (on) => (on ? worker.ref() : worker.unref()),
      end: () => void worker.terminate(),
    };
  }
  const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
  const worker = new Worker(url, { type: "module" });
  worker.onmessage = (event) => answered(event.data as Answer);
  worker.onerror = (event) => lost(event.message);
  return { ask: (message) => worker.postMessage(message), hold: () => {}, end: () => worker.terminate() };
}

/**
 * Batches made by the exported function `batch` of a module, in a worker of its own. Give it to a `DataLoader` and that
 * to `prefetch`. A batch that fails rejects with a DataError that has the worker's error; the next one is tried afresh.
 */
export class WorkerDataset<Name extends string = string> implements Dataset<Promise<Record<Name, Tensor>>> {
  readonly length: number;
  readonly #url: string;
  readonly #parameters: unknown;
  readonly #waiting = new Map<number, Waiting>();
  #worker: Promise<Running> | undefined;
  #asked = 0;

  /** @param url of a module that exports a `BatchMaker` as `batch`: `new URL("./decode.js", import.meta.url)` */
  constructor(url: URL, { length, parameters }: WorkerDatasetOptions) {
    checkSizes("WorkerDataset", { length });
    if (!(url instanceof URL)) throw new ArgumentError("WorkerDataset", "the module must be given by a URL");
    this.length = length;
    this.#url = url.href;
    this.#parameters = parameters;
  }

  async batch(indices: readonly number[]): Promise<Record<Name, Tensor>> {
    this.#worker ??= start(
      (answer) => this.#answered(answer),
      (cause) => this.#lost(cause),
    );
    const worker = await this.#worker;
    const id = this.#asked++;
    const packed = await new Promise<Readonly<Record<string, PackedTensor>>>((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      worker.hold(true);
      worker.ask({ id, url: this.#url, indices: [...indices], parameters: this.#parameters });
    }).finally(() => worker.hold(this.#waiting.size > 0));
    const tensors = Object.entries(packed).map(([name, { data, shape }]) => [
      name,
      tensor(data, { shape, dtype: data instanceof Uint8Array ? "bool" : undefined }),
    ]);
    return Object.fromEntries(tensors) as Record<Name, Tensor>;
  }

  /** Ends the worker; batches that are not there yet fail. Without it the worker ends with the process. */
  async close(): Promise<void> {
    const worker = await this.#worker;
    this.#lost("it was closed");
    worker?.end();
  }

  #answered({ id, batch, error }: Answer): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (batch !== undefined) waiting?.resolve(batch);
    else waiting?.reject(new DataError("WorkerDataset", `${this.#url} failed: ${error}`));
  }

  #lost(cause: string): void {
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    this.#worker = undefined;
    for (const { reject } of waiting) reject(new DataError("WorkerDataset", `the worker is gone: ${cause}`));
  }
}
