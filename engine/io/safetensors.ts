// safetensors, the official format: 8 bytes of header length, a JSON header, then the tensors' bytes. What is not
// exactly that gives a DataError, never a wrong tensor.

import { bytesPerElement, type DType } from "../dtype.ts";
import { ArgumentError, DataError } from "../errors.ts";
import { tensor } from "../ops/create.ts";
import { type Shape, sizeOf } from "../shape.ts";
import type { Tensor } from "../tensor.ts";
import { decodeElements, encodeElements, isElementType, widthOf } from "./elements.ts";
import { duplicateKey } from "./json.ts";

const op = "safetensors";
/** The official limit of the header. */
const mostHeaderBytes = 100_000_000;
const littleEndian = true;

export interface SafeTensors {
  readonly tensors: Record<string, Tensor>;
  /** The header's "__metadata__". */
  readonly metadata: Record<string, string>;
}

const codes: Record<DType, string> = { f32: "F32", f64: "F64", i32: "I32", bool: "BOOL" };

/**
 * The bytes of a file with these tensors, which must have names other than "__metadata__". Data starts at a multiple of
 * 8 bytes, widest elements first, so that every tensor is aligned.
 */
export async function encodeSafetensors(
  tensors: Readonly<Record<string, Tensor>>,
  metadata: Readonly<Record<string, string>> = {},
): Promise<Uint8Array> {
  if (Object.hasOwn(tensors, "__metadata__")) throw new ArgumentError(op, `no tensor may be called "__metadata__"`);
  const width = (name: string): number => bytesPerElement(tensors[name].dtype);
  const names = Object.keys(tensors).sort((a, b) => width(b) - width(a) || (a < b ? -1 : 1));
  const parts = await Promise.all(names.map((name) => tensors[name].data()));
  const header: [string, unknown][] = Object.keys(metadata).length > 0 ? [["__metadata__", metadata]] : [];
  let at = 0;
  names.forEach((name, i) => {
    const { shape, dtype } = tensors[name];
    header.push([name, { dtype: codes[dtype], shape, data_offsets: [at, (at += parts[i].byteLength)] }]);
  });
  // Object.fromEntries keeps a key "__proto__" as a key of its own.
  const text = new TextEncoder().encode(JSON.stringify(Object.fromEntries(header)));
  const headerBytes = Math.ceil(text.length / 8) * 8;
  const bytes = new Uint8Array(8 + headerBytes + at);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(headerBytes), littleEndian);
  bytes.fill(0x20, 8 + text.length, 8 + headerBytes);
  bytes.set(text, 8);
  let position = 8 + headerBytes;
  for (const part of parts) {
    bytes.set(encodeElements(part), position);
    position += part.byteLength;
  }
  return bytes;
}

interface Entry {
  readonly name: string;
  readonly type: string;
  readonly shape: Shape;
  readonly begin: number;
  readonly end: number;
}

/**
 * The tensors of a file. F16 and BF16 become f32, integers i32 (those that do not fit are an error).
 * @throws DataError that says what is wrong, for any bytes that are no such file
 */
export function decodeSafetensors(bytes: Uint8Array): SafeTensors {
  const { header, start } = readHeader(bytes);
  const metadata: Record<string, string> = Object.create(null);
  const entries: Entry[] = [];
  for (const [name, value] of Object.entries(header)) {
    if (name === "__metadata__") Object.assign(metadata, checkMetadata(value));
    else entries.push(checkEntry(name, value));
  }
  checkLayout(entries, bytes.length - start);
  const named = entries.map(({ name, type, shape, begin, end }): [string, Tensor] => {
    const { values, dtype } = decodeElements(op, name, type, bytes.subarray(start + begin, start + end));
    return [name, tensor(values, { shape, dtype })];
  });
  return { tensors: Object.fromEntries(named), metadata: { ...metadata } };
}

function readHeader(bytes: Uint8Array): { header: Record<string, unknown>; start: number } {
  if (bytes.length < 8) throw new DataError(op, `the file is truncated: ${bytes.length} bytes, no header length`);
  const length = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, littleEndian);
  if (length > mostHeaderBytes)
    throw new DataError(op, `the header of ${length} bytes is larger than ${mostHeaderBytes}`);
  const start = 8 + Number(length);
  if (start > bytes.length)
    throw new DataError(op, `the file is truncated: a header of ${length} bytes in ${bytes.length} bytes`);
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes.subarray(8, start));
  } catch {
    throw new DataError(op, "the header is not UTF-8");
  }
  if (!text.startsWith("{")) throw new DataError(op, "the header does not start with {");
  let header: unknown;
  try {
    header = JSON.parse(text);
  } catch (cause) {
    throw new DataError(op, `the header is not JSON: ${(cause as Error).message}`, { cause });
  }
  const duplicate = duplicateKey(text);
  if (duplicate !== undefined) throw new DataError(op, `the header has the key "${duplicate}" twice`);
  return { header: header as Record<string, unknown>, start };
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

function checkMetadata(value: unknown): Record<string, string> {
  if (!isRecord(value) || !Object.values(value).every((item) => typeof item === "string"))
    throw new DataError(op, "__metadata__ is not a record of strings");
  return value as Record<string, string>;
}

function checkEntry(name: string, value: unknown): Entry {
  if (!isRecord(value)) throw new DataError(op, `"${name}" is not described by a record`);
  const { dtype: type, shape, data_offsets: offsets } = value;
  if (typeof type !== "string" || !isElementType(type))
    throw new DataError(op, `"${name}" has the unknown dtype ${JSON.stringify(type)}`);
  if (!Array.isArray(shape) || !shape.every(isCount))
    throw new DataError(op, `"${name}" has the shape ${JSON.stringify(shape)}, not whole numbers`);
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isCount) || offsets[0] > offsets[1])
    throw new DataError(op, `"${name}" has the data offsets ${JSON.stringify(offsets)}, not [begin, end]`);
  const [begin, end] = offsets as number[];
  const needed = sizeOf(shape as number[]) * widthOf(type);
  if (needed !== end - begin)
    throw new DataError(op, `"${name}" is ${type} [${shape.join(", ")}], ${needed} bytes, but has ${end - begin}`);
  return { name, type, shape: shape as number[], begin, end };
}

/** The official rule: the tensors fill the data, in any order, without overlap and without holes. */
function checkLayout(entries: readonly Entry[], size: number): void {
  let at = 0;
  for (const { name, begin, end } of [...entries].sort((a, b) => a.begin - b.begin || a.end - b.end)) {
    if (begin < at) throw new DataError(op, `"${name}" overlaps another tensor at byte ${begin}`);
    if (begin > at) throw new DataError(op, `there is a hole before "${name}", from byte ${at} to ${begin}`);
    if (end > size) throw new DataError(op, `the file is truncated: "${name}" ends at byte ${end} of ${size}`);
    at = end;
  }
  if (at !== size) throw new DataError(op, `${size - at} bytes after the last tensor belong to none`);
}
