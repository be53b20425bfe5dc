// Whole training steps: small models with random layers, losses and optimizers, that train a few steps from a seed.

import fc from "fast-check";
import { compile, type DType, type Tensor, tanh } from "../engine/index.ts";
import * as nn from "../nn/index.ts";
import { seeds, tensorOf, valuesOf } from "./values.ts";

const activations = {
  tanh: () => new nn.Tanh(),
  gelu: () => new nn.GELU(),
  silu: () => new nn.SiLU(),
  sigmoid: () => new nn.Sigmoid(),
  softplus: () => new nn.Softplus(),
} as const;
const norms = {
  none: () => new nn.Identity(),
  layer: (width: number) => new nn.LayerNorm(width, { eps: 1e-2 }),
  rms: (width: number) => new nn.RMSNorm(width, { eps: 1e-2 }),
} as const;
const optimizers = {
  sgd: (p: readonly Tensor[], lr: number) => new nn.SGD(p, { lr }),
  momentum: (p: readonly Tensor[], lr: number) => new nn.SGD(p, { lr, momentum: 0.9, nesterov: true }),
  adam: (p: readonly Tensor[], lr: number) => new nn.Adam(p, { lr, eps: 1e-3 }),
  adamW: (p: readonly Tensor[], lr: number) => new nn.AdamW(p, { lr, eps: 1e-3 }),
} as const;

const keys = <K extends string>(table: Readonly<Record<K, unknown>>): fc.Arbitrary<K> =>
  fc.constantFrom(...(Object.keys(table) as K[]));

/** What is trained, and how. */
export interface Training {
  readonly inputs: number;
  readonly layers: readonly {
    readonly width: number;
    readonly activation: keyof typeof activations;
    readonly norm: keyof typeof norms;
  }[];
  readonly loss: "mean squared error" | "cross-entropy";
  readonly optimizer: keyof typeof optimizers;
  readonly lr: number;
  readonly batch: number;
  readonly steps: number;
  readonly seed: number;
}

/** Random trainings. They shrink towards one step of few numbers. */
export const trainings: fc.Arbitrary<Training> = fc.record({
  inputs: fc.integer({ min: 1, max: 6 }),
  layers: fc.array(
    fc.record({ width: fc.integer({ min: 1, max: 9 }), activation: keys(activations), norm: keys(norms) }),
    { minLength: 1, maxLength: 3 },
  ),
  loss: fc.constantFrom("mean squared error" as const, "cross-entropy" as const),
  optimizer: keys(optimizers),
  lr: fc.constantFrom(0.003, 0.01, 0.03),
  batch: fc.integer({ min: 1, max: 9 }),
  steps: fc.integer({ min: 1, max: 4 }),
  seed: seeds,
});

export interface TrainingOptions {
  readonly dtype?: Extract<DType, "f32" | "f64">;
  /** Each step as one program; default true. */
  readonly compiled?: boolean;
}

/** Trains on the backend in use (a synchronous one): the loss of each step and what the parameters end as. */
export function train(
  { inputs, layers, loss, optimizer, lr, batch, steps, seed }: Training,
  { dtype = "f32", compiled = true }: TrainingOptions = {},
): { readonly losses: number[]; readonly parameters: number[][] } {
  const widths = [inputs, ...layers.map(({ width }) => width)];
  const model = new nn.Sequential(
    ...layers.flatMap(({ width, activation, norm }, i) => [
      new nn.Linear(widths[i], width),
      norms[norm](width),
      activations[activation](),
    ]),
  )
    .to(dtype)
    .initialize(seed);
  const outputs = widths[widths.length - 1];
  const x = tensorOf(valuesOf("real", batch * inputs, seed, 1), [batch, inputs], dtype);
  const wanted = tensorOf(valuesOf("unit", batch * outputs, seed, 2), [batch, outputs], dtype);
  const labels = tensorOf(valuesOf({ below: outputs }, batch, seed, 3), [batch], "i32");
  const update = optimizers[optimizer](model.parameters(), lr);
  const once = (input: Tensor): Tensor => {
    update.zeroGrad();
    const made = model.forward(tanh(input));
    const value = loss === "cross-entropy" ? nn.crossEntropy(made, labels) : nn.mseLoss(made, wanted);
    value.backward();
    void update.step();
    return value;
  };
  const step = compiled ? compile(once) : once;
  const losses = Array.from({ length: steps }, () => step(x).item());
  return { losses, parameters: model.parameters().map((p) => Array.from(p.dataSync())) };
}
