// Sluice as a user would time it: inputs as tensors, one compiled function, replayed.

import { compile, type Tensor, tensor } from "../../engine/index.ts";
import type { HostInput, Inputs, Job } from "../harness/protocol.ts";

export const upload = ({ data, shape, dtype }: HostInput, requiresGrad = false): Tensor =>
  tensor(data, { shape, dtype, requiresGrad });

/** All inputs as tensors. */
export const uploadAll = (inputs: Inputs): Record<string, Tensor> =>
  Object.fromEntries(Object.entries(inputs).map(([name, input]) => [name, upload(input)]));

/** Values of several results, one after the other. */
export function readAll(results: readonly Tensor[]): number[] {
  const values: number[] = [];
  for (const result of results) for (const value of result.dataSync()) values.push(Number(value));
  return values;
}

/** A compiled pure function of the inputs, whose results are read. */
export function pure(inputs: Inputs, fn: (x: Record<string, Tensor>) => readonly Tensor[]): Job {
  const tensors = uploadAll(inputs);
  const compiled = compile(fn);
  const run = (): void => {
    for (const result of compiled(tensors)) result.dataSync();
  };
  return { run, result: () => readAll(compiled(tensors)) };
}
