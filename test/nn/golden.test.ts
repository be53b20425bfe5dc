// Equal to PyTorch, forward and gradients, in f64 to 1e-9: golden/pytorch.json, made by golden/make.py.

import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import { setBackend, type Tensor, tensor, vjp } from "../../engine/index.ts";
import * as nn from "../../nn/index.ts";
import { close, f64, i32 } from "./tools.ts";

interface Values {
  readonly shape: readonly number[];
  readonly data: readonly number[];
}

/** What PyTorch computed: gradients are of sum(output * cos(0, 1, 2, ...)), of the float inputs, then the parameters. */
interface Case {
  readonly inputs: readonly Values[];
  readonly parameters: Readonly<Record<string, Values>>;
  readonly output: Values;
  readonly gradients: readonly Values[];
}

interface Golden {
  readonly modules: Readonly<Record<string, Case>>;
  readonly losses: Readonly<Record<string, Case>>;
  readonly optimizers: Readonly<Record<string, readonly (readonly number[])[]>>;
  readonly schedules: Readonly<Record<string, readonly number[]>>;
}

const golden: Golden = JSON.parse(readFileSync(new URL("./golden/pytorch.json", import.meta.url), "utf8"));
const dtype = "f64";
const tolerance = 1e-9;
const make = ({ shape, data }: Values): Tensor => tensor(Float64Array.from(data), { shape, dtype });

beforeAll(() => setBackend("wasm"));

function agree(given: Case, run: (...inputs: Tensor[]) => Tensor): void {
  const leaves = [...given.inputs, ...Object.values(given.parameters)].map(make);
  const [output, pullBack] = vjp(run, ...leaves);
  expect(output.shape).toEqual(given.output.shape);
  close(output, given.output.data, tolerance);
  const seed = tensor(
    given.output.data.map((_, i) => Math.cos(i)),
    { shape: output.shape, dtype },
  );
  pullBack(seed).forEach((gradient, i) => {
    close(gradient, given.gradients[i].data, tolerance);
  });
}

const camel = (name: string): string => name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
/** weight_ih_l1_reverse of a recurrent network in two directions is cells.3.weightIh. */
const ours = (name: string): string =>
  camel(
    name.replace(/^(.*)_l(\d)(_reverse)?$/, (_, kind, layer, back) => `cells.${2 * layer + (back ? 1 : 0)}.${kind}`),
  );

/** Each layer, and how it is run where that is not `forward`. */
const modules: Record<string, [nn.AnyModule, run?: (...inputs: Tensor[]) => Tensor]> = (() => {
  const bilinear = new nn.Bilinear(3, 2, 2, { dtype });
  const attention = new nn.MultiHeadAttention(4, { heads: 2, causal: true, dtype });
  const recurrent = { layers: 2, bidirectional: true, dtype } as const;
  const nets = {
    rnn: new nn.RNN(2, 3, recurrent),
    gru: new nn.GRU(2, 3, recurrent),
    lstm: new nn.LSTM(2, 3, recurrent),
  };
  const both: [nn.AnyModule, (...inputs: Tensor[]) => Tensor] = [bilinear, (x, z) => bilinear.forward(x, z)];
  return {
    linear: [new nn.Linear(3, 2, { dtype })],
    bilinear: both,
    conv1d: [new nn.Conv1d(4, 6, 3, { stride: 2, padding: 2, dilation: 2, groups: 2, dtype })],
    conv2d: [new nn.Conv2d(2, 3, [3, 2], { stride: [1, 2], padding: [1, 0], dtype })],
    convTranspose1d: [new nn.ConvTranspose1d(4, 2, 3, { stride: 2, padding: 1, outputPadding: 1, groups: 2, dtype })],
    convTranspose2d: [new nn.ConvTranspose2d(2, 3, [2, 3], { stride: 2, dilation: [1, 2], dtype })],
    batchNorm1d: [new nn.BatchNorm1d(3, { dtype })],
    batchNorm2d: [new nn.BatchNorm2d(2, { dtype })],
    layerNorm: [new nn.LayerNorm([2, 3], { dtype })],
    groupNorm: [new nn.GroupNorm(2, 4, { dtype })],
    instanceNorm2d: [new nn.InstanceNorm2d(2, { affine: true, dtype })],
    prelu: [new nn.PReLU(3, 0.25, { dtype })],
    gelu: [new nn.GELU()],
    geluTanh: [new nn.GELU({ approximate: "tanh" })],
    mish: [new nn.Mish()],
    hardswish: [new nn.Hardswish()],
    glu: [new nn.GLU()],
    maxPool2d: [new nn.MaxPool2d(2, { stride: 1, padding: 1 })],
    avgPool2d: [new nn.AvgPool2d(2, { padding: 1, countIncludePad: false })],
    adaptiveAvgPool1d: [new nn.AdaptiveAvgPool1d(3)],
    rnn: [nets.rnn, (x) => nets.rnn.forward(x).output],
    gru: [nets.gru, (x) => nets.gru.forward(x).output],
    lstm: [nets.lstm, (x) => nets.lstm.forward(x).output],
    attention: [attention, (x) => attention.forward(x)],
  };
})();

describe("modules", () => {
  test.each(Object.keys(golden.modules))("%s", (name) => {
    const given = golden.modules[name];
    const [module, forward = (x: Tensor) => (module as nn.Module).forward(x)] = modules[name];
    const names = Object.keys(given.parameters).map(ours);
    expect(
      module
        .namedParameters()
        .map(([own]) => own)
        .sort(),
    ).toEqual([...names].sort());
    const count = given.inputs.length;
    agree(given, (...leaves) => {
      const parameters = Object.fromEntries(names.map((own, i) => [own, leaves[count + i]]));
      return nn.withParameters(module, parameters, () => forward(...leaves.slice(0, count)));
    });
  });
});

const targets = i32([0, 2, -100, 1]);
const weight = f64([0.5, 1, 2]);
const ignoreIndex = -100;
const losses: Record<string, (...inputs: Tensor[]) => Tensor> = {
  crossEntropy: (x) => nn.crossEntropy(x, targets, { ignoreIndex }),
  crossEntropyAll: (x) => nn.crossEntropy(x, targets, { ignoreIndex, weight, labelSmoothing: 0.2 }),
  crossEntropySum: (x) => nn.crossEntropy(x, targets, { ignoreIndex, weight, labelSmoothing: 0.1, reduction: "sum" }),
  crossEntropySoft: (x, p) => nn.crossEntropy(x, p, { weight, labelSmoothing: 0.1 }),
  binaryCrossEntropy: (x, y) => nn.binaryCrossEntropyWithLogits(x, y),
  binaryCrossEntropyWeighted: (x, y) => nn.binaryCrossEntropyWithLogits(x, y, { positiveWeight: 3 }),
  mse: (x, y) => nn.mseLoss(x, y),
  l1: (x, y) => nn.l1Loss(x, y),
  huber: (x, y) => nn.huberLoss(x, y, { delta: 0.7 }),
  smoothL1: (x, y) => nn.smoothL1Loss(x, y, { beta: 0.7 }),
  kl: (p, q) => nn.klDivergence(p, q),
  cosine: (x, y) => nn.cosineSimilarity(x, y, { axis: 1 }),
};

describe("losses", () => {
  test.each(Object.keys(golden.losses))("%s", (name) => agree(golden.losses[name], losses[name]));
});

const optimizers: Record<string, (p: Tensor) => nn.Optimizer> = {
  sgd: (p) => new nn.SGD([p], { lr: 0.02, momentum: 0.9, weightDecay: 0.1 }),
  nesterov: (p) => new nn.SGD([p], { lr: 0.02, momentum: 0.8, nesterov: true }),
  adam: (p) => new nn.Adam([p], { lr: 0.1, weightDecay: 0.2 }),
  adamw: (p) => new nn.AdamW([p], { lr: 0.1, weightDecay: 0.2, betas: [0.8, 0.95] }),
  rmsprop: (p) => new nn.RMSprop([p], { lr: 0.02 }),
  rmspropAll: (p) => new nn.RMSprop([p], { lr: 0.02, alpha: 0.8, momentum: 0.5, centered: true, weightDecay: 0.1 }),
  adagrad: (p) => new nn.Adagrad([p], { lr: 0.3, lrDecay: 0.1, weightDecay: 0.1 }),
};

describe("optimizers", () => {
  test.each(Object.keys(golden.optimizers))("%s", (name) => {
    const p = tensor([0.5, -1, 2], { dtype, requiresGrad: true });
    const optimizer = optimizers[name](p);
    for (const expected of golden.optimizers[name]) {
      optimizer.zeroGrad();
      p.sin()
        .add(f64([1, 2, 3]).mul(p.square()))
        .sum()
        .backward();
      void optimizer.step();
      close(p, expected, tolerance);
    }
  });
});

const schedules: Record<string, nn.Schedule> = {
  cosine: nn.cosineSchedule(0.5, 0.1, 11),
  step: nn.stepSchedule(0.5, 4, 0.3),
  exponential: nn.exponentialSchedule(0.5, 0.8),
  linear: nn.linearSchedule(0.5, 0.1, 8),
  oneCycle: nn.oneCycleSchedule(0.5, 20),
};

test.each(Object.keys(golden.schedules))("the schedule %s", (name) => {
  const expected = golden.schedules[name];
  close(
    expected.map((_, step) => schedules[name](step)),
    expected,
    1e-12,
  );
});
