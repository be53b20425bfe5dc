// Inputs that program after program reads stay in the heap, as copies that can go at any time: a bounded cache.

import { bytesPerElement } from "../../../dtype.ts";
import type { Storage } from "../../../graph/storage.ts";
import { type HeapBlock, makeResident } from "./block.ts";
import type { Heap } from "./heap.ts";

/** Smaller inputs are copied in at each run, which costs less than to keep book of them. */
const worthKeeping = 1 << 14;
/** Bytes of copies, beyond which the oldest go. */
const limit = 1 << 28;

interface Resident {
  /** Weak: being kept here is no reason for a tensor to live. */
  readonly storage: WeakRef<Storage>;
  readonly block: HeapBlock;
  readonly bytes: number;
}

export class Residents {
  private readonly heap: Heap;
  private readonly kept: Resident[] = [];
  private bytes = 0;

  constructor(heap: Heap) {
    this.heap = heap;
  }

  /** Notes that a run reads the storage; from the second time on, large ones are in the heap from then on. */
  read(storage: Storage): void {
    storage.reads += 1;
    const bytes = storage.length * bytesPerElement(storage.dtype);
    if (storage.reads < 2 || bytes < worthKeeping || bytes > limit / 4 || storage.host === undefined) return;
    if (storage.device !== undefined) return;
    this.kept.push({ storage: new WeakRef(storage), block: makeResident(this.heap, storage), bytes });
    this.bytes += bytes;
    while (this.bytes > limit) this.evict();
  }

  private evict(): void {
    const oldest = this.kept.shift();
    if (oldest === undefined) return;
    this.bytes -= oldest.bytes;
    const storage = oldest.storage.deref();
    // It may have moved on: become a parameter that is updated in place, say, whose only values are there.
    const replaceable = storage === undefined || (storage.device === oldest.block && storage.host !== undefined);
    if (!replaceable || storage?.persistent === true) return;
    if (storage !== undefined) storage.device = undefined;
    oldest.block.release();
  }
}
