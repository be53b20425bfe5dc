// One WebAssembly memory and who uses which part of it: fixed low regions, then blocks from a coalescing free list.

import { spreadBytes } from "../../../compile/plan.ts";
import { bytesPerElement, type DType, type HostArray, hostView } from "../../../dtype.ts";
import { OutOfMemoryError } from "../../../errors.ts";
import { copyOf } from "./fresh.ts";

const pageBytes = 65536;
const maxPages = 65536;
/** Vector loads may read this far beyond a block's end. */
const slackBytes = 64;

/** Where a kernel reports an index out of range: [number of the failure (0: none), index, bound]. */
export const errorAddress = 64;
/** The pool of scalar constants: [start, end). */
export const constantRegion = [1024, 2 * pageBytes] as const;

interface Block {
  start: number;
  end: number;
}

export class Heap {
  readonly memory: WebAssembly.Memory;
  /** Shared memory is fully reserved at birth, which costs nothing until touched; unshared memory grows. */
  readonly shared: boolean;
  private readonly free: Block[] = [];
  private readonly used = new Map<number, number>();
  private top: number = constantRegion[1];
  private readonly constants = new Map<string, number>();
  private readonly tables = new Map<string, number>();
  private nextConstant: number = constantRegion[0];
  private wordView: Int32Array;
  private readonly whole = new Map<DType, HostArray>();
  private arenaStart = 0;
  private arenaBytes = -1;

  constructor(shared: boolean = typeof SharedArrayBuffer !== "undefined") {
    this.shared = shared;
    this.memory = shared
      ? new WebAssembly.Memory({ initial: maxPages, maximum: maxPages, shared: true })
      : new WebAssembly.Memory({ initial: constantRegion[1] / pageBytes, maximum: maxPages });
    this.wordView = new Int32Array(this.memory.buffer);
  }

  /** Address of `bytes` bytes, 64-byte aligned, contents undefined. `what` names the need if memory runs out. */
  alloc(bytes: number, what = "a tensor"): number {
    const size = spreadBytes(bytes + slackBytes);
    const hole = this.free.findIndex((block) => block.end - block.start >= size);
    const start = hole >= 0 ? this.take(hole, size) : this.extend(size, bytes, what);
    this.used.set(start, size);
    return start;
  }

  private take(hole: number, size: number): number {
    const block = this.free[hole];
    const { start } = block;
    block.start += size;
    if (block.start === block.end) this.free.splice(hole, 1);
    return start;
  }

  private extend(size: number, bytes: number, what: string): number {
    const end = this.top + size;
    if (end > maxPages * pageBytes || !this.reach(end)) {
      const rest = `${this.bytesInUse} bytes of at most 4 GiB are in use`;
      throw new OutOfMemoryError("wasm", `${what} needs ${bytes} bytes; ${rest}`);
    }
    const start = this.top;
    this.top = end;
    return start;
  }

  /** Makes the memory at least `end` bytes long. */
  private reach(end: number): boolean {
    const missing = end - this.memory.buffer.byteLength;
    if (missing <= 0) return true;
    // Half as much again, so that many small blocks do not mean many growths (each detaches every view).
    for (const bytes of [missing + end / 2, missing]) {
      const pages = Math.min(Math.ceil(bytes / pageBytes), maxPages - this.memory.buffer.byteLength / pageBytes);
      try {
        this.memory.grow(pages);
        return true;
      } catch {
        // Try the smaller growth, then give up.
      }
    }
    return false;
  }

  release(start: number): void {
    const size = this.used.get(start);
    if (size === undefined) throw new Error(`wasm heap: no block at ${start}`);
    this.used.delete(start);
    const at = this.free.findIndex((block) => block.start > start);
    const index = at < 0 ? this.free.length : at;
    const before = this.free[index - 1];
    const after = this.free[index];
    const end = start + size;
    if (before?.end === start) before.end = end;
    else this.free.splice(index, 0, { start, end });
    const joined = before?.end === end ? before : this.free[index];
    if (after !== undefined && after.start === end) {
      joined.end = after.end;
      this.free.splice(this.free.indexOf(after), 1);
    }
    if (joined.end === this.top) {
      this.top = joined.start;
      this.free.splice(this.free.indexOf(joined), 1);
    }
  }

  get bytesInUse(): number {
    return [...this.used.values()].reduce((sum, n) => sum + n, 0);
  }

  /** A view of memory; valid until the next `alloc` when the memory is not shared. */
  view(dtype: DType, address: number, length: number): HostArray {
    return hostView(dtype, this.memory.buffer, address, length);
  }

  /** All of memory as elements of a dtype: made once, so that copies in and out leave nothing to collect. */
  private all(dtype: DType): HostArray {
    const known = this.whole.get(dtype);
    if (known?.buffer === this.memory.buffer) return known;
    const made = this.view(dtype, 0, Math.floor(this.memory.buffer.byteLength / bytesPerElement(dtype)));
    this.whole.set(dtype, made);
    return made;
  }

  /** A copy of memory in an array of its own. */
  read(dtype: DType, address: number, length: number): HostArray {
    const start = address / bytesPerElement(dtype);
    return copyOf(dtype, this.all(dtype), start, start + length);
  }

  /** Copies values into memory. */
  write(dtype: DType, address: number, values: HostArray): void {
    this.all(dtype).set(values, address / bytesPerElement(dtype));
  }

  /** All of memory as i32, for single words; look it up anew after an `alloc`. */
  get words(): Int32Array {
    if (this.wordView.buffer !== this.memory.buffer) this.wordView = new Int32Array(this.memory.buffer);
    return this.wordView;
  }

  /** Copies bytes within memory. */
  move(from: number, to: number, bytes: number): void {
    new Uint8Array(this.memory.buffer).copyWithin(to, from, from + bytes);
  }

  /** Address of 16 bytes that hold the value in every lane; equal constants share one address. */
  constant(type: "f32" | "f64" | "i32", ...lanes: readonly number[]): number | undefined {
    const key = `${type}:${lanes.map((lane) => (Object.is(lane, -0) ? "-0" : String(lane))).join()}`;
    const known = this.constants.get(key);
    if (known !== undefined) return known;
    const address = this.nextConstant;
    if (address + 16 > constantRegion[1]) return undefined;
    this.nextConstant += 16;
    const values = this.view(type, address, type === "f64" ? 2 : 4);
    for (let i = 0; i < values.length; i++) values[i] = lanes[i % lanes.length];
    this.constants.set(key, address);
    return address;
  }

  /** Address of a table that stays; tables are known by their names. */
  table(name: string, words: readonly number[]): number {
    const known = this.tables.get(name);
    if (known !== undefined) return known;
    const address = this.alloc(words.length * 4, `the table of ${name}`);
    this.write(
      "i32",
      address,
      Int32Array.from(words, (word) => word | 0),
    );
    this.tables.set(name, address);
    return address;
  }

  /** Base of the one arena all programs share; contents do not outlive a run. */
  arena(bytes: number): number {
    if (bytes <= this.arenaBytes) return this.arenaStart;
    if (this.arenaBytes >= 0) this.release(this.arenaStart);
    this.arenaBytes = -1;
    this.arenaStart = this.alloc(bytes, "the arena of a program");
    this.arenaBytes = bytes;
    return this.arenaStart;
  }
}
