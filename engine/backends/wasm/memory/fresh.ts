// Parts of memory as arrays of their own, which nobody zeroes first where the platform lets us do without.

import { type DType, type HostArray, hostView } from "../../../dtype.ts";

interface NodeGlobals {
  readonly process?: { readonly versions?: { readonly node?: string } };
  /** `allocUnsafeSlow` gives an array buffer of its own, with what was in that memory before. */
  readonly Buffer?: { allocUnsafeSlow(bytes: number): { readonly buffer: ArrayBuffer } };
}

const { process, Buffer } = globalThis as NodeGlobals;
/** Page bundles may bring a `Buffer` that looks like Node's. */
const node = process?.versions?.node === undefined ? undefined : Buffer;

/** From how many bytes on zeroing takes longer than the detour. */
const worthSparing = 1 << 16;

/** Elements [start, end) of `all`, copied. */
export function copyOf(dtype: DType, all: HostArray, start: number, end: number): HostArray {
  const bytes = (end - start) * all.BYTES_PER_ELEMENT;
  if (node === undefined || bytes < worthSparing) return all.slice(start, end);
  const copy = hostView(dtype, node.allocUnsafeSlow(bytes).buffer, 0, end - start);
  copy.set(all.subarray(start, end));
  return copy;
}
