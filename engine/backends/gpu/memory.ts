// Values on the device that belong to a storage. They are there before they are computed: a cell is filled when the
// run that makes it has finished, so that runs can be queued on what earlier runs will leave.

import { type DType, type HostArray, hostArray } from "../../dtype.ts";
import { SluiceError } from "../../errors.ts";
import type { DeviceMemory, Storage } from "../../graph/storage.ts";
import type { Device } from "./device.ts";
import type { Handle } from "./library.ts";
import { anyWhole, planesOf } from "./value.ts";

/** A buffer of the device, or values of the host to send there; shared by counting. */
export class Held {
  readonly #device: Device;
  #handle: Handle | undefined;
  #uses = 1;

  constructor(device: Device, handle: Handle) {
    this.#device = device;
    this.#handle = handle;
  }

  get handle(): Handle {
    if (this.#handle === undefined) throw new SluiceError("gpu", "a buffer was used after its release");
    return this.#handle;
  }

  retain(): this {
    this.#uses += 1;
    return this;
  }

  release(): void {
    this.#uses -= 1;
    if (this.#uses > 0 || this.#handle === undefined) return;
    this.#device.drop(this.#handle);
    this.#handle = undefined;
  }
}

/** The values of a storage as the device will have them. */
export class Cell implements DeviceMemory {
  readonly device: Device;
  readonly dtype: DType;
  readonly length: number;
  /** Known on the host: to be uploaded when the device needs it, or never to be there (random keys). */
  host: HostArray | undefined;
  #held: Held | undefined;
  #failure: unknown;
  /** Set when its run has failed: what its storage held before. */
  previous: Previous | undefined;
  #filled: boolean;
  #uses = 1;
  #owned = true;
  readonly #queue: Queue;

  constructor(queue: Queue, dtype: DType, length: number, host?: HostArray) {
    this.device = queue.device;
    this.#queue = queue;
    this.dtype = dtype;
    this.length = length;
    this.host = host;
    this.#filled = host !== undefined;
  }

  /** One more use beside the owner's: a run that is to read or fill it. */
  retain(): this {
    this.#uses += 1;
    return this;
  }

  drop(): void {
    this.#uses -= 1;
    if (this.#uses !== 0) return;
    this.#held?.release();
    this.#held = undefined;
  }

  /** The storage lets go of it. */
  release(): void {
    if (!this.#owned) return;
    this.#owned = false;
    dropped.unregister(this);
    this.drop();
  }

  /** Fills the cell; it takes over one use of `held`. */
  fill(held: Held | undefined): void {
    this.#filled = true;
    if (this.#uses > 0) this.#held = held;
    else held?.release();
  }

  /** Its run failed; what it was filled with, if it was, is worth nothing. */
  fail(cause: unknown): void {
    this.#failure = cause;
    this.#held?.release();
    this.#held = undefined;
  }

  /** Throws what went wrong in the run that was to fill the cell. */
  check(): void {
    if (this.#failure !== undefined) throw this.#failure;
    if (!this.#filled) throw new SluiceError("gpu", "a value is read before it was computed");
  }

  /** The buffer, uploaded if it has to be. Only inside the queue. */
  onDevice(): Held | Promise<Held> {
    this.check();
    if (this.#held !== undefined) return this.#held;
    const values = toFloats(this.host as HostArray);
    const keep = (handle: Handle): Held => {
      this.#held = new Held(this.device, handle);
      return this.#held;
    };
    const handle = this.device.upload(values);
    return handle instanceof Promise ? handle.then(keep) : keep(handle);
  }

  /** The values. A promise where the device is asynchronous. */
  read(): HostArray | Promise<HostArray> {
    if (this.host !== undefined) return this.host;
    this.retain();
    return this.#queue.run(() => {
      try {
        this.check();
        if (this.#held === undefined) return hostArray(this.dtype, this.length);
        const values = this.device.read(
          this.#held.handle,
          this.length * planesOf(this.dtype === "i32" ? anyWhole : undefined),
        );
        return values instanceof Promise ? values.then((v) => this.#typed(v)) : this.#typed(values);
      } finally {
        this.drop();
      }
    });
  }

  #typed(values: Float32Array): HostArray {
    const { length } = this;
    if (this.dtype === "i32") return Int32Array.from({ length }, (_, i) => values[2 * i] * 65536 + values[2 * i + 1]);
    if (this.dtype === "f32") return values.length === length ? values : values.slice(0, length);
    const typed = hostArray(this.dtype, length);
    typed.set(values.length === length ? values : values.subarray(0, length));
    return typed;
  }
}

/** Host values as the device holds them: whole numbers in two limbs of 16 bits, the high one with the sign. */
export function toFloats(values: HostArray): Float32Array {
  if (values instanceof Float32Array) return values;
  if (!(values instanceof Int32Array)) return Float32Array.from(values);
  const limbs = new Float32Array(2 * values.length);
  for (let i = 0; i < values.length; i++) {
    limbs[2 * i] = values[i] >> 16;
    limbs[2 * i + 1] = values[i] & 0xffff;
  }
  return limbs;
}

/** Runs jobs one after the other: at once where the device is synchronous, else as promises. */
export class Queue {
  readonly device: Device;

  constructor(device: Device) {
    this.device = device;
  }

  run<T>(job: () => T | Promise<T>): T | Promise<T> {
    if (this.device.synchronous) return job();
    const { lane } = this.device;
    const result = lane.tail.then(job);
    // Whoever waits hears of a failure; the queue goes on, and an unread failure is no crash of the process.
    lane.tail = result.catch(() => undefined);
    return result;
  }
}

/** Backstop for storages that are dropped without being released. */
const dropped = new FinalizationRegistry<Cell>((cell) => cell.release());

/** What a storage held before a run was to overwrite it. */
export interface Previous {
  readonly device: DeviceMemory | undefined;
  readonly host: HostArray | undefined;
}

/** Makes a cell the memory of a storage. What the storage had is the caller's to release, or to put back. */
export function attach(storage: Storage, cell: Cell): Previous {
  const { device, host } = storage;
  storage.device = cell;
  dropped.register(storage, cell, cell);
  return { device, host };
}

/**
 * After a run that failed: the storage holds again what it held before it, and before the failed runs that came first.
 * A storage that held nothing keeps the cell, which says what failed.
 */
export function putBack(storage: Storage, cell: Cell, previous: Previous): void {
  let last = previous;
  while (last.device instanceof Cell && last.device.previous !== undefined) last = last.device.previous;
  cell.previous = last;
  if (storage.device !== cell || (last.device === undefined && last.host === undefined)) return;
  storage.device = last.device;
  storage.host = last.host;
}
