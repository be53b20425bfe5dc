// ONNX files made in memory, by the protobuf library: nodes, attributes, tensors and models, as bytes.

import protobuf from "protobufjs/light.js";
import type { Shape } from "../../../engine/index.ts";
import { tensor } from "../../../engine/index.ts";
import { loadOnnx, type OnnxValue, onnxValue } from "../../../engine/io/onnx/index.ts";
import { descriptor } from "../../../engine/io/onnx/schema.ts";

const root = protobuf.Root.fromJSON(descriptor);
const encode = (message: string, content: Record<string, unknown>): Uint8Array => {
  const type = root.lookupType(`onnx.${message}`);
  return type.encode(type.fromObject(content)).finish();
};

export const codes = {
  float: 1,
  uint8: 2,
  int8: 3,
  uint16: 4,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
  double: 11,
  uint64: 13,
  bfloat16: 16,
} as const;
export type TypeName = keyof typeof codes;

/** Elements row-major. */
export interface Given {
  readonly type?: TypeName;
  readonly shape: Shape;
  readonly data: readonly number[];
}

export const given = (shape: Shape, data: readonly number[], type: TypeName = "float"): Given => ({
  type,
  shape,
  data,
});
export const whole = (...data: number[]): Given => ({ type: "int64", shape: [data.length], data });

/** A tensor whose data are in the list its type has in the format. */
export function tensorProto({ type = "float", shape, data }: Given, name = "") {
  const list = { float: "floatData", double: "doubleData", int64: "int64Data", uint64: "uint64Data" } as const;
  const key = type in list ? list[type as keyof typeof list] : "int32Data";
  return { name, dims: [...shape], dataType: codes[type], [key]: [...data] };
}

export const tensorBytes = (value: Given): Uint8Array => encode("TensorProto", tensorProto(value));

/** Whole numbers are ints; write { float: 1 } for floats that are. */
export type AttributeValue =
  | number
  | string
  | readonly number[]
  | readonly string[]
  | { readonly float: number }
  | { readonly floats: readonly number[] }
  | { readonly graph: Record<string, unknown> }
  | { readonly reference: string };

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

function attributeProto(name: string, value: AttributeValue): Record<string, unknown> {
  if (typeof value === "number")
    return Number.isInteger(value) ? { name, type: 2, i: value } : { name, type: 1, f: value };
  if (typeof value === "string") return { name, type: 3, s: utf8(value) };
  if (Array.isArray(value)) {
    const list = value as readonly (number | string)[];
    if (list.some((item) => typeof item === "string"))
      return { name, type: 8, strings: list.map((item) => utf8(String(item))) };
    return { name, type: 7, ints: list };
  }
  if ("float" in value) return { name, type: 1, f: value.float };
  if ("floats" in value) return { name, type: 6, floats: value.floats };
  if ("graph" in value) return { name, type: 5, g: value.graph };
  return { name, type: 1, refAttrName: (value as { reference: string }).reference };
}

export type Attributes = Readonly<Record<string, AttributeValue>>;

export const node = (
  opType: string,
  input: readonly string[],
  output: readonly string[],
  attributes: Attributes = {},
  domain = "",
): Record<string, unknown> => ({
  opType,
  domain,
  name: `the ${opType}`,
  input,
  output,
  attribute: Object.entries(attributes).map(([name, value]) => attributeProto(name, value)),
});

export interface Port {
  readonly name: string;
  readonly type?: TypeName;
  /** Without it nothing is said of the shape. */
  readonly shape?: readonly (number | string)[];
}

export const port = ({ name, type = "float", shape }: Port): Record<string, unknown> => ({
  name,
  type: {
    tensorType: {
      elemType: codes[type],
      ...(shape && {
        shape: { dim: shape.map((side) => (typeof side === "string" ? { dimParam: side } : { dimValue: side })) },
      }),
    },
  },
});

export interface GraphParts {
  readonly nodes: readonly Record<string, unknown>[];
  readonly inputs?: readonly Port[];
  readonly outputs: readonly Port[];
  readonly constants?: Readonly<Record<string, Given>>;
}

export const graph = ({ nodes, inputs = [], outputs, constants = {} }: GraphParts): Record<string, unknown> => ({
  name: "main",
  node: nodes,
  input: inputs.map(port),
  output: outputs.map(port),
  initializer: Object.entries(constants).map(([name, value]) => tensorProto(value, name)),
});

export interface ModelOptions {
  readonly opset?: number;
  readonly domains?: Readonly<Record<string, number>>;
  readonly functions?: readonly Record<string, unknown>[];
}

export const model = (parts: GraphParts, { opset = 23, domains = {}, functions = [] }: ModelOptions = {}): Uint8Array =>
  encode("ModelProto", {
    irVersion: 10,
    graph: graph(parts),
    opsetImport: [
      { domain: "", version: opset },
      ...Object.entries(domains).map(([domain, version]) => ({ domain, version })),
    ],
    functions,
  });

export interface NodeOptions {
  readonly attributes?: Attributes;
  readonly opset?: number;
  readonly domain?: string;
  readonly outputs?: number;
}

export const valueOf = ({ type = "float", shape, data }: Given): Promise<OnnxValue> => {
  const dtype = type === "double" ? "f64" : type === "bool" ? "bool" : type.includes("int") ? "i32" : "f32";
  return onnxValue(type, tensor(Float64Array.from(data), { shape, dtype }));
};

/** Encodes a model of one node, reads it, and runs it: all outputs. Inputs that are null are left out. */
export async function runNode(
  op: string,
  inputs: readonly (Given | null)[],
  { attributes, opset, domain = "", outputs = 1 }: NodeOptions = {},
): Promise<{ shape: Shape; data: number[]; type: string }[]> {
  const names = inputs.map((value, i) => (value === null ? "" : `x${i}`));
  const results = Array.from({ length: outputs }, (_, i) => `y${i}`);
  const bytes = model(
    {
      nodes: [node(op, names, results, attributes, domain)],
      inputs: inputs.flatMap((value, i) =>
        value === null ? [] : [{ name: `x${i}`, type: value.type, shape: value.shape }],
      ),
      outputs: results.map((name) => ({ name })),
    },
    { opset, domains: domain === "" ? {} : { [domain]: 1 } },
  );
  const loaded = await loadOnnx(bytes);
  const values: Record<string, OnnxValue> = {};
  for (const [i, value] of inputs.entries()) if (value !== null) values[`x${i}`] = await valueOf(value);
  const found = await loaded.runValues(values);
  return Promise.all(
    results.map(async (name) => {
      const value = found[name];
      return { shape: value.shape, data: [...(await value.tensor.data())], type: value.type.name };
    }),
  );
}

/** The first output. */
export const runOne = async (op: string, inputs: readonly (Given | null)[], options: NodeOptions = {}) =>
  (await runNode(op, inputs, options))[0];
