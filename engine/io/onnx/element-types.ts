// Element types of ONNX: how each is carried by the engine's dtypes, and what a number becomes when it is stored as one.

import { type DType, isFloat } from "../../dtype.ts";
import { type MiniFloat, miniFloats, roundToMini } from "./mini-floats.ts";

export interface ElementType {
  /** As ONNX writes it in "tensor(...)". */
  readonly name: string;
  /** Its number in files. */
  readonly code: number;
  readonly bits: number;
  readonly kind: "float" | "integer" | "bool";
  readonly signed: boolean;
  /** What carries it. */
  readonly dtype: DType;
  /** For integers: the smallest and the largest. */
  readonly least: bigint;
  readonly most: bigint;
  /** For floats of 16 bits and fewer. */
  readonly format?: MiniFloat;
}

const float = (name: string, code: number, bits: number, dtype: DType, format?: MiniFloat): ElementType => ({
  name,
  code,
  bits,
  kind: "float",
  signed: true,
  dtype,
  least: 0n,
  most: 0n,
  format,
});

const integer = (name: string, code: number, bits: number, signed: boolean): ElementType => ({
  name,
  code,
  bits,
  kind: "integer",
  signed,
  dtype: "i32",
  least: signed ? -(1n << BigInt(bits - 1)) : 0n,
  most: (1n << BigInt(signed ? bits - 1 : bits)) - 1n,
});

const list = [
  float("float", 1, 32, "f32"),
  integer("uint8", 2, 8, false),
  integer("int8", 3, 8, true),
  integer("uint16", 4, 16, false),
  integer("int16", 5, 16, true),
  integer("int32", 6, 32, true),
  integer("int64", 7, 64, true),
  { ...integer("bool", 9, 8, false), kind: "bool", dtype: "bool", most: 1n } as ElementType,
  float("float16", 10, 16, "f32", miniFloats.float16),
  float("double", 11, 64, "f64"),
  integer("uint32", 12, 32, false),
  integer("uint64", 13, 64, false),
  float("bfloat16", 16, 16, "f32", miniFloats.bfloat16),
  float("float8e4m3fn", 17, 8, "f32", miniFloats.float8e4m3fn),
  float("float8e4m3fnuz", 18, 8, "f32", miniFloats.float8e4m3fnuz),
  float("float8e5m2", 19, 8, "f32", miniFloats.float8e5m2),
  float("float8e5m2fnuz", 20, 8, "f32", miniFloats.float8e5m2fnuz),
  integer("uint4", 21, 4, false),
  integer("int4", 22, 4, true),
  float("float4e2m1", 23, 4, "f32", miniFloats.float4e2m1),
  float("float8e8m0", 24, 8, "f32", miniFloats.float8e8m0),
  integer("uint2", 25, 2, false),
  integer("int2", 26, 2, true),
];

const byCode = new Map(list.map((type) => [type.code, type]));
const byName = new Map(list.map((type) => [type.name, type]));
/** Types without a row above, for messages. */
const others: Readonly<Record<number, string>> = { 8: "string", 14: "complex64", 15: "complex128" };

export const elementTypeOf = (code: number): ElementType | undefined => byCode.get(code);
export const nameOfCode = (code: number): string =>
  byCode.get(code)?.name ?? others[code] ?? `element type number ${code}`;

/** A type by its name: "float", "int64", "bool", ... */
export function elementType(name: string): ElementType {
  const type = byName.get(name);
  if (type === undefined) throw new Error(`no element type is called ${name}`);
  return type;
}

/** What a tensor of the engine is where nothing says otherwise. */
const natural: Record<DType, string> = { f32: "float", f64: "double", i32: "int32", bool: "bool" };
export const naturalType = (dtype: DType): ElementType => elementType(natural[dtype]);

/** Whether the engine's dtype stores exactly this type, so that nothing has to be rounded, wrapped or checked. */
export const isNative = (type: ElementType): boolean => naturalType(type.dtype) === type;

/** Whether values of the type may lie outside i32, which carries it. */
export const isWide = (type: ElementType): boolean =>
  type.kind === "integer" && (type.bits > 32 || (type.bits === 32 && !type.signed));

/**
 * The number as this type stores it: floats rounded to nearest, ties to even; integers narrower than 32 bits wrapped.
 * Wide integers are given back as they are: whether they fit is the caller's question.
 */
export function storeAs(type: ElementType, value: number): number {
  if (type.format !== undefined) return roundToMini(type.format, value);
  if (type.kind === "bool") return value === 0 ? 0 : 1;
  if (type.kind !== "integer" || isWide(type)) return value;
  const shift = 32 - type.bits;
  return type.signed ? (value << shift) >> shift : (value << shift) >>> shift;
}

export const isFloatType = (type: ElementType): boolean => type.kind === "float" && isFloat(type.dtype);
