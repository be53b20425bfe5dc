// The values of a storage in the heap: memory that outlives a run.

import type { DType, HostArray } from "../../../dtype.ts";
import { bytesPerElement } from "../../../dtype.ts";
import { SluiceError } from "../../../errors.ts";
import type { DeviceMemory, Storage } from "../../../graph/storage.ts";
import type { Heap } from "./heap.ts";

/** Backstop for storages that are dropped without being released; promptness is not promised. */
const dropped = new FinalizationRegistry<() => void>((release) => release());

export class HeapBlock implements DeviceMemory {
  readonly heap: Heap;
  readonly address: number;
  private readonly dtype: DType;
  private readonly length: number;
  private readonly state = { live: true };

  constructor(heap: Heap, owner: Storage) {
    this.heap = heap;
    this.dtype = owner.dtype;
    this.length = owner.length;
    this.address = heap.alloc(owner.length * bytesPerElement(owner.dtype), `a ${owner.dtype} tensor`);
    const { address, state } = this;
    dropped.register(
      owner,
      () => {
        if (state.live) heap.release(address);
        state.live = false;
      },
      this,
    );
  }

  read(): HostArray {
    return this.heap.read(this.dtype, this.address, this.length);
  }

  write(values: HostArray): void {
    this.heap.write(this.dtype, this.address, values);
  }

  release(): void {
    if (!this.state.live) return;
    this.state.live = false;
    dropped.unregister(this);
    this.heap.release(this.address);
  }
}

/** The block of a storage in this heap, if its current values are in one. */
export function blockOf(heap: Heap, storage: Storage): HeapBlock | undefined {
  const { device } = storage;
  return device instanceof HeapBlock && device.heap === heap ? device : undefined;
}

/** The current values on the host, without a copy where they are there already. */
export function hostValues(storage: Storage): HostArray {
  const values = storage.host ?? storage.device?.read();
  if (values === undefined) throw new SluiceError("wasm", "a tensor has no values");
  if (values instanceof Promise) throw new SluiceError("wasm", "values of an asynchronous backend: await data() first");
  return values;
}

/** Moves a storage's values into the heap, unless they are there. */
export function makeResident(heap: Heap, storage: Storage): HeapBlock {
  const known = blockOf(heap, storage);
  if (known !== undefined) return known;
  const values = hostValues(storage);
  const block = new HeapBlock(heap, storage);
  block.write(values);
  storage.device?.release();
  storage.device = block;
  return block;
}
