// The modules under contract: every module that nn and moe export, in several configurations.

import { iota, type Tensor } from "../../engine/index.ts";
import * as moe from "../../moe/index.ts";
import * as nn from "../../nn/index.ts";
import type { Domain } from "../../testing/index.ts";

/** How a module differs between training and evaluation. */
type Mode =
  /** Not at all. */
  | "same"
  /** Training draws random numbers. */
  | "random"
  /** Training uses the batch's statistics, and updates buffers. */
  | "statistics";

type Input = readonly [shape: readonly number[], domain: Domain];

/** One configuration of a module. */
export interface Variant {
  readonly name: string;
  readonly make: () => nn.AnyModule;
  /** Its inputs for `b` samples. */
  readonly inputs: (b: number) => readonly Input[];
  readonly mode: Mode;
  /** Everything it gives that has a gradient. */
  readonly run: (module: nn.AnyModule, ...inputs: Tensor[]) => readonly Tensor[];
}

type Options<M> = Partial<Pick<Variant, "inputs" | "mode">> & {
  readonly run?: (module: M, ...inputs: Tensor[]) => readonly Tensor[];
};

const real = (shape: readonly number[]): Input => [shape, "real"];

/** A module that takes a tensor of the shape [b, ...sides] and gives another. */
function of<M extends nn.AnyModule>(
  name: string,
  sides: readonly number[],
  make: () => M,
  options: Options<M> = {},
): Variant {
  const {
    inputs = (b: number) => [real([b, ...sides])],
    mode = "same",
    run = (module: M, ...xs: Tensor[]) => [(module.forward as (...args: Tensor[]) => Tensor)(...xs)],
  } = options;
  return { name, make, inputs, mode, run: run as Variant["run"] };
}

const plain = (make: () => nn.AnyModule): readonly Variant[] => [of("", [4], make)];

/** Takes [b, 2, 5] or [b, 2, 4, 4]. */
const line = (name: string, make: () => nn.AnyModule, mode: Mode = "same"): Variant => of(name, [2, 5], make, { mode });
const plane = (name: string, make: () => nn.AnyModule, mode: Mode = "same"): Variant =>
  of(name, [2, 4, 4], make, { mode });

const recurrent = (make: (size: number, options?: nn.RecurrentOptions) => nn.GRU | nn.LSTM | nn.RNN): Variant[] => {
  const run = (module: nn.GRU | nn.LSTM | nn.RNN, x: Tensor): readonly Tensor[] => {
    const { output, state } = module.forward(x);
    return [output, ...state];
  };
  return [
    of("one layer", [3, 2], () => make(2), { run }),
    of("two layers, both ways, no bias", [2, 1], () => make(1, { layers: 2, bidirectional: true, bias: false }), {
      run,
    }),
  ];
};

const attention = (options: Partial<nn.MultiHeadAttentionOptions> = {}): nn.MultiHeadAttention =>
  new nn.MultiHeadAttention(4, { heads: 2, ...options });

const gateOutputs = (gate: moe.Gate, x: Tensor): readonly Tensor[] => {
  const { weights, leafProbs, regLoss } = gate.forward(x);
  return [weights, leafProbs, regLoss];
};
const gate = <M extends moe.Gate>(name: string, make: () => M): Variant => of(name, [2], make, { run: gateOutputs });
/** Inside the band, where the smooth step is smooth. */
const comet = (): moe.COMETGate =>
  new moe.COMETGate({ inputDim: 2, nExperts: 3, k: 2, gamma: 8, initRange: 0.1, entropyReg: 0.3 });
const experts = (): moe.MLPExperts =>
  new moe.MLPExperts({ nExperts: 3, sizes: [2, 3, 1], activation: (x) => x.tanh() });

export const modules: Readonly<Record<string, readonly Variant[]>> = {
  AdaptiveAvgPool1d: [line("", () => new nn.AdaptiveAvgPool1d(3))],
  AdaptiveAvgPool2d: [plane("", () => new nn.AdaptiveAvgPool2d([3, 2]))],
  AvgPool1d: [line("", () => new nn.AvgPool1d(2, { padding: 1 }))],
  AvgPool2d: [plane("", () => new nn.AvgPool2d([2, 3], { stride: 1 }))],
  MaxPool1d: [line("", () => new nn.MaxPool1d(2, { stride: 1 }))],
  MaxPool2d: [plane("", () => new nn.MaxPool2d(2))],
  BatchNorm1d: [
    line("", () => new nn.BatchNorm1d(2), "statistics"),
    of("of rows, not affine", [3], () => new nn.BatchNorm1d(3, { affine: false }), {
      mode: "statistics",
      inputs: (b) => [real([b + 1, 3])],
    }),
  ],
  BatchNorm2d: [plane("", () => new nn.BatchNorm2d(2), "statistics")],
  GroupNorm: [of("", [4, 3], () => new nn.GroupNorm(2, 4))],
  InstanceNorm1d: [line("", () => new nn.InstanceNorm1d(2, { affine: true }))],
  InstanceNorm2d: [plane("", () => new nn.InstanceNorm2d(2))],
  LayerNorm: [of("", [4], () => new nn.LayerNorm(4)), of("of two axes", [2, 3], () => new nn.LayerNorm([2, 3]))],
  RMSNorm: [of("", [4], () => new nn.RMSNorm(4))],
  Bilinear: [of("", [], () => new nn.Bilinear(2, 3, 2), { inputs: (b) => [real([b, 2]), real([b, 3])] })],
  Conv1d: [
    line("", () => new nn.Conv1d(2, 4, 3, { groups: 2, padding: 1, stride: 2 })),
    line("causal", () => new nn.Conv1d(2, 2, 2, { padding: "causal", bias: false })),
  ],
  Conv2d: [plane("", () => new nn.Conv2d(2, 2, [3, 2], { padding: "same" }))],
  ConvTranspose1d: [line("", () => new nn.ConvTranspose1d(2, 2, 3, { stride: 2 }))],
  ConvTranspose2d: [of("", [2, 2, 3], () => new nn.ConvTranspose2d(2, 2, 2, { groups: 2 }))],
  DropPath: [of("", [3], () => new nn.DropPath(0.5), { mode: "random" })],
  Dropout: [of("", [9], () => new nn.Dropout(0.5), { mode: "random" })],
  Embedding: [
    of("", [], () => new nn.Embedding(5, 3), { inputs: (b) => [[[b, 2], { below: 5 }]] }),
    of("with padding", [], () => new nn.Embedding(5, 3, { padding: 0 }), { inputs: (b) => [[[b, 2], { below: 5 }]] }),
  ],
  Linear: [of("", [4], () => new nn.Linear(4, 3)), of("no bias", [2, 4], () => new nn.Linear(4, 3, { bias: false }))],
  FeedForward: [of("", [3], () => new nn.FeedForward(3, 4, { activation: new nn.Tanh() }))],
  GatedFeedForward: [of("", [3], () => new nn.GatedFeedForward(3, 4))],
  GLU: plain(() => new nn.GLU()),
  GEGLU: plain(() => new nn.GEGLU()),
  ReGLU: plain(() => new nn.ReGLU()),
  SwiGLU: plain(() => new nn.SwiGLU()),
  ELU: plain(() => new nn.ELU(0.7)),
  GELU: [...plain(() => new nn.GELU()), of("tanh", [4], () => new nn.GELU({ approximate: "tanh" }))],
  Hardsigmoid: plain(() => new nn.Hardsigmoid()),
  Hardswish: plain(() => new nn.Hardswish()),
  Hardtanh: plain(() => new nn.Hardtanh(-0.5, 0.4)),
  Identity: plain(() => new nn.Identity()),
  LeakyReLU: plain(() => new nn.LeakyReLU(0.2)),
  LogSigmoid: plain(() => new nn.LogSigmoid()),
  LogSoftmax: plain(() => new nn.LogSoftmax()),
  Mish: plain(() => new nn.Mish()),
  PReLU: [of("", [3], () => new nn.PReLU(3))],
  ReLU: plain(() => new nn.ReLU()),
  SELU: plain(() => new nn.SELU()),
  SiLU: plain(() => new nn.SiLU()),
  Sigmoid: plain(() => new nn.Sigmoid()),
  Softmax: plain(() => new nn.Softmax()),
  Softplus: plain(() => new nn.Softplus()),
  Tanh: plain(() => new nn.Tanh()),
  LayerScale: [of("", [3], () => new nn.LayerScale(3, 0.5))],
  LearnedPositions: [of("", [3, 4], () => new nn.LearnedPositions(5, 4))],
  SinusoidalPositions: [of("", [3, 4], () => new nn.SinusoidalPositions())],
  RotaryEmbedding: [
    of("", [3, 4], () => new nn.RotaryEmbedding(4), { run: (module, x) => [module.forward(x, iota([3]))] }),
  ],
  Sequential: [
    of("", [3], () => new nn.Sequential(new nn.Linear(3, 4), new nn.Tanh(), new nn.Dropout(0.5), new nn.Linear(4, 2)), {
      mode: "random",
    }),
  ],
  ModuleList: [
    of("", [3], () => new nn.ModuleList([new nn.Linear(3, 3), new nn.Linear(3, 3)]), {
      run: (list, x) => [list.items.reduce((value: Tensor, item) => (item as nn.Linear).forward(value), x)],
    }),
  ],
  Residual: [
    ...(["pre", "post", "sandwich"] as const).map((order) =>
      of(order, [4], () => new nn.Residual(4, { order, layerScale: 0.5 }), {
        run: (module, x) => [module.forward(x, (h) => h.sin())],
      }),
    ),
    of("random", [8], () => new nn.Residual(8, { dropout: 0.5 }), {
      mode: "random",
      run: (module, x) => [module.forward(x, (h) => h.sin())],
    }),
  ],
  MultiHeadAttention: [
    of("", [3, 4], () => attention()),
    of("causal, grouped, rotary", [3, 4], () =>
      attention({ causal: true, kvHeads: 1, headSize: 2, rotary: new nn.RotaryEmbedding(2) }),
    ),
    of("windowed, with ALiBi and norms", [3, 4], () =>
      attention({ window: 2, alibi: true, queryKeyNorm: (size) => new nn.RMSNorm(size) }),
    ),
    of("to a context", [], () => attention({ contextSize: 3 }), {
      inputs: (b) => [real([b, 2, 4]), real([b, 3, 3])],
      run: (module, x, context) => [module.forward(x, { context })],
    }),
  ],
  TransformerBlock: [
    of(
      "",
      [2, 4],
      () =>
        new nn.TransformerBlock(4, {
          attention: attention({ causal: true }),
          feedForward: new nn.FeedForward(4, 4, { activation: new nn.Tanh() }),
        }),
    ),
  ],
  Mamba: [of("", [3, 2], () => new nn.Mamba(2, { states: 2, taps: 2 }))],
  GRU: recurrent((size, options) => new nn.GRU(size, size, options)),
  LSTM: recurrent((size, options) => new nn.LSTM(size, size, options)),
  RNN: recurrent((size, options) => new nn.RNN(size, size, options)),
  COMETGate: [gate("", comet)],
  DSelectKGate: [gate("", () => new moe.DSelectKGate({ inputDim: 2, nExperts: 3, k: 2, gamma: 8, entropyReg: 0.3 }))],
  HashGate: [
    of("", [], () => new moe.HashGate({ nIds: 4, nExperts: 3 }), {
      inputs: (b) => [[[b], { below: 4 }]],
      run: gateOutputs,
    }),
  ],
  SoftmaxGate: [gate("", () => new moe.SoftmaxGate({ inputDim: 2, nExperts: 3 }))],
  TopKGate: [gate("", () => new moe.TopKGate({ inputDim: 2, nExperts: 3, k: 2 }))],
  MLPExperts: [of("", [2], experts)],
  ExpertList: [of("", [2], () => new moe.ExpertList([new nn.Linear(2, 2), new nn.Linear(2, 2)]))],
  MoE: [
    of("", [2], () => new moe.MoE(experts(), comet()), {
      run: (module, x) => {
        const { output, regLoss } = module.forward(x);
        return [output, regLoss];
      },
    }),
  ],
  MultiGateMoE: [
    of("", [2], () => new moe.MultiGateMoE(experts(), [comet(), comet()]), {
      run: (module, x) => {
        const { outputs, regLoss } = module.forward(x);
        return [...outputs, regLoss];
      },
    }),
  ],
  TreeEnsembleLayer: [
    of("", [2], () => new moe.TreeEnsembleLayer({ inputDim: 2, outputDim: 2, trees: 2, depth: 2, gamma: 8 })),
  ],
};

/** Modules without a contract of their own, and why. */
export const excused: Readonly<Record<string, string>> = {
  Gate: "abstract: each gate is checked",
  Experts: "abstract: each kind of experts is checked",
  PermutationSearch: "its state changes from step to step by itself: test/moe/permutation.test.ts",
  PermutedGate: "behind a PermutationSearch: test/moe/permutation.test.ts and gradients.test.ts",
};
