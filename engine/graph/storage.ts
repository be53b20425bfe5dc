// Where a tensor's numbers live once they are known: a host array, a backend's memory, or both.

import type { DType, HostArray } from "../dtype.ts";
import { hostArray } from "../dtype.ts";

/** Memory of a backend that holds the current values of one storage. */
export interface DeviceMemory {
  /** Copies the values to the host (a promise where the device is asynchronous). */
  read(): HostArray | Promise<HostArray>;
  /** Returns the memory to the backend. */
  release(): void;
}

/**
 * The values behind a leaf. `host` is undefined while only the device copy is current. `version` counts overwrites
 * in place: a node made from an older version is stale and says so when it is evaluated.
 */
export class Storage {
  readonly dtype: DType;
  readonly length: number;
  version = 0;
  host: HostArray | undefined;
  device: DeviceMemory | undefined;
  /** How many runs have read it so far: what is read again and again may be kept in a backend's memory. */
  reads = 0;
  /** Stays in a backend's persistent memory between runs (parameters, optimizer state). */
  persistent = false;

  constructor(dtype: DType, length: number, host?: HostArray) {
    this.dtype = dtype;
    this.length = length;
    this.host = host;
  }

  static zeros(dtype: DType, length: number): Storage {
    return new Storage(dtype, length, hostArray(dtype, length));
  }

  /** Replaces the values in place; nodes made from the old ones become stale. */
  overwrite(values: HostArray): void {
    this.version += 1;
    this.host = values;
    this.device?.release();
    this.device = undefined;
  }
}
