// The modules of golden/pytorch.json as they are built here, and how each is run where that is not `forward`.

import type { Tensor } from "../../../engine/index.ts";
import * as nn from "../../../nn/index.ts";
import { f64, i32 } from "../tools.ts";

const dtype = "f64";

export interface GoldenModule {
  readonly module: nn.AnyModule;
  readonly run?: (...inputs: Tensor[]) => Tensor;
  /** The module's parameter of a name in PyTorch, where it is not the same in camelCase. */
  readonly rename?: (name: string) => string;
}

const built = (module: nn.Module): GoldenModule => ({ module });

const run = <In extends readonly Tensor[]>(module: nn.Module<In>): GoldenModule => ({
  module,
  run: (...inputs) => module.forward(...(inputs as unknown as In)),
});

/** A batch norm with the running statistics of make.py's `counted`. */
function counted(module: nn.BatchNorm1d | nn.BatchNorm2d): GoldenModule {
  module.runningMean?.copyFrom([0.5, -1, 2].slice(0, module.channels));
  module.runningVar?.copyFrom([0.5, 3, 1.5].slice(0, module.channels));
  module.eval();
  return { module };
}

function evaluated(module: nn.Module): GoldenModule {
  module.eval();
  return { module };
}

/** weight_ih_l1_reverse of a recurrent network in two directions is cells.3.weightIh. */
function recurrent(module: nn.RNN | nn.GRU | nn.LSTM): GoldenModule {
  const { directions } = module;
  const cell = (_: string, kind: string, layer: string, back?: string): string =>
    `cells.${directions * Number(layer) + (back === undefined ? 0 : 1)}.${kind}`;
  return {
    module,
    run: (x) => module.forward(x).output,
    rename: (name) => name.replace(/^(.*)_l(\d)(_reverse)?$/, cell),
  };
}

/** q_weight is qProj.weight. */
function attention(module: nn.MultiHeadAttention, input: nn.AttentionInput = {}): GoldenModule {
  return {
    module,
    run: (x, context) => module.forward(x, { ...input, context }),
    rename: (name) => name.replace(/^(.)_/, "$1_proj."),
  };
}

/** A block with nn.TransformerEncoderLayer's or DecoderLayer's parts under their names there. */
function transformer(size: number, hidden: number, heads: number, order: "pre" | "post", cross = false): GoldenModule {
  const own = (): nn.MultiHeadAttention => new nn.MultiHeadAttention(size, { heads, dtype });
  const activation = cross ? new nn.ReLU() : new nn.GELU();
  const module = new nn.TransformerBlock(size, {
    attention: own(),
    crossAttention: cross ? own() : undefined,
    feedForward: new nn.FeedForward(size, hidden, { activation, dtype }),
    order,
    dtype,
  });
  const norms = cross ? ["attention", "cross", "feedForward"] : ["attention", "feedForward"];
  return {
    module,
    run: (x, context) => module.forward(x, { context }),
    rename: (name) =>
      name
        .replace("self_attn", "attention")
        .replace("multihead_attn", "crossAttention")
        .replace("out_proj", "oProj")
        .replace(/^norm(\d)/, (_, i) => `${norms[Number(i) - 1]}Residual.norm`)
        .replace("linear1", "feedForward.upProj")
        .replace("linear2", "feedForward.downProj"),
  };
}

/** in_proj_weight is inProj.weight; a_log and d have no module. */
const inProjections: GoldenModule["rename"] = (name) => name.replace(/^(.*(?:proj|conv1d))_(weight|bias)$/, "$1.$2");

function activations(): Record<string, GoldenModule> {
  const plain: Record<string, readonly nn.Module[]> = {
    relu: [new nn.ReLU()],
    silu: [new nn.SiLU()],
    tanh: [new nn.Tanh()],
    sigmoid: [new nn.Sigmoid()],
    softplus: [new nn.Softplus()],
    mish: [new nn.Mish()],
    logSigmoid: [new nn.LogSigmoid()],
    hardsigmoid: [new nn.Hardsigmoid()],
    hardswish: [new nn.Hardswish()],
    selu: [new nn.SELU()],
    gelu: [new nn.GELU(), new nn.GELU({ approximate: "tanh" })],
    elu: [new nn.ELU(), new nn.ELU(0.3)],
    leakyRelu: [new nn.LeakyReLU(), new nn.LeakyReLU(0.3)],
    hardtanh: [new nn.Hardtanh(), new nn.Hardtanh(-0.5, 2)],
    softmax: [new nn.Softmax(-1), new nn.Softmax(0)],
    logSoftmax: [new nn.LogSoftmax(-1), new nn.LogSoftmax(0)],
    glu: [new nn.GLU()],
    reglu: [new nn.ReGLU()],
    geglu: [new nn.GEGLU()],
    swiglu: [new nn.SwiGLU()],
  };
  return Object.fromEntries(
    Object.entries(plain).flatMap(([name, variants]) => [
      [name, built(variants[0])],
      [`${name}, second`, built(variants[variants.length - 1])],
    ]),
  );
}

const both = { layers: 2, bidirectional: true, dtype } as const;
const short = { bias: false, dtype } as const;
const positions = (module: nn.LearnedPositions | nn.SinusoidalPositions, at: number[]): GoldenModule => ({
  module,
  run: (x) => module.forward(x, i32(at)),
});
const rotary = (module: nn.RotaryEmbedding, at: number[]): GoldenModule => ({
  module,
  run: (x) => module.forward(x, f64(at)),
});
const mamba = (module: nn.Mamba): GoldenModule => ({ module, rename: inProjections });
const feedForward = (module: nn.Module): GoldenModule => ({ module, rename: inProjections });

export const goldenModules: Readonly<Record<string, GoldenModule>> = {
  linear: built(new nn.Linear(3, 2, { dtype })),
  "linear, no bias": built(new nn.Linear(2, 3, short)),
  bilinear: run(new nn.Bilinear(3, 2, 2, { dtype })),
  "bilinear, no bias": run(new nn.Bilinear(2, 3, 1, short)),
  embedding: run(new nn.Embedding(4, 2, { dtype })),
  "embedding, padding": run(new nn.Embedding(4, 3, { padding: 2, dtype })),
  conv1d: built(new nn.Conv1d(4, 6, 3, { stride: 2, padding: 2, dilation: 2, groups: 2, dtype })),
  "conv1d, no bias": built(new nn.Conv1d(2, 3, 2, short)),
  conv2d: built(new nn.Conv2d(2, 3, [3, 2], { stride: [1, 2], padding: [1, 0], dtype })),
  "conv2d, depthwise": built(new nn.Conv2d(3, 3, 3, { padding: 1, groups: 3, dtype })),
  convTranspose1d: built(
    new nn.ConvTranspose1d(4, 2, 3, { stride: 2, padding: 1, outputPadding: 1, groups: 2, dtype }),
  ),
  "convTranspose1d, no bias": built(new nn.ConvTranspose1d(2, 2, 2, { dilation: 2, ...short })),
  convTranspose2d: built(new nn.ConvTranspose2d(2, 3, [2, 3], { stride: 2, dilation: [1, 2], dtype })),
  "convTranspose2d, padding": built(new nn.ConvTranspose2d(2, 2, 3, { stride: [2, 1], padding: 1, groups: 2, dtype })),
  batchNorm1d: built(new nn.BatchNorm1d(3, { dtype })),
  "batchNorm1d, sequence": built(new nn.BatchNorm1d(2, { eps: 0.1, affine: false, dtype })),
  "batchNorm1d, evaluation": counted(new nn.BatchNorm1d(3, { dtype })),
  batchNorm2d: built(new nn.BatchNorm2d(2, { dtype })),
  "batchNorm2d, evaluation": counted(new nn.BatchNorm2d(2, { dtype })),
  layerNorm: built(new nn.LayerNorm([2, 3], { dtype })),
  "layerNorm, plain": built(new nn.LayerNorm(4, { eps: 0.1, affine: false, dtype })),
  rmsNorm: built(new nn.RMSNorm(4, { dtype })),
  "rmsNorm, plain": built(new nn.RMSNorm([3, 2], { eps: 0.1, affine: false, dtype })),
  groupNorm: built(new nn.GroupNorm(2, 4, { dtype })),
  "groupNorm, plain": built(new nn.GroupNorm(3, 3, { eps: 0.1, affine: false, dtype })),
  instanceNorm1d: built(new nn.InstanceNorm1d(2, { dtype })),
  "instanceNorm1d, affine": built(new nn.InstanceNorm1d(2, { eps: 0.1, affine: true, dtype })),
  instanceNorm2d: built(new nn.InstanceNorm2d(2, { affine: true, dtype })),
  "instanceNorm2d, plain": built(new nn.InstanceNorm2d(3, { dtype })),
  prelu: built(new nn.PReLU(3, 0.25, { dtype })),
  "prelu, one": built(new nn.PReLU(1, 0.25, { dtype })),
  maxPool1d: built(new nn.MaxPool1d(2)),
  "maxPool1d, dilated": built(new nn.MaxPool1d(2, { stride: 1, padding: 1, dilation: 2 })),
  maxPool2d: built(new nn.MaxPool2d(2, { stride: 1, padding: 1 })),
  "maxPool2d, plain": built(new nn.MaxPool2d([2, 1])),
  avgPool1d: built(new nn.AvgPool1d(2, { stride: 1 })),
  "avgPool1d, padding": built(new nn.AvgPool1d(3, { padding: 1 })),
  avgPool2d: built(new nn.AvgPool2d(2, { padding: 1, countIncludePad: false })),
  "avgPool2d, padding": built(new nn.AvgPool2d([2, 3], { stride: [1, 2], padding: [0, 1] })),
  adaptiveAvgPool1d: built(new nn.AdaptiveAvgPool1d(3)),
  "adaptiveAvgPool1d, all": built(new nn.AdaptiveAvgPool1d(1)),
  adaptiveAvgPool2d: built(new nn.AdaptiveAvgPool2d([2, 3])),
  "adaptiveAvgPool2d, all": built(new nn.AdaptiveAvgPool2d(1)),
  layerScale: built(new nn.LayerScale(3, 1, { dtype })),
  "layerScale, sequence": built(new nn.LayerScale(2, 1, { dtype })),
  "dropout, evaluation": evaluated(new nn.Dropout(0.5)),
  "dropout, none": built(new nn.Dropout(0)),
  "dropPath, evaluation": evaluated(new nn.DropPath(0.5)),
  "dropPath, none": built(new nn.DropPath(0)),
  identity: built(new nn.Identity()),
  feedForward: feedForward(new nn.FeedForward(3, 4, { dtype })),
  "feedForward, relu": feedForward(new nn.FeedForward(2, 3, { activation: new nn.ReLU(), ...short })),
  gatedFeedForward: feedForward(new nn.GatedFeedForward(3, 4, { dtype })),
  "gatedFeedForward, gelu": feedForward(new nn.GatedFeedForward(2, 3, { activation: new nn.GELU(), dtype })),
  learnedPositions: run(new nn.LearnedPositions(4, 3, { dtype })),
  "learnedPositions, given": positions(new nn.LearnedPositions(4, 2, { dtype }), [3, 1]),
  sinusoidalPositions: run(new nn.SinusoidalPositions()),
  "sinusoidalPositions, given": positions(new nn.SinusoidalPositions(), [5, 900]),
  rotary: rotary(new nn.RotaryEmbedding(4), [0, 1, 2]),
  "rotary, far": rotary(new nn.RotaryEmbedding(6, { theta: 1e6 }), [7, 100_003]),
  "attention, causal": attention(new nn.MultiHeadAttention(4, { heads: 2, causal: true, dtype })),
  "attention, grouped": attention(new nn.MultiHeadAttention(4, { heads: 4, kvHeads: 2, headSize: 2, ...short })),
  "attention, rotary": attention(
    new nn.MultiHeadAttention(4, { heads: 1, causal: true, rotary: new nn.RotaryEmbedding(4), dtype }),
  ),
  "attention, window": attention(new nn.MultiHeadAttention(2, { heads: 1, window: 2, dtype })),
  "attention, alibi": attention(new nn.MultiHeadAttention(4, { heads: 2, causal: true, alibi: true, dtype })),
  "attention, context": attention(new nn.MultiHeadAttention(4, { heads: 2, contextSize: 3, dtype }), {
    mask: i32([
      [1, 0],
      [1, 1],
      [0, 1],
    ]).cast("bool"),
  }),
  ...activations(),
  rnn: recurrent(new nn.RNN(2, 3, both)),
  gru: recurrent(new nn.GRU(2, 3, both)),
  lstm: recurrent(new nn.LSTM(2, 3, both)),
  "rnn, no bias": recurrent(new nn.RNN(3, 2, short)),
  "gru, no bias": recurrent(new nn.GRU(3, 2, short)),
  "lstm, no bias": recurrent(new nn.LSTM(3, 2, short)),
  "rnn, relu": recurrent(new nn.RNN(2, 2, { activation: "relu", dtype })),
  mamba: mamba(new nn.Mamba(2, { states: 3, taps: 3, expand: 2, rank: 1, dtype })),
  "mamba, wide": mamba(new nn.Mamba(3, { states: 2, taps: 4, expand: 1, rank: 2, dtype })),
  "transformer, pre": transformer(4, 6, 2, "pre"),
  "transformer, post": transformer(4, 6, 2, "post"),
  "transformer, decoder": transformer(4, 5, 2, "pre", true),
};
