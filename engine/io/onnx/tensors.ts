// TensorProto: the bytes and lists of a file as values.

import { DataError } from "../../errors.ts";
import { type Shape, sizeOf } from "../../shape.ts";
import { type ElementType, elementType, elementTypeOf, nameOfCode } from "./element-types.ts";
import { UnsupportedOnnxError } from "./errors.ts";
import { miniFromBits } from "./mini-floats.ts";
import { bigOf, decodeMessage, type RawTensor, wholeNumber } from "./schema.ts";
import { hostValue, integerValue, type Value } from "./values.ts";

const op = "loadOnnx";

/** The value in a TensorProto. @throws DataError where its data do not fill its shape, UnsupportedOnnxError for strings */
export function valueOf(raw: RawTensor): Value {
  const name = raw.name === "" ? "a tensor" : `tensor "${raw.name}"`;
  const type = elementTypeOf(raw.dataType);
  if (type === undefined)
    throw new UnsupportedOnnxError(op, `${name} is of ${nameOfCode(raw.dataType)}, which the engine does not carry`);
  if (raw.dataLocation !== 0)
    throw new UnsupportedOnnxError(op, `the data of ${name} lie in another file; save the model with its data inside`);
  const shape = raw.dims.map(wholeNumber);
  if (shape.some((side) => side < 0)) throw new DataError(op, `${name} has the shape [${shape.join(", ")}]`);
  const size = sizeOf(shape);
  if (size > 2 ** 31) throw new DataError(op, `${name} has the shape [${shape.join(", ")}], too large to hold`);
  // Data may be given as bytes; an empty tensor as nothing at all.
  return raw.rawData.length > 0 ? fromBytes(name, type, shape, raw.rawData) : fromLists(name, type, shape, size, raw);
}

function checkCount(name: string, shape: Shape, found: number, needed: number): void {
  if (found === needed) return;
  throw new DataError(op, `${name} of shape [${shape.join(", ")}] needs ${needed} elements, the file holds ${found}`);
}

/** Elements of fewer than 8 bits lie several to a byte, the first in the lowest bits. */
function unpack(bits: number, count: number, at: (byte: number) => number): number[] {
  const per = 8 / bits;
  return Array.from({ length: count }, (_, i) => (at(Math.floor(i / per)) >> ((i % per) * bits)) & (2 ** bits - 1));
}

const signedBits = (type: ElementType, pattern: number): number =>
  type.signed && pattern >= 2 ** (type.bits - 1) ? pattern - 2 ** type.bits : pattern;

function fromPatterns(type: ElementType, shape: Shape, patterns: readonly number[]): Value {
  const { format } = type;
  if (format !== undefined)
    return hostValue(
      type,
      shape,
      patterns.map((bits) => miniFromBits(format, bits)),
    );
  return integerValue(
    type,
    shape,
    patterns.map((bits) => BigInt(signedBits(type, bits))),
  );
}

function fromBytes(name: string, type: ElementType, shape: Shape, bytes: Uint8Array): Value {
  const size = sizeOf(shape);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const found = (bytes.byteLength * 8) / type.bits;
  if (type.bits < 8) {
    if (bytes.byteLength !== Math.ceil((size * type.bits) / 8)) checkCount(name, shape, Math.floor(found), size);
    return fromPatterns(
      type,
      shape,
      unpack(type.bits, size, (byte) => bytes[byte]),
    );
  }
  checkCount(name, shape, found, size);
  const every = <T>(read: (at: number) => T): T[] => Array.from({ length: size }, (_, i) => read((i * type.bits) / 8));
  if (type.kind === "bool")
    return hostValue(
      type,
      shape,
      every((at) => (bytes[at] === 0 ? 0 : 1)),
    );
  // Weights may be large: no step per element. (Typed arrays are little-endian wherever this runs, as WebAssembly is.)
  if (type.name === "float") return hostValue(type, shape, new Float32Array(new Uint8Array(bytes).buffer));
  if (type.name === "double") return hostValue(type, shape, new Float64Array(new Uint8Array(bytes).buffer));
  if (type.bits === 64)
    return integerValue(
      type,
      shape,
      every((at) => (type.signed ? view.getBigInt64(at, true) : view.getBigUint64(at, true))),
    );
  if (type.bits === 32)
    return integerValue(
      type,
      shape,
      every((at) => BigInt(type.signed ? view.getInt32(at, true) : view.getUint32(at, true))),
    );
  return fromPatterns(
    type,
    shape,
    every((at) => (type.bits === 8 ? bytes[at] : view.getUint16(at, true))),
  );
}

/** By the format's rules of which list holds which type: small floats as their bits, in int32Data. */
function fromLists(name: string, type: ElementType, shape: Shape, size: number, raw: RawTensor): Value {
  const checked = <T>(list: readonly T[]): readonly T[] => {
    checkCount(name, shape, list.length, size);
    return list;
  };
  if (type.name === "float") return hostValue(type, shape, checked(raw.floatData));
  if (type.name === "double") return hostValue(type, shape, checked(raw.doubleData));
  if (type.name === "int64") return integerValue(type, shape, checked(raw.int64Data).map(bigOf));
  if (isWideUnsigned(type)) return integerValue(type, shape, checked(raw.uint64Data).map(bigOf));
  if (type.bits < 8) {
    checkCount(name, shape, raw.int32Data.length, Math.ceil((size * type.bits) / 8));
    return fromPatterns(
      type,
      shape,
      unpack(type.bits, size, (byte) => raw.int32Data[byte]),
    );
  }
  const words = checked(raw.int32Data);
  if (type.format !== undefined) return fromPatterns(type, shape, words);
  if (type.kind === "bool")
    return hostValue(
      type,
      shape,
      words.map((word) => (word === 0 ? 0 : 1)),
    );
  return integerValue(type, shape, words.map(BigInt));
}

const isWideUnsigned = (type: ElementType): boolean =>
  type.kind === "integer" && !type.signed && (type.bits === 32 || type.bits === 64);

/**
 * The value of a file that holds one TensorProto (as test data of ONNX do). `expected`: the type it should be of; files
 * of before NumPy knew bfloat16 hold its bits as uint16.
 */
export async function decodeOnnxTensor(bytes: Uint8Array, expected?: string): Promise<Value> {
  const raw = await decodeMessage("TensorProto", bytes);
  const disguised = expected === "bfloat16" && elementTypeOf(raw.dataType)?.name === "uint16";
  return valueOf(disguised ? Object.assign(raw, { dataType: elementType("bfloat16").code }) : raw);
}
