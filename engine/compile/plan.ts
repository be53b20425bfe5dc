// The memory plan: where each buffer of a program lives. Lifetimes are known, so one small arena is reused throughout;
// results overwrite dead inputs in place where that is safe.

import { bytesPerElement } from "../dtype.ts";
import type { Buffer, Kernel, KernelCall, Program } from "./ir.ts";
import type { Access } from "./view.ts";

/** Offsets are multiples of a cache line, so that no two buffers share one. */
const alignment = 64;

/**
 * Bytes that memory for so many bytes takes. Between large ones something is left over: in arrays at whole pages from
 * each other, equal rows want the same places of the caches, and a load waits for a store to the same place of a page.
 */
export const spreadBytes = (bytes: number): number =>
  Math.ceil(bytes / alignment) * alignment + (bytes < large ? 0 : between);
const large = 1 << 16;
/** A quarter of a page and a line, so that the fifth array lies on none of the four before it. */
const between = 1024 + alignment;

export const bytesOf = (buffer: Buffer): number => buffer.length * bytesPerElement(buffer.dtype);

/** Memory shared by buffers that follow each other in place, alive from call `from` to call `to`. */
interface Slot {
  bytes: number;
  from: number;
  to: number;
  readonly buffers: number[];
}

export type Unplanned = Omit<Program, "arena">;

/** Gives every buffer that is not state an offset. With `reuse` off, each has memory of its own (for testing). */
export function planMemory(program: Unplanned, reuse: boolean): Program["arena"] {
  const slots = findSlots(program, reuse);
  const offsets: (number | undefined)[] = program.buffers.map(() => undefined);
  const placed: (Slot & { offset: number })[] = [];
  let bytes = 0;
  // Large ones first: the small fill the gaps.
  for (const slot of slots.sort((a, b) => b.bytes - a.bytes || a.from - b.from)) {
    const rivals = placed.filter((other) => !reuse || (other.from <= slot.to && slot.from <= other.to));
    const offset = firstGap(rivals, slot.bytes);
    placed.push({ ...slot, offset });
    for (const buffer of slot.buffers) offsets[buffer] = offset;
    bytes = Math.max(bytes, offset + slot.bytes);
  }
  return { bytes, offsets };
}

function firstGap(rivals: { offset: number; bytes: number }[], bytes: number): number {
  let offset = 0;
  for (const rival of rivals.sort((a, b) => a.offset - b.offset)) {
    if (offset + bytes <= rival.offset) break;
    offset = Math.max(offset, rival.offset + rival.bytes);
  }
  return offset;
}

function findSlots({ buffers, calls, kernels, outputs, copies }: Unplanned, reuse: boolean): Slot[] {
  const slots = new Map<number, Slot>();
  const touch = (buffer: number, at: number): void => {
    if (buffers[buffer].role === "state") return;
    const bytes = spreadBytes(bytesOf(buffers[buffer]));
    const slot = slots.get(buffer) ?? { bytes, from: at, to: at, buffers: [buffer] };
    slot.from = Math.min(slot.from, at);
    slot.to = Math.max(slot.to, at);
    slots.set(buffer, slot);
  };
  buffers.forEach((buffer, i) => {
    if (buffer.role === "input") touch(i, -1);
  });
  calls.forEach((call, at) => {
    for (const buffer of call.args) touch(buffer, at);
  });
  for (const buffer of outputs) touch(buffer, calls.length);
  for (const [from] of copies) touch(from, calls.length);
  if (reuse) for (const [at, call] of calls.entries()) shareInPlace(call, kernels[call.kernel], at, slots);
  return [...new Set(slots.values())];
}

/** Lets a result start where an input of its kernel ends, in the same memory, when element by element is safe. */
function shareInPlace(call: KernelCall, kernel: Kernel, at: number, slots: Map<number, Slot>): void {
  kernel.args.forEach((arg, i) => {
    const result = slots.get(call.args[i]);
    if (arg.mode !== "write" || result === undefined || result.from !== at) return;
    const donor = call.args.find((buffer, j) => {
      const slot = slots.get(buffer);
      const dies = slot !== undefined && slot !== result && slot.to === at && slot.bytes === result.bytes;
      return dies && slot.from < at && overwritable(kernel, j, i);
    });
    const slot = donor === undefined ? undefined : slots.get(donor);
    if (slot === undefined) return;
    slot.to = result.to;
    slot.buffers.push(...result.buffers);
    for (const buffer of result.buffers) slots.set(buffer, slot);
  });
}

/**
 * Whether argument `write` may be the same memory as argument `read`: each element of `read` is loaded only in the
 * stage, and exactly at the place, in which `write` is then stored, and elements are of one size. Scans read all of an
 * element before they store it, but for coefficients that lag. A scatter into all of its x leaves what it does not
 * touch where it is.
 */
export function overwritable(kernel: Kernel, read: number, write: number): boolean {
  const [from, to] = [kernel.args[read], kernel.args[write]];
  if (from.mode !== "read" || to.mode !== "write") return false;
  if (bytesPerElement(from.dtype) !== bytesPerElement(to.dtype)) return false;
  if (kernel.kind === "scan") return !(kernel.lag && read === 0);
  if (kernel.kind === "scatter") return kernel.outer === 1 && read === 0;
  if (kernel.kind !== "loop") return false;
  const stores = kernel.stages.flatMap((stage) => stage.stores.filter((store) => store.arg === write));
  if (stores.length !== 1 || stores[0].add) return false;
  return kernel.stages.every((stage) =>
    stage.instrs.every((instr) => {
      if (!("arg" in instr) || instr.arg !== read) return true;
      const here = instr.op === "load" && stage.stores.includes(stores[0]);
      return here && sameAccess(instr.access, stores[0].access);
    }),
  );
}

const sameAccess = (a: Access, b: Access): boolean => JSON.stringify(a) === JSON.stringify(b);
