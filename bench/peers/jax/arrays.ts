// jax-js as its guide says: inputs on the wasm device, one jit-compiled function, references counted by hand.

import { type Array as JaxArray, jit, numpy as np, tree } from "@jax-js/jax";
import type { HostInput, Inputs, Job } from "../../harness/protocol.ts";

export type Named = { [name: string]: JaxArray };

export const upload = ({ data, shape, dtype }: HostInput): JaxArray =>
  np.array(data as Float32Array<ArrayBuffer> | Int32Array<ArrayBuffer>, {
    shape,
    dtype: dtype === "f32" ? np.float32 : np.int32,
  });

export const uploadAll = (inputs: Inputs): Named =>
  Object.fromEntries(Object.entries(inputs).map(([name, input]) => [name, upload(input)]));

/** A jit-compiled pure function of the inputs; the results of every run are read, which frees them. */
export function pure(inputs: Inputs, fn: (x: Named) => JaxArray[]): Job {
  const arrays = uploadAll(inputs);
  const compiled = jit(fn);
  const run = async (): Promise<void> => {
    for (const array of compiled(tree.ref(arrays))) await array.data();
  };
  const result = async (): Promise<number[]> => {
    const values: number[] = [];
    for (const array of compiled(tree.ref(arrays))) for (const value of await array.data()) values.push(Number(value));
    return values;
  };
  return {
    run,
    result,
    async: true,
    release: () => {
      tree.dispose(arrays);
      compiled.dispose();
    },
  };
}
