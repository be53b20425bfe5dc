// What a device's own words mean: it is gone, it has no room, or a kernel does not work.

import { OutOfMemoryError, SluiceError } from "../../errors.ts";

/** Numbers that WebGL gives for errors. */
export const glErrors: Readonly<Record<number, string>> = {
  1281: "INVALID_VALUE (a size that is too large)",
  1285: "out of memory",
};

export interface Failing {
  readonly cause: unknown;
  /** What was being done, and by what. */
  readonly purpose: string;
  readonly where: string;
  /** What is on the device. */
  readonly counts: { readonly buffers: number; readonly bytes: number };
  /** Bytes of the result that a kernel was to have, and its source. */
  readonly result?: number;
  readonly source?: string | undefined;
}

/** The error for what a device said. */
export function failureOf(text: string, { cause, purpose, where, counts, result, source }: Failing): SluiceError {
  if (/lost|destroyed|different WebGPU device/i.test(text) || text === "") {
    return new SluiceError(
      "gpu",
      `the device was lost during ${purpose}: ${text || "no reason given"}. Tensors that were read keep their values; ` +
        'call setBackend("gpu") to start again, or another backend',
      { cause },
    );
  }
  if (/out of memory|too large|larger than|exceeds|maxBufferSize|allocate/i.test(text)) {
    const size = result === undefined ? "" : ` with a result of ${result} bytes`;
    return new OutOfMemoryError(
      "gpu",
      `${where} has no room for ${purpose}${size}, beside ${counts.bytes} bytes in ${counts.buffers} buffers: ${text}. ` +
        "Parameters are as they were before the step",
      { cause },
    );
  }
  const shown = source === undefined ? "" : `\n${source}`;
  return new SluiceError("gpu", `${where} failed at ${purpose}: ${text}${shown}`, { cause });
}
