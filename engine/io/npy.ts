// NumPy's npy format, versions 1 to 3: one array with a header that is a Python dictionary.

import type { DType } from "../dtype.ts";
import { DataError } from "../errors.ts";
import { tensor } from "../ops/create.ts";
import { type Shape, sizeOf } from "../shape.ts";
import type { Tensor } from "../tensor.ts";
import { decodeElements, encodeElements, widthOf } from "./elements.ts";

const op = "npy";
const magic = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59];

/** NumPy's type codes, without the byte order, as safetensors' names. */
const types: Readonly<Record<string, string>> = {
  f8: "F64",
  f4: "F32",
  f2: "F16",
  i8: "I64",
  u8: "U64",
  i4: "I32",
  u4: "U32",
  i2: "I16",
  u2: "U16",
  i1: "I8",
  u1: "U8",
  b1: "BOOL",
};

const codes: Record<DType, string> = { f32: "<f4", f64: "<f8", i32: "<i4", bool: "|b1" };

/** The bytes of an npy file (version 1.0) with this tensor. */
export async function encodeNpy(x: Tensor): Promise<Uint8Array> {
  const values = await x.data();
  const shape = x.shape.length === 1 ? `${x.shape[0]},` : x.shape.join(", ");
  const text = `{'descr': '${codes[x.dtype]}', 'fortran_order': False, 'shape': (${shape}), }`;
  // The data starts at a multiple of 64, after a line end.
  const length = Math.ceil((10 + text.length + 1) / 64) * 64 - 10;
  const bytes = new Uint8Array(10 + length + values.byteLength);
  bytes.set([...magic, 1, 0, length & 255, length >> 8]);
  bytes.set(new TextEncoder().encode(`${text.padEnd(length - 1)}\n`), 10);
  bytes.set(encodeElements(values), 10 + length);
  return bytes;
}

/**
 * The array of an npy file, row-major. F16 becomes f32, integers i32 (those that do not fit are an error).
 * @throws DataError that says what is wrong, for any bytes that are no such file
 */
export function decodeNpy(bytes: Uint8Array, name = "array"): Tensor {
  const { text, start } = readHeader(bytes);
  const { type, fortran, shape } = parseHeader(text);
  const needed = sizeOf(shape) * widthOf(type);
  if (bytes.length - start !== needed)
    throw new DataError(
      op,
      `"${name}" is ${type} [${shape.join(", ")}], ${needed} bytes, but has ${bytes.length - start}`,
    );
  const { values, dtype } = decodeElements(op, name, type, bytes.subarray(start));
  if (!fortran || shape.length < 2) return tensor(values, { shape, dtype });
  // Column-major is row-major with the axes reversed.
  const reversed = tensor(values, { shape: shape.toReversed(), dtype });
  return reversed.permute(shape.map((_, i) => shape.length - 1 - i));
}

function readHeader(bytes: Uint8Array): { readonly text: string; readonly start: number } {
  if (bytes.length < 12 || magic.some((byte, i) => bytes[i] !== byte))
    throw new DataError(op, "not an npy file: it does not start as one");
  const version = bytes[6];
  if (version < 1 || version > 3) throw new DataError(op, `version ${version} is unknown`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const begin = version === 1 ? 10 : 12;
  const length = version === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  if (begin + length > bytes.length)
    throw new DataError(op, `the file is truncated: a header of ${length} bytes in ${bytes.length} bytes`);
  const coding = version === 3 ? "utf-8" : "latin1";
  return { text: new TextDecoder(coding).decode(bytes.subarray(begin, begin + length)), start: begin + length };
}

function parseHeader(text: string): { readonly type: string; readonly fortran: boolean; readonly shape: Shape } {
  const descr = /'descr'\s*:\s*'([^']*)'/.exec(text)?.[1];
  const order = /'fortran_order'\s*:\s*(True|False)/.exec(text)?.[1];
  const sides = /'shape'\s*:\s*\(([\d\s,]*)\)/.exec(text)?.[1];
  if (descr === undefined || order === undefined || sides === undefined)
    throw new DataError(op, `the header does not give descr, fortran_order and shape: ${text.trim().slice(0, 120)}`);
  const [endian, code] = [descr[0], descr.slice(1)];
  if (!Object.hasOwn(types, code) || !["<", "|", "="].includes(endian))
    throw new DataError(op, `the dtype '${descr}' is not supported; save it little-endian, as a number or bool`);
  const shape = sides
    .split(",")
    .map((side) => side.trim())
    .filter((side) => side !== "")
    .map(Number);
  if (!shape.every(Number.isSafeInteger)) throw new DataError(op, `the shape (${sides}) is not whole numbers`);
  return { type: types[code], fortran: order === "True", shape };
}
