// An ONNX model as plain data: nodes with typed attributes, checked once, with nothing of protobuf left.

import { DataError } from "../../errors.ts";
import { type ElementType, elementTypeOf } from "./element-types.ts";
import { UnsupportedOnnxError } from "./errors.ts";
import {
  decodeMessage,
  type RawAttribute,
  type RawFunction,
  type RawGraph,
  type RawNode,
  type RawOpset,
  type RawValueInfo,
  wholeNumber,
} from "./schema.ts";
import { valueOf } from "./tensors.ts";
import type { Value } from "./values.ts";

export type Attribute =
  | { readonly kind: "float" | "int"; readonly value: number }
  | { readonly kind: "floats" | "ints"; readonly value: readonly number[] }
  | { readonly kind: "string"; readonly value: string }
  | { readonly kind: "strings"; readonly value: readonly string[] }
  | { readonly kind: "tensor"; readonly value: Value }
  | { readonly kind: "graph"; readonly value: Graph }
  /** In the body of a function: the attribute of that name of the node that calls it. */
  | { readonly kind: "reference"; readonly value: string }
  /** What the reader does not read, so that only an operator that asks for it fails. */
  | { readonly kind: "other"; readonly value: number };

export interface GraphNode {
  readonly op: string;
  readonly domain: string;
  readonly name: string;
  /** "" where an optional one is left out. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: ReadonlyMap<string, Attribute>;
}

export interface GraphPort {
  readonly name: string;
  /** Undefined where the file does not say, or it is no tensor. */
  readonly type: ElementType | undefined;
  /** Undefined where the rank is not known; a side by name or unknown is a string. */
  readonly shape: readonly (number | string)[] | undefined;
}

export interface Graph {
  readonly name: string;
  readonly inputs: readonly GraphPort[];
  readonly outputs: readonly GraphPort[];
  readonly constants: ReadonlyMap<string, Value>;
  readonly nodes: readonly GraphNode[];
}

/** Version of the operator set by domain; "" is ONNX's own. */
export type Opsets = ReadonlyMap<string, number>;

export interface GraphFunction {
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly nodes: readonly GraphNode[];
  readonly opsets: Opsets;
  readonly defaults: ReadonlyMap<string, Attribute>;
}

export interface ModelGraph {
  readonly graph: Graph;
  readonly opsets: Opsets;
  /** By "domain:name". */
  readonly functions: ReadonlyMap<string, GraphFunction>;
}

const op = "loadOnnx";
/** Two names of one domain. */
export const domainOf = (domain: string): string => (domain === "ai.onnx" ? "" : domain);
export const functionKey = (domain: string, name: string): string => `${domainOf(domain)}:${name}`;

/** @throws DataError for bytes that are no model, UnsupportedOnnxError for tensors the engine does not carry */
export async function decodeModel(bytes: Uint8Array): Promise<ModelGraph> {
  const raw = await decodeMessage("ModelProto", bytes);
  if (raw.graph === null) throw new DataError(op, "the model has no graph");
  return {
    graph: graphOf(raw.graph),
    opsets: opsetsOf(raw.opsetImport),
    functions: new Map(raw.functions.map((item) => [functionKey(item.domain, item.name), functionOf(item)])),
  };
}

const opsetsOf = (list: readonly RawOpset[]): Opsets =>
  new Map(list.map(({ domain, version }) => [domainOf(domain), wholeNumber(version)]));

function functionOf(raw: RawFunction): GraphFunction {
  return {
    inputs: raw.input,
    outputs: raw.output,
    nodes: raw.node.map(nodeOf),
    opsets: opsetsOf(raw.opsetImport),
    defaults: attributesOf(raw.name, raw.attributeProto),
  };
}

function graphOf(raw: RawGraph): Graph {
  if (raw.sparseInitializer.length > 0) throw new UnsupportedOnnxError(op, "the graph has sparse constants");
  return {
    name: raw.name,
    inputs: raw.input.map(portOf),
    outputs: raw.output.map(portOf),
    constants: new Map(raw.initializer.map((tensor) => [tensor.name, valueOf(tensor)])),
    nodes: raw.node.map(nodeOf),
  };
}

function portOf({ name, type }: RawValueInfo): GraphPort {
  const tensor = type?.tensorType ?? undefined;
  const sides = tensor?.shape?.dim.map(({ dimValue, dimParam }) =>
    dimParam === "" ? wholeNumber(dimValue) : dimParam,
  );
  return { name, type: tensor && elementTypeOf(tensor.elemType), shape: sides };
}

const nodeOf = (raw: RawNode): GraphNode => ({
  op: raw.opType,
  domain: domainOf(raw.domain),
  name: raw.name,
  inputs: raw.input,
  outputs: raw.output,
  attributes: attributesOf(raw.opType, raw.attribute),
});

const attributesOf = (owner: string, list: readonly RawAttribute[]): ReadonlyMap<string, Attribute> =>
  new Map(list.map((raw) => [raw.name, attributeOf(owner, raw)]));

/** An empty field decodes to an empty array, which is no Uint8Array. */
const text = (bytes: Uint8Array): string => new TextDecoder().decode(Uint8Array.from(bytes));

function attributeOf(owner: string, raw: RawAttribute): Attribute {
  if (raw.refAttrName !== "") return { kind: "reference", value: raw.refAttrName };
  switch (raw.type) {
    case 1:
      return { kind: "float", value: raw.f };
    case 2:
      return { kind: "int", value: wholeNumber(raw.i) };
    case 3:
      return { kind: "string", value: text(raw.s) };
    case 4:
      if (raw.t === null) throw new DataError(op, `attribute ${raw.name} of ${owner} has no tensor`);
      return { kind: "tensor", value: valueOf(raw.t) };
    case 5:
      if (raw.g === null) throw new DataError(op, `attribute ${raw.name} of ${owner} has no graph`);
      return { kind: "graph", value: graphOf(raw.g) };
    case 6:
      return { kind: "floats", value: raw.floats };
    case 7:
      return { kind: "ints", value: raw.ints.map(wholeNumber) };
    case 8:
      return { kind: "strings", value: raw.strings.map(text) };
    default:
      return { kind: "other", value: raw.type };
  }
}
