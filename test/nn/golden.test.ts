// Equal to PyTorch, forward and gradients, in f64 to 1e-9: golden/pytorch.json, made by golden/make.py.

import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import { setBackend, type Tensor, tensor, vjp } from "../../engine/index.ts";
import * as nn from "../../nn/index.ts";
import { goldenModules } from "./golden/modules.ts";
import { close, f64, i32 } from "./tools.ts";

interface Values {
  readonly shape: readonly number[];
  readonly data: readonly number[];
  /** Where they are no floats. */
  readonly dtype?: "i32" | "bool";
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
  /** Tables [40, 2] after each step. */
  readonly tables: Readonly<Record<string, readonly (readonly number[])[]>>;
  readonly schedules: Readonly<Record<string, readonly number[]>>;
}

const golden: Golden = JSON.parse(readFileSync(new URL("./golden/pytorch.json", import.meta.url), "utf8"));
const dtype = "f64";
const tolerance = 1e-9;
const isFloat = (given: Values): boolean => given.dtype === undefined;
const make = (given: Values): Tensor =>
  tensor(Float64Array.from(given.data), { shape: given.shape, dtype }).cast(given.dtype ?? dtype);

beforeAll(() => setBackend("wasm"));

function agree(given: Case, run: (...inputs: Tensor[]) => Tensor): void {
  const leaves = [...given.inputs.filter(isFloat), ...Object.values(given.parameters)].map(make);
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

describe("modules", () => {
  test.each(Object.keys(golden.modules))("%s", (name) => {
    const given = golden.modules[name];
    const { module, run, rename = (own) => own } = goldenModules[name];
    const forward = run ?? ((x: Tensor) => (module as nn.Module).forward(x));
    const names = Object.keys(given.parameters).map((theirs) => camel(rename(theirs)));
    expect(
      module
        .namedParameters()
        .map(([own]) => own)
        .sort(),
    ).toEqual([...names].sort());
    const count = given.inputs.filter(isFloat).length;
    agree(given, (...leaves) => {
      const parameters = Object.fromEntries(names.map((own, i) => [own, leaves[count + i]]));
      const floats = leaves.slice(0, count);
      // Whole numbers and masks have no gradient: they are not among the leaves.
      const inputs = given.inputs.map((x) => (isFloat(x) ? (floats.shift() as Tensor) : make(x)));
      return nn.withParameters(module, parameters, () => forward(...inputs));
    });
  });

  test("each is there in two configurations, and none is built in vain", () => {
    const kinds = Object.keys(golden.modules).map((name) => name.split(",")[0]);
    const once = kinds.filter((kind) => kinds.indexOf(kind) === kinds.lastIndexOf(kind));
    expect(once).toEqual(["identity"]);
    expect(Object.keys(goldenModules).sort()).toEqual(Object.keys(golden.modules).sort());
  });
});

const targets = i32([0, 2, -100, 1]);
const weight = f64([0.5, 1, 2]);
const alike = i32([1, 0, 0]).cast("bool");
const ignoreIndex = -100;
const losses: Record<string, (...inputs: Tensor[]) => Tensor> = {
  crossEntropy: (x) => nn.crossEntropy(x, targets, { ignoreIndex }),
  crossEntropyAll: (x) => nn.crossEntropy(x, targets, { ignoreIndex, weight, labelSmoothing: 0.2 }),
  crossEntropySum: (x) => nn.crossEntropy(x, targets, { ignoreIndex, weight, labelSmoothing: 0.1, reduction: "sum" }),
  crossEntropySoft: (x, p) => nn.crossEntropy(x, p, { weight, labelSmoothing: 0.1 }),
  binaryCrossEntropy: (x, y) => nn.binaryCrossEntropyWithLogits(x, y),
  binaryCrossEntropyWeighted: (x, y) => nn.binaryCrossEntropyWithLogits(x, y, { positiveWeight: 3 }),
  mse: (x, y) => nn.mseLoss(x, y),
  mseMasked: (x, y) => nn.mseLoss(x, y, i32([1, 0, 1]).cast("bool")),
  l1: (x, y) => nn.l1Loss(x, y),
  l1Sum: (x, y) => nn.l1Loss(x, y, { reduction: "sum" }),
  huber: (x, y) => nn.huberLoss(x, y, { delta: 0.7 }),
  huberNone: (x, y) => nn.huberLoss(x, y, { reduction: "none" }),
  smoothL1: (x, y) => nn.smoothL1Loss(x, y, { beta: 0.7 }),
  smoothL1Sum: (x, y) => nn.smoothL1Loss(x, y, { reduction: "sum" }),
  kl: (p, q) => nn.klDivergence(p, q),
  klSum: (p, q) => nn.klDivergence(p, q, { reduction: "sum" }),
  cosine: (x, y) => nn.cosineSimilarity(x, y, { axis: 1 }),
  cosineAxis0: (x, y) => nn.cosineSimilarity(x, y, { axis: 0 }),
  cosineEmbedding: (x, y) => nn.cosineEmbeddingLoss(x, y, alike, { margin: -0.5 }),
  cosineEmbeddingSum: (x, y) => nn.cosineEmbeddingLoss(x, y, alike, { reduction: "sum" }),
  siSdr: (x, y) => nn.siSdr(x, y),
  siSdrOne: (x, y) => nn.siSdr(x, y),
  pit2: (x, y) => nn.pitSiSdrLoss(x, y),
  pit3: (x, y) => nn.pitSiSdrLoss(x, y),
};

describe("losses", () => {
  test.each(Object.keys(golden.losses))("%s", (name) => agree(golden.losses[name], losses[name]));
});

/** An optimizer, and what is done between backward and step. */
type Training = readonly [
  make: (p: Tensor) => nn.Optimizer,
  before?: (p: Tensor, o: nn.Optimizer, step: number) => void,
];

const optimizers: Record<string, Training> = {
  sgd: [(p) => new nn.SGD([p], { lr: 0.02, momentum: 0.9, weightDecay: 0.1 })],
  "sgd, plain": [(p) => new nn.SGD([p], { lr: 0.1 })],
  nesterov: [(p) => new nn.SGD([p], { lr: 0.02, momentum: 0.8, nesterov: true })],
  adam: [(p) => new nn.Adam([p], { lr: 0.1, weightDecay: 0.2 })],
  "adam, plain": [(p) => new nn.Adam([p], { lr: 0.05, betas: [0.5, 0.9], eps: 1e-3 })],
  adamw: [(p) => new nn.AdamW([p], { lr: 0.1, weightDecay: 0.2, betas: [0.8, 0.95] })],
  "adamw, plain": [(p) => new nn.AdamW([p], { lr: 0.05, weightDecay: 0.01 })],
  rmsprop: [(p) => new nn.RMSprop([p], { lr: 0.02 })],
  rmspropAll: [(p) => new nn.RMSprop([p], { lr: 0.02, alpha: 0.8, momentum: 0.5, centered: true, weightDecay: 0.1 })],
  adagrad: [(p) => new nn.Adagrad([p], { lr: 0.3, lrDecay: 0.1, weightDecay: 0.1 })],
  "adagrad, plain": [(p) => new nn.Adagrad([p], { lr: 0.5 })],
  lion: [(p) => new nn.Lion([p], { lr: 0.05 })],
  "lion, decay": [(p) => new nn.Lion([p], { lr: 0.02, betas: [0.8, 0.9], weightDecay: 0.3 })],
  "clipped norm": [(p) => new nn.SGD([p], { lr: 0.1, momentum: 0.5 }), (p) => nn.clipGradNorm([p], 2)],
  "clipped norm, rarely": [(p) => new nn.Adam([p], { lr: 0.1 }), (p) => nn.clipGradNorm([p], 9)],
  "clipped value": [(p) => new nn.SGD([p], { lr: 0.1 }), (p) => nn.clipGradValue([p], 1.5)],
  "clipped value, rarely": [(p) => new nn.RMSprop([p], { lr: 0.1 }), (p) => nn.clipGradValue([p], 6)],
  scheduled: [
    (p) => new nn.AdamW([p], { lr: 0.2, weightDecay: 0.01 }),
    (_, optimizer, step) => optimizer.setLearningRate(nn.cosineSchedule(0.2, 0, 5)(step)),
  ],
};

describe("optimizers", () => {
  test.each(Object.keys(golden.optimizers))("%s", (name) => {
    const p = tensor([0.5, -1, 2], { dtype, requiresGrad: true });
    const [build, before] = optimizers[name];
    const optimizer = build(p);
    golden.optimizers[name].forEach((expected, step) => {
      optimizer.zeroGrad();
      p.sin()
        .add(f64([1, 2, 3]).mul(p.square()))
        .sum()
        .backward();
      before?.(p, optimizer, step);
      void optimizer.step();
      close(p, expected, tolerance);
    });
  });
});

const tables: Record<string, (p: readonly Tensor[]) => nn.Optimizer> = {
  sgd: (p) => new nn.SGD(p, { lr: 0.1 }),
  "sparse adam": (p) => new nn.SparseAdam(p, { lr: 0.1 }),
  "sparse adam, betas": (p) => new nn.SparseAdam(p, { lr: 0.05, betas: [0.5, 0.8], eps: 1e-3 }),
};

test.each(Object.keys(tables))("tables whose rows are looked up: %s", (name) => {
  const table = new nn.Embedding(40, 2, { dtype });
  table.weight.copyFrom(Float64Array.from({ length: 80 }, (_, i) => Math.sin(i)));
  const optimizer = tables[name](table.parameters());
  golden.tables[name].forEach((expected, step) => {
    const ids = golden.tables.lookups[step];
    optimizer.zeroGrad();
    const weights = f64(ids.map((_, i) => [i + 1]));
    table
      .forward(i32([...ids]))
      .square()
      .mul(weights)
      .sum()
      .backward();
    void optimizer.step();
    close(table.weight, expected, tolerance);
  });
});

const schedules: Record<string, nn.Schedule> = {
  constant: nn.constantSchedule(0.5),
  "constant, 0.2": nn.constantSchedule(0.2),
  cosine: nn.cosineSchedule(0.5, 0.1, 11),
  "cosine, to 0": nn.cosineSchedule(2, 0, 12),
  step: nn.stepSchedule(0.5, 4, 0.3),
  "step, each": nn.stepSchedule(0.5, 1),
  exponential: nn.exponentialSchedule(0.5, 0.8),
  "exponential, slow": nn.exponentialSchedule(3, 0.99),
  linear: nn.linearSchedule(0.5, 0.1, 8),
  "linear, up": nn.linearSchedule(0.05, 0.5, 20),
  oneCycle: nn.oneCycleSchedule(0.5, 20),
  "oneCycle, all": nn.oneCycleSchedule(2, 12, { climb: 0.5, divide: 4, finalDivide: 10 }),
  "warmup, cosine": nn.withWarmup(nn.cosineSchedule(0.5, 0, 7), 4),
  "warmup, constant": nn.withWarmup(nn.constantSchedule(0.5), 3),
};

test.each(Object.keys(golden.schedules))("the schedule %s", (name) => {
  const expected = golden.schedules[name];
  close(
    expected.map((_, step) => schedules[name](step)),
    expected,
    1e-12,
  );
});
