// The measured process of onnxruntime-web on its wasm provider: `onnxruntime.ts <threads>`. Inference only.

import { env, InferenceSession } from "onnxruntime-web";
import { type Build, type Builders, numberOf } from "../harness/protocol.ts";
import { serve } from "../harness/serve.ts";
import { constantModel, type Indices, type Operator } from "./onnx/model.ts";

const threads = Number(process.argv[2] ?? 1);
env.wasm.numThreads = threads;

/**
 * Without constant folding, since the inputs are constants, and without packing them in advance, since in training
 * they change at every step.
 */
const options: InferenceSession.SessionOptions = {
  executionProviders: ["wasm"],
  graphOptimizationLevel: "disabled",
  extra: { session: { disable_prepacking: "1" } },
};

interface Model {
  readonly operators: readonly Operator[];
  /** Axes of y. */
  readonly rank: number;
  readonly indices?: Indices;
}

const forward =
  (make: (params: Parameters<Build>[1]) => Model): Build =>
  async (inputs, params) => {
    if (params.backward) return undefined;
    const { operators, rank, indices } = make(params);
    const session = await InferenceSession.create(constantModel(inputs, operators, rank, indices), options);
    return {
      run: () => session.run({}, ["tip"]),
      async: true,
      result: async () => (await session.run({}, ["y"])).y.data as Float32Array,
      release: () => void session.release(),
    };
  };

const operator = (
  type: string,
  inputs: readonly string[],
  rank: number,
  attributes: Operator["attributes"] = {},
): Build => forward(() => ({ operators: [{ type, inputs, output: "y", attributes }], rank }));

const builders: Builders = {
  exp: operator("Exp", ["x"], 1),
  log: operator("Log", ["x"], 1),
  tanh: operator("Tanh", ["x"], 1),
  sigmoid: operator("Sigmoid", ["x"], 1),
  erf: operator("Erf", ["x"], 1),
  gelu: operator("Gelu", ["x"], 1),
  silu: forward(() => ({
    operators: [
      { type: "QuickGelu", domain: "com.microsoft", inputs: ["x"], output: "y", attributes: { alpha: { float: 1 } } },
    ],
    rank: 1,
  })),
  softmax: operator("Softmax", ["x"], 2, { axis: -1 }),
  logSoftmax: operator("LogSoftmax", ["x"], 2, { axis: -1 }),
  layerNorm: operator("LayerNormalization", ["x", "weight", "bias"], 2, { axis: -1, epsilon: { float: 1e-5 } }),
  rmsNorm: operator("SimplifiedLayerNormalization", ["x", "weight"], 2, { axis: -1, epsilon: { float: 1e-5 } }),
  sum: forward(({ axes }) => ({
    operators: [{ type: "ReduceSum", inputs: ["x", "axes"], output: "y", attributes: { keepdims: 0 } }],
    rank: axes === "both" ? 0 : 1,
    indices: { axes: axes === "both" ? [0, 1] : [axes === "last" ? 1 : 0] },
  })),
  matmul: (inputs, params) => {
    const [transA, transB] = [Number(params.transposeA), Number(params.transposeB)];
    const rank = Math.max(inputs.a.shape.length, inputs.b.shape.length);
    const operands = { inputs: ["a", "b"], output: "y" };
    const batched: Operator =
      transA + transB === 0
        ? { ...operands, type: "MatMul" }
        : { ...operands, type: "FusedMatMul", domain: "com.microsoft", attributes: { transA, transB } };
    const one: Operator = { ...operands, type: "Gemm", attributes: { transA, transB } };
    return forward(() => ({ operators: [rank > 2 ? batched : one], rank }))(inputs, params);
  },
  conv2d: forward((params) => ({
    operators: [
      {
        type: "Conv",
        inputs: ["x", "kernel"],
        output: "y",
        attributes: { group: numberOf(params, "groups"), pads: Array(4).fill(numberOf(params, "pad")) },
      },
    ],
    rank: 4,
  })),
  convTranspose2d: operator("ConvTranspose", ["x", "kernel"], 4, { strides: [2, 2], pads: [1, 1, 1, 1] }),
  causalConv1d: (inputs, params) =>
    operator("Conv", ["x", "kernel"], 3, { group: inputs.x.shape[1], pads: [inputs.kernel.shape[2] - 1, 0] })(
      inputs,
      params,
    ),
  maxPool2d: operator("MaxPool", ["x"], 4, { kernel_shape: [2, 2], strides: [2, 2] }),
  avgPool2d: operator("AveragePool", ["x"], 4, { kernel_shape: [2, 2], strides: [2, 2] }),
  embedding: ({ table, at }, params) =>
    forward(() => ({
      operators: [{ type: "Gather", inputs: ["table", "at"], output: "y" }],
      rank: 2,
      indices: { at: Array.from(at.data) },
    }))({ table }, params),
  multiplyAdd: forward(() => ({
    operators: [
      { type: "Mul", inputs: ["a", "b"], output: "ab" },
      { type: "Add", inputs: ["ab", "b"], output: "y" },
    ],
    rank: 3,
  })),
  cumsum: forward(() => ({
    operators: [
      { type: "Squeeze", inputs: ["axis"], output: "at" },
      { type: "CumSum", inputs: ["x", "at"], output: "y" },
    ],
    rank: 1,
    indices: { axis: [0] },
  })),
  topk: forward((params) => ({
    operators: [{ type: "TopK", inputs: ["x", "k"], output: "y order", attributes: { axis: -1 } }],
    rank: 2,
    indices: { k: [numberOf(params, "k")] },
  })),
  // A full sort is TopK of everything; it gives the sorted values with the order.
  argsort: forward(() => ({
    operators: [{ type: "TopK", inputs: ["x", "k"], output: "y order", attributes: { axis: -1, largest: 0 } }],
    rank: 1,
    indices: { k: [2 ** 20] },
  })),
  chain: forward((params) => ({
    operators: Array.from({ length: numberOf(params, "links") }, (_, i): Operator => {
      const output = i === numberOf(params, "links") - 1 ? "y" : `y${i}`;
      return { type: "Gemm", inputs: [i === 0 ? "x" : `y${i - 1}`, "w", "b"], output };
    }),
    rank: 2,
  })),
};

await serve(`${env.versions.web}, wasm, threads ${threads}`, builders);
