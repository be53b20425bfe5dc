// Element types: their storage, their promotion order, and nothing else.

import { DTypeError, OutOfMemoryError } from "./errors.ts";

/** Element type of a tensor. `bool` is stored as one byte (0 or 1). */
export type DType = "f32" | "f64" | "i32" | "bool";

/** The typed array that holds elements of any dtype on the host. */
export type HostArray = Float32Array | Float64Array | Int32Array | Uint8Array;

export const dtypes = ["bool", "i32", "f32", "f64"] as const satisfies readonly DType[];

const bytes: Record<DType, number> = { bool: 1, i32: 4, f32: 4, f64: 8 };
const rank: Record<DType, number> = { bool: 0, i32: 1, f32: 2, f64: 3 };

export const bytesPerElement = (dtype: DType): number => bytes[dtype];

export const isFloat = (dtype: DType): boolean => dtype === "f32" || dtype === "f64";

/** The smallest dtype that holds both: bool < i32 < f32 < f64. */
export const promote = (a: DType, b: DType): DType => (rank[a] >= rank[b] ? a : b);

/** A zeroed host array of `length` elements. Throws an OutOfMemoryError where there is no memory for it. */
export function hostArray(dtype: DType, length: number): HostArray {
  try {
    return freshArray(dtype, length);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    const size = `${length} elements of ${dtype}, ${length * bytes[dtype]} bytes`;
    throw new OutOfMemoryError("hostArray", `no memory for an array of ${size}`, { cause: error });
  }
}

/** Throws a DTypeError for what is none. */
export function checkDType(op: string, dtype: string): asserts dtype is DType {
  if (!Object.hasOwn(bytes, dtype)) {
    throw new DTypeError(op, `the dtype must be one of ${dtypes.join(", ")}, got ${JSON.stringify(dtype)}`);
  }
}

function freshArray(dtype: DType, length: number): HostArray {
  switch (dtype) {
    case "f32":
      return new Float32Array(length);
    case "f64":
      return new Float64Array(length);
    case "i32":
      return new Int32Array(length);
    case "bool":
      return new Uint8Array(length);
  }
}

/** A host array of this dtype over existing memory. */
export function hostView(dtype: DType, buffer: ArrayBufferLike, byteOffset: number, length: number): HostArray {
  switch (dtype) {
    case "f32":
      return new Float32Array(buffer, byteOffset, length);
    case "f64":
      return new Float64Array(buffer, byteOffset, length);
    case "i32":
      return new Int32Array(buffer, byteOffset, length);
    case "bool":
      return new Uint8Array(buffer, byteOffset, length);
  }
}

/** The value as it would be stored: rounded to f32, wrapped to i32, or 0/1. */
export function roundTo(dtype: DType, value: number): number {
  switch (dtype) {
    case "f32":
      return Math.fround(value);
    case "f64":
      return value;
    case "i32":
      return toInt32(value);
    case "bool":
      return value === 0 ? 0 : 1;
  }
}

/** Float to i32 as the SIMD instruction does it: truncate, saturate, NaN to 0. */
export function toInt32(value: number): number {
  if (Number.isNaN(value)) return 0;
  if (value >= 2147483647) return 2147483647;
  if (value <= -2147483648) return -2147483648;
  return Math.trunc(value) | 0;
}
