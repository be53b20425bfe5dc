// NumPy's npz format: a ZIP archive of npy files. Read stored or deflated, written stored.

import { DataError } from "../errors.ts";
import type { Tensor } from "../tensor.ts";
import { crc32 } from "./crc32.ts";
import { decodeNpy, encodeNpy } from "./npy.ts";

const op = "npz";
const localSignature = 0x04034b50;
const centralSignature = 0x02014b50;
const endSignature = 0x06054b50;

/** The bytes of an npz file with these tensors, each as "name.npy", not compressed. Less than 4 GiB. */
export async function encodeNpz(tensors: Readonly<Record<string, Tensor>>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  const directory: Uint8Array[] = [];
  let at = 0;
  for (const [name, x] of Object.entries(tensors)) {
    const data = await encodeNpy(x);
    const file = new TextEncoder().encode(`${name}.npy`);
    // Version 2.0, UTF-8 names, stored; the date is the format's first day: equal tensors give equal bytes.
    const common = [20, 0, 0, 8, 0, 0, 0, 0, 33, 0, ...u32(crc32(data)), ...u32(data.length), ...u32(data.length)];
    const local = Uint8Array.from([...u32(localSignature), ...common, ...u16(file.length), 0, 0]);
    const rest = [...u16(file.length), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, ...u32(at)];
    directory.push(Uint8Array.from([...u32(centralSignature), 20, 0, ...common, ...rest]), file);
    chunks.push(local, file, data);
    at += local.length + file.length + data.length;
  }
  const size = directory.reduce((sum, part) => sum + part.length, 0);
  const count = u16(directory.length / 2);
  const end = Uint8Array.from([...u32(endSignature), 0, 0, 0, 0, ...count, ...count, ...u32(size), ...u32(at), 0, 0]);
  return joined([...chunks, ...directory, end]);
}

const u16 = (value: number): number[] => [value & 255, (value >> 8) & 255];
const u32 = (value: number): number[] => [...u16(value & 65535), ...u16(value >>> 16)];

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/**
 * The arrays of an npz file, by name (without ".npy").
 * @throws DataError that says what is wrong, for any bytes that are no such file
 */
export async function decodeNpz(bytes: Uint8Array): Promise<Record<string, Tensor>> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const found: [string, Tensor][] = [];
  for (const member of members(view, bytes)) {
    const data = await unpacked(member, view, bytes);
    const name = member.name.replace(/\.npy$/, "");
    if (found.some(([other]) => other === name)) throw new DataError(op, `there are two arrays "${name}"`);
    found.push([name, decodeNpy(data, name)]);
  }
  return Object.fromEntries(found);
}

interface Member {
  readonly name: string;
  readonly method: number;
  readonly crc: number;
  readonly packed: number;
  readonly size: number;
  /** Where its local header is. */
  readonly at: number;
}

const truncated = (what: string): DataError => new DataError(op, `the archive is truncated or damaged: ${what}`);

/** What the central directory, at the end of the archive, lists. */
function members(view: DataView, bytes: Uint8Array): Member[] {
  let end = bytes.length - 22;
  const earliest = Math.max(0, end - 65535);
  while (end >= earliest && view.getUint32(end, true) !== endSignature) end -= 1;
  if (end < earliest || end < 0) throw truncated("there is no directory at its end");
  const count = view.getUint16(end + 10, true);
  let at = view.getUint32(end + 16, true);
  if (count === 65535 || at === 0xffffffff) throw new DataError(op, "ZIP64 archives (over 4 GiB) are not supported");
  const found: Member[] = [];
  for (let i = 0; i < count; i++) {
    if (at + 46 > end || view.getUint32(at, true) !== centralSignature) throw truncated(`entry ${i} of its directory`);
    const [name, extra, comment] = [28, 30, 32].map((offset) => view.getUint16(at + offset, true));
    if (at + 46 + name > end) throw truncated(`entry ${i} of its directory`);
    if ((view.getUint16(at + 8, true) & 1) !== 0) throw new DataError(op, "the archive is encrypted");
    found.push({
      name: new TextDecoder().decode(bytes.subarray(at + 46, at + 46 + name)),
      method: view.getUint16(at + 10, true),
      crc: view.getUint32(at + 16, true),
      packed: view.getUint32(at + 20, true),
      size: view.getUint32(at + 24, true),
      at: view.getUint32(at + 42, true),
    });
    at += 46 + name + extra + comment;
  }
  return found;
}

async function unpacked({ name, method, crc, packed, size, at }: Member, view: DataView, bytes: Uint8Array) {
  if (at + 30 > bytes.length || view.getUint32(at, true) !== localSignature) throw truncated(`"${name}"`);
  const start = at + 30 + view.getUint16(at + 26, true) + view.getUint16(at + 28, true);
  if (start + packed > bytes.length) throw truncated(`"${name}"`);
  const raw = bytes.subarray(start, start + packed);
  if (method !== 0 && method !== 8) throw new DataError(op, `"${name}" is compressed by the unknown method ${method}`);
  const data = method === 0 ? raw : await inflated(name, raw, size);
  if (data.length !== size || crc32(data) !== crc) throw truncated(`"${name}" does not have its checksum`);
  return data;
}

/** Inflates, but never beyond the size that was promised. */
async function inflated(name: string, raw: Uint8Array, size: number): Promise<Uint8Array> {
  const stream = new Blob([Uint8Array.from(raw)]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  const parts: Uint8Array[] = [];
  let length = 0;
  const reader = stream.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      parts.push(value);
      length += value.length;
      if (length > size) break;
    }
  } catch (cause) {
    throw new DataError(op, `"${name}" cannot be decompressed`, { cause });
  }
  if (length > size) {
    await reader.cancel();
    throw truncated(`"${name}" is larger than it says`);
  }
  return joined(parts);
}
