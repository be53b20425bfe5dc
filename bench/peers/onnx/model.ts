// ONNX models of one or a few operators, built in memory.

import proto, { type onnx as Onnx } from "onnx-proto";
import type { HostInput, Inputs } from "../../harness/protocol.ts";

const { onnx } = proto;
const [float32, int64] = [1, 7];

/** A whole number, several of them, or a float. */
type Attribute = number | readonly number[] | { readonly float: number };

export interface Operator {
  readonly type: string;
  readonly inputs: readonly string[];
  readonly output: string;
  readonly attributes?: Readonly<Record<string, Attribute>>;
  readonly domain?: string;
}

/** Whole numbers that operators take as an input (axes, counts). */
export type Indices = Readonly<Record<string, readonly number[]>>;

/**
 * A model whose inputs are constants inside it, so that a run copies nothing in; its outputs are `y` and `tip`, one
 * element of `y`, so that a run that fetches `tip` alone copies next to nothing out.
 */
export function constantModel(inputs: Inputs, operators: readonly Operator[], rank: number, indices: Indices = {}) {
  const tip: Operator = { type: "Slice", inputs: ["y", "tip_start", "tip_end", "tip_axes"], output: "tip" };
  const axes = Array.from({ length: rank }, (_, i) => i);
  const constants: Indices = {
    ...indices,
    tip_start: axes.map(() => 0),
    tip_end: axes.map(() => 1),
    tip_axes: axes,
  };
  const all = rank === 0 ? [...operators, { type: "Identity", inputs: ["y"], output: "tip" }] : [...operators, tip];
  const graph: Onnx.IGraphProto = {
    name: "workload",
    node: all.map(nodeOf),
    initializer: [...Object.entries(inputs).map(floats), ...Object.entries(constants).map(whole)],
    output: ["y", "tip"].map((name) => ({ name, type: { tensorType: { elemType: float32 } } })),
  };
  const opsetImport = [
    { domain: "", version: 20 },
    { domain: "com.microsoft", version: 1 },
  ];
  return onnx.ModelProto.encode(onnx.ModelProto.create({ irVersion: 8, opsetImport, graph })).finish();
}

const nodeOf = ({ type, inputs, output, attributes = {}, domain }: Operator): Onnx.INodeProto => ({
  opType: type,
  domain,
  input: [...inputs],
  output: output.split(" "),
  attribute: Object.entries(attributes).map(([name, value]) => attributeOf(name, value)),
});

function attributeOf(name: string, value: Attribute): Onnx.IAttributeProto {
  const { AttributeType } = onnx.AttributeProto;
  if (typeof value === "number") return { name, type: AttributeType.INT, i: value };
  return "float" in value
    ? { name, type: AttributeType.FLOAT, f: value.float }
    : { name, type: AttributeType.INTS, ints: [...value] };
}

const floats = ([name, { shape, data }]: [string, HostInput]): Onnx.ITensorProto => ({
  name,
  dims: shape,
  dataType: float32,
  rawData: new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
});

const whole = ([name, values]: [string, readonly number[]]): Onnx.ITensorProto => ({
  name,
  dims: [values.length],
  dataType: int64,
  rawData: new Uint8Array(BigInt64Array.from(values, BigInt).buffer),
});
