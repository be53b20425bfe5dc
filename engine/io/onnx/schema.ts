// The messages of the ONNX format (onnx.proto of the ONNX project: field names and numbers), and their decoder. The
// protobuf library is an optional peer: it is loaded when the first model is.

import type { Root } from "protobufjs/light.js";
import { DataError } from "../../errors.ts";

type Field = readonly [number: number, type: string, rule?: "repeated"];
type Messages = Readonly<Record<string, Readonly<Record<string, Field>>>>;

/** Only what a runner reads: unknown fields are skipped by protobuf itself. */
const messages = {
  OperatorSetIdProto: { domain: [1, "string"], version: [2, "int64"] },
  ModelProto: {
    irVersion: [1, "int64"],
    graph: [7, "GraphProto"],
    opsetImport: [8, "OperatorSetIdProto", "repeated"],
    functions: [25, "FunctionProto", "repeated"],
  },
  FunctionProto: {
    name: [1, "string"],
    input: [4, "string", "repeated"],
    output: [5, "string", "repeated"],
    node: [7, "NodeProto", "repeated"],
    opsetImport: [9, "OperatorSetIdProto", "repeated"],
    domain: [10, "string"],
    attributeProto: [11, "AttributeProto", "repeated"],
    overload: [13, "string"],
  },
  GraphProto: {
    node: [1, "NodeProto", "repeated"],
    name: [2, "string"],
    initializer: [5, "TensorProto", "repeated"],
    input: [11, "ValueInfoProto", "repeated"],
    output: [12, "ValueInfoProto", "repeated"],
    sparseInitializer: [15, "SparseTensorProto", "repeated"],
  },
  NodeProto: {
    input: [1, "string", "repeated"],
    output: [2, "string", "repeated"],
    name: [3, "string"],
    opType: [4, "string"],
    attribute: [5, "AttributeProto", "repeated"],
    domain: [7, "string"],
    overload: [8, "string"],
  },
  AttributeProto: {
    name: [1, "string"],
    f: [2, "float"],
    i: [3, "int64"],
    s: [4, "bytes"],
    t: [5, "TensorProto"],
    g: [6, "GraphProto"],
    floats: [7, "float", "repeated"],
    ints: [8, "int64", "repeated"],
    strings: [9, "bytes", "repeated"],
    type: [20, "int32"],
    refAttrName: [21, "string"],
  },
  ValueInfoProto: { name: [1, "string"], type: [2, "TypeProto"] },
  TypeProto: {
    tensorType: [1, "TensorTypeProto"],
    sequenceType: [4, "OtherTypeProto"],
    mapType: [5, "OtherTypeProto"],
    sparseTensorType: [8, "OtherTypeProto"],
    optionalType: [9, "OtherTypeProto"],
  },
  TensorTypeProto: { elemType: [1, "int32"], shape: [2, "TensorShapeProto"] },
  OtherTypeProto: {},
  TensorShapeProto: { dim: [1, "DimensionProto", "repeated"] },
  DimensionProto: { dimValue: [1, "int64"], dimParam: [2, "string"] },
  TensorProto: {
    dims: [1, "int64", "repeated"],
    dataType: [2, "int32"],
    floatData: [4, "float", "repeated"],
    int32Data: [5, "int32", "repeated"],
    stringData: [6, "bytes", "repeated"],
    int64Data: [7, "int64", "repeated"],
    name: [8, "string"],
    rawData: [9, "bytes"],
    doubleData: [10, "double", "repeated"],
    uint64Data: [11, "uint64", "repeated"],
    dataLocation: [14, "int32"],
  },
  SparseTensorProto: {},
} as const satisfies Messages;

export type MessageName = keyof typeof messages;

/** The form protobufjs takes. `proto2`, as ONNX's own file says: packed and unpacked lists are both read. */
export const descriptor = {
  nested: {
    onnx: {
      edition: "proto2",
      nested: Object.fromEntries(
        Object.entries<Messages[string]>(messages).map(([name, fields]) => [
          name,
          {
            fields: Object.fromEntries(
              Object.entries(fields).map(([field, [id, type, rule]]) => [field, { id, type, ...(rule && { rule }) }]),
            ),
          },
        ]),
      ),
    },
  },
};

let root: Root | undefined;

/** The loaded schema. @throws DataError that says what to install where the protobuf library is missing */
export async function loadSchema(): Promise<Root> {
  if (root !== undefined) return root;
  let protobuf: typeof import("protobufjs/light.js");
  try {
    const loaded = await import("protobufjs/light.js");
    protobuf = loaded.default ?? loaded;
  } catch (cause) {
    throw new DataError("loadOnnx", 'reading ONNX needs the package "protobufjs": npm install protobufjs', { cause });
  }
  root = protobuf.Root.fromJSON(descriptor);
  return root;
}

/** A whole number of protobuf, which is a number or (64 bits) an object of two halves. */
export type Whole = number | { readonly low: number; readonly high: number; readonly unsigned: boolean };

export interface RawTensor {
  readonly dims: readonly Whole[];
  readonly dataType: number;
  readonly floatData: readonly number[];
  readonly int32Data: readonly number[];
  readonly stringData: readonly Uint8Array[];
  readonly int64Data: readonly Whole[];
  readonly name: string;
  readonly rawData: Uint8Array;
  readonly doubleData: readonly number[];
  readonly uint64Data: readonly Whole[];
  readonly dataLocation: number;
}

export interface RawAttribute {
  readonly name: string;
  readonly f: number;
  readonly i: Whole;
  readonly s: Uint8Array;
  readonly t: RawTensor | null;
  readonly g: RawGraph | null;
  readonly floats: readonly number[];
  readonly ints: readonly Whole[];
  readonly strings: readonly Uint8Array[];
  readonly type: number;
  readonly refAttrName: string;
}

export interface RawNode {
  readonly input: readonly string[];
  readonly output: readonly string[];
  readonly name: string;
  readonly opType: string;
  readonly attribute: readonly RawAttribute[];
  readonly domain: string;
  readonly overload: string;
}

export interface RawValueInfo {
  readonly name: string;
  readonly type: {
    readonly tensorType: {
      readonly elemType: number;
      readonly shape: { readonly dim: readonly { readonly dimValue: Whole; readonly dimParam: string }[] } | null;
    } | null;
  } | null;
}

export interface RawGraph {
  readonly node: readonly RawNode[];
  readonly name: string;
  readonly initializer: readonly RawTensor[];
  readonly input: readonly RawValueInfo[];
  readonly output: readonly RawValueInfo[];
  readonly sparseInitializer: readonly unknown[];
}

export interface RawOpset {
  readonly domain: string;
  readonly version: Whole;
}

export interface RawFunction {
  readonly name: string;
  readonly input: readonly string[];
  readonly output: readonly string[];
  readonly node: readonly RawNode[];
  readonly opsetImport: readonly RawOpset[];
  readonly domain: string;
  readonly attributeProto: readonly RawAttribute[];
  readonly overload: string;
}

export interface RawModel {
  readonly irVersion: Whole;
  readonly graph: RawGraph | null;
  readonly opsetImport: readonly RawOpset[];
  readonly functions: readonly RawFunction[];
}

interface Raw {
  readonly ModelProto: RawModel;
  readonly TensorProto: RawTensor;
}

/** A message in these bytes. Fields that are not there have protobuf's defaults. @throws DataError for other bytes */
export async function decodeMessage<Name extends keyof Raw>(name: Name, bytes: Uint8Array): Promise<Raw[Name]> {
  const schema = await loadSchema();
  try {
    return schema.lookupType(`onnx.${name}`).decode(bytes) as unknown as Raw[Name];
  } catch (cause) {
    throw new DataError("loadOnnx", `these bytes are no ${name} (${(cause as Error).message})`, { cause });
  }
}

/** As a JavaScript number, exact up to 2^53; as a bigint always. */
export const wholeNumber = (value: Whole): number => Number(bigOf(value));
export const bigOf = (value: Whole): bigint => {
  if (typeof value === "number") return BigInt(value);
  const bits = (BigInt(value.high >>> 0) << 32n) | BigInt(value.low >>> 0);
  return value.unsigned ? bits : BigInt.asIntN(64, bits);
};
