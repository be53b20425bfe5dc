// Elements of files as elements of ours: little-endian bytes of any common type to f32, f64, i32 or bool, and back.

import { type DType, type HostArray, hostArray } from "../dtype.ts";
import { DataError } from "../errors.ts";

interface ElementType {
  readonly width: number;
  readonly dtype: DType;
  read(view: DataView, at: number): number | bigint;
}

/** A half: 1 sign, 5 exponent and 10 fraction bits. */
function halfToNumber(bits: number): number {
  const sign = bits >> 15 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

const scratch = new DataView(new ArrayBuffer(4));
/** A bfloat16 is the upper half of an f32. */
function brainToNumber(bits: number): number {
  scratch.setUint32(0, bits * 65536);
  return scratch.getFloat32(0);
}

/** By safetensors' names. */
const types: Readonly<Record<string, ElementType>> = {
  F64: { width: 8, dtype: "f64", read: (v, at) => v.getFloat64(at, true) },
  F32: { width: 4, dtype: "f32", read: (v, at) => v.getFloat32(at, true) },
  F16: { width: 2, dtype: "f32", read: (v, at) => halfToNumber(v.getUint16(at, true)) },
  BF16: { width: 2, dtype: "f32", read: (v, at) => brainToNumber(v.getUint16(at, true)) },
  I64: { width: 8, dtype: "i32", read: (v, at) => v.getBigInt64(at, true) },
  U64: { width: 8, dtype: "i32", read: (v, at) => v.getBigUint64(at, true) },
  I32: { width: 4, dtype: "i32", read: (v, at) => v.getInt32(at, true) },
  U32: { width: 4, dtype: "i32", read: (v, at) => v.getUint32(at, true) },
  I16: { width: 2, dtype: "i32", read: (v, at) => v.getInt16(at, true) },
  U16: { width: 2, dtype: "i32", read: (v, at) => v.getUint16(at, true) },
  I8: { width: 1, dtype: "i32", read: (v, at) => v.getInt8(at) },
  U8: { width: 1, dtype: "i32", read: (v, at) => v.getUint8(at) },
  BOOL: { width: 1, dtype: "bool", read: (v, at) => v.getUint8(at) },
};

export const isElementType = (name: string): boolean => Object.hasOwn(types, name);
export const widthOf = (type: string): number => types[type].width;

/** The elements in these bytes. @throws DataError for integers beyond i32, and bools that are neither 0 nor 1 */
export function decodeElements(
  op: string,
  name: string,
  type: string,
  bytes: Uint8Array,
): { readonly values: HostArray; readonly dtype: DType } {
  const { width, dtype, read } = types[type];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const values = hostArray(dtype, bytes.byteLength / width);
  const [low, high] = dtype === "bool" ? [0, 1] : [-2147483648, 2147483647];
  for (let i = 0; i < values.length; i++) {
    const value = read(view, i * width);
    if ((dtype === "i32" || dtype === "bool") && (value < low || value > high))
      throw new DataError(op, `element ${i} of "${name}" is ${value}, which does not fit ${dtype}`);
    values[i] = Number(value);
  }
  return { values, dtype };
}

/** The bytes of host values, little-endian. */
export function encodeElements(values: HostArray): Uint8Array {
  const bytes = new Uint8Array(values.byteLength);
  const view = new DataView(bytes.buffer);
  const width = values.BYTES_PER_ELEMENT;
  for (let i = 0; i < values.length; i++) {
    if (values instanceof Float64Array) view.setFloat64(i * width, values[i], true);
    else if (values instanceof Float32Array) view.setFloat32(i * width, values[i], true);
    else if (values instanceof Int32Array) view.setInt32(i * width, values[i], true);
    else view.setUint8(i, values[i]);
  }
  return bytes;
}
