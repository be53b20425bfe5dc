// ONNX models on the engine: `import { loadOnnx } from "sluice/onnx"`. Needs the package protobufjs beside Sluice.

import { ArgumentError, DTypeError, ShapeError } from "../../errors.ts";
import { formatShape } from "../../shape.ts";
import type { Tensor } from "../../tensor.ts";
import { type ElementType, elementType, naturalType } from "./element-types.ts";
import { decodeModel, type GraphPort, type ModelGraph } from "./graph.ts";
import { runModel } from "./run.ts";
import { settle, Value } from "./values.ts";

export { OnnxNodeError, UnsupportedOnnxError } from "./errors.ts";
export { decodeOnnxTensor } from "./tensors.ts";
export { Value as OnnxValue } from "./values.ts";

/** What a model takes or gives. */
export interface OnnxPort {
  readonly name: string;
  /** ONNX's name of the element type ("float", "int64", ...); undefined where the model does not say. */
  readonly type: string | undefined;
  /** Sides that are not fixed are strings; undefined where even the rank is not known. */
  readonly shape: readonly (number | string)[] | undefined;
}

/** A model that was read; `run` may be called any number of times. */
export class OnnxModel {
  /** What `run` must be given: the inputs of the graph that have no default in the file. */
  readonly inputs: readonly OnnxPort[];
  readonly outputs: readonly OnnxPort[];
  /** Version of ONNX's operator set the model was written for. */
  readonly opset: number;
  /** The operators of the main graph, node by node. */
  readonly operators: readonly string[];
  readonly #model: ModelGraph;

  /** For `loadOnnx`. */
  constructor(model: ModelGraph) {
    this.#model = model;
    const { inputs, outputs, constants } = model.graph;
    this.inputs = inputs.filter(({ name }) => !constants.has(name)).map(portOf);
    this.outputs = outputs.map(portOf);
    this.opset = model.opsets.get("") ?? 1;
    this.operators = model.graph.nodes.map(({ op }) => op);
  }

  /**
   * The outputs by name, for inputs by name. Element types ride on the engine's dtypes: float, float16 and bfloat16 on
   * f32 (the latter two rounded after each node), double on f64, all integers on i32, bool on bool. Results in float and
   * double are lazy, and gradients flow through them; what says how (shapes, axes, indices of loops) is read as it comes.
   * @throws ArgumentError for a missing or unknown input; ShapeError, DTypeError for one that does not fit; an
   * UnsupportedOnnxError that names operator, version and attribute; an OnnxNodeError around an error of the engine
   */
  async run(inputs: Readonly<Record<string, Tensor>>): Promise<Record<string, Tensor>> {
    const values = await this.runValues(inputs);
    return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, value.tensor]));
  }

  /** As `run`, with the ONNX types of the outputs; takes values with types too. */
  async runValues(inputs: Readonly<Record<string, Tensor | Value>>): Promise<Record<string, Value>> {
    const { graph } = this.#model;
    const given = new Map<string, Value>();
    for (const [name, content] of Object.entries(inputs)) {
      const port = graph.inputs.find((input) => input.name === name);
      if (port === undefined) {
        const known = graph.inputs.map((input) => input.name).join(", ");
        throw new ArgumentError("onnx", `the model has no input "${name}"; it has ${known}`);
      }
      given.set(name, await accept(port, content));
    }
    const missing = this.inputs.find(({ name }) => !given.has(name));
    if (missing !== undefined) throw new ArgumentError("onnx", `input "${missing.name}" is missing`);
    const outputs = await runModel(this.#model, given);
    return Object.fromEntries(graph.outputs.map(({ name }, i) => [name, outputs[i]]));
  }
}

const portOf = ({ name, type, shape }: GraphPort): OnnxPort => ({ name, type: type?.name, shape });

async function accept(port: GraphPort, content: Tensor | Value): Promise<Value> {
  const what = `input "${port.name}"`;
  if (port.shape !== undefined) {
    const fits =
      port.shape.length === content.shape.length &&
      port.shape.every((side, i) => typeof side === "string" || side === 0 || side === content.shape[i]);
    if (!fits) throw new ShapeError("onnx", `${what} is [${port.shape.join(", ")}], got ${formatShape(content.shape)}`);
  }
  if (content instanceof Value) {
    if (port.type !== undefined && content.type !== port.type)
      throw new DTypeError("onnx", `${what} is ${port.type.name}, got ${content.type.name}`);
    return content;
  }
  const type: ElementType = port.type ?? naturalType(content.dtype);
  if (content.dtype !== type.dtype)
    throw new DTypeError("onnx", `${what} is ${type.name}, which ${type.dtype} carries, got ${content.dtype}`);
  return settle(type, content);
}

/** For those who make values themselves: a tensor and the name of the ONNX type it stands for. */
export const onnxValue = (type: string, tensor: Tensor): Promise<Value> => settle(elementType(type), tensor);

/**
 * An ONNX model from the bytes of a file. Reading is lazy about operators: one that is not supported fails when it runs.
 * @throws DataError for bytes that are no model, UnsupportedOnnxError for constants the engine does not carry
 */
export async function loadOnnx(bytes: Uint8Array): Promise<OnnxModel> {
  return new OnnxModel(await decodeModel(bytes));
}
