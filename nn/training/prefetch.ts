// Batches asked for before they are needed.

import { checkSizes } from "../checks.ts";

/** The batch of a step: a DataLoader is one. */
export interface Batches<Batch> {
  at(step: number): Batch;
}

/**
 * The same batches, of which the next `ahead` are being made while one is used: of use where a batch is a promise, as a
 * `WorkerDataset`'s. Steps may come in any order, though only those in a row profit.
 */
export function prefetch<Batch>(batches: Batches<Promise<Batch>>, ahead = 2): Batches<Promise<Batch>> {
  checkSizes("prefetch", { ahead });
  const made = new Map<number, Promise<Batch>>();
  const ask = (step: number): Promise<Batch> => {
    const known = made.get(step);
    if (known !== undefined) return known;
    const batch = batches.at(step);
    // Whoever awaits it hears of its failure; one that nobody comes for must not end the process.
    batch.catch(() => {});
    made.set(step, batch);
    return batch;
  };
  return {
    at(step) {
      const batch = ask(step);
      for (let i = 1; i <= ahead; i++) ask(step + i);
      for (const other of made.keys()) if (other <= step || other > step + ahead) made.delete(other);
      return batch;
    },
  };
}
