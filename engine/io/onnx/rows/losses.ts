// Losses over classes, and the optimizer steps of ai.onnx.preview.training.

import { add, cast, div, equal, mul, neg, sqrt, square, sub, where } from "../../../ops/elementwise.ts";
import { indexSelect, takeAlongAxis } from "../../../ops/indexing.ts";
import { squeeze, unsqueeze } from "../../../ops/movement.ts";
import { logSoftmax } from "../../../ops/normalize.ts";
import { sum } from "../../../ops/reduce.ts";
import type { Tensor } from "../../../tensor.ts";
import type { Call, Output, Row } from "../call.ts";

/** -weight * logp of the class each label names, over logp [N, C, ...] and labels [N, ...]; ignored labels give 0. */
function classLoss(call: Call, logp: Tensor): Tensor {
  const labels = call.tensor(1);
  const weights = call.maybeTensor(2);
  const ignore = call.int("ignore_index");
  const ignored = ignore === undefined ? undefined : equal(labels, ignore);
  const safe = ignored === undefined ? labels : where(ignored, 0, labels);
  const picked = neg(squeeze(takeAlongAxis(logp, unsqueeze(safe, 1), 1), 1));
  const ones = add(mul(cast(safe, logp.dtype), 0), 1);
  const weighed = weights === undefined ? ones : indexSelect(weights, 0, safe);
  const weight = ignored === undefined ? weighed : where(ignored, 0, weighed);
  const terms = mul(ignored === undefined ? picked : where(ignored, 0, picked), weight);
  const reduction = call.choice("reduction", ["none", "sum", "mean"], "mean");
  if (reduction === "none") return terms;
  return reduction === "sum" ? sum(terms) : div(sum(terms), sum(weight));
}

const negativeLogLikelihood: Row = (call) => call.as(0, classLoss(call, call.tensor(0)));

const crossEntropy: Row = (call): Output => {
  const logp = logSoftmax(call.tensor(0), 1);
  return [call.as(0, classLoss(call, logp)), call.as(0, logp)];
};

export const losses: Readonly<Record<string, Row>> = {
  NegativeLogLikelihoodLoss: negativeLogLikelihood,
  SoftmaxCrossEntropyLoss: crossEntropy,
};

/** A step for every parameter: inputs R, T, then lists of equal length of parameters, gradients and states. */
const optimizer =
  (states: number, step: (call: Call, rate: Tensor, count: number, values: Tensor[]) => Tensor[]): Row =>
  async (call): Promise<Awaited<Output>> => {
    const [rate, count] = [call.tensor(0), await call.scalar(1)];
    const each = (call.count - 2) / (2 + states);
    const norm = call.float("norm_coefficient", 0);
    const results = Array.from({ length: each }, (_, i) => {
      const [x, g, ...rest] = Array.from({ length: 2 + states }, (_, k) => call.tensor(2 + k * each + i));
      return step(call, rate, count, [x, add(g, mul(x, norm)), ...rest]);
    });
    // All parameters first, then all of each state.
    return Array.from({ length: 1 + states }, (_, k) => results.map((result, i) => call.as(2 + i, result[k]))).flat();
  };

const adagrad = optimizer(1, (call, rate, count, [x, g, h]) => {
  const [decay, eps] = [call.float("decay_factor", 0), call.float("epsilon", 1e-6)];
  const total = add(h, square(g));
  return [sub(x, div(mul(div(rate, 1 + count * decay), g), add(sqrt(total), eps))), total];
});

const adam = optimizer(2, (call, rate, count, [x, g, v, h]) => {
  const [alpha, beta, eps] = [call.float("alpha", 0.9), call.float("beta", 0.999), call.float("epsilon", 1e-6)];
  const after = call.float("norm_coefficient_post", 0);
  const first = add(mul(v, alpha), mul(g, 1 - alpha));
  const second = add(mul(h, beta), mul(square(g), 1 - beta));
  const correction = count > 0 ? Math.sqrt(1 - beta ** count) / (1 - alpha ** count) : 1;
  const moved = sub(x, div(mul(mul(rate, correction), first), add(sqrt(second), eps)));
  return [mul(moved, 1 - after), first, second];
});

const momentum = optimizer(1, (call, rate, count, [x, g, v]) => {
  const alpha = call.needed(call.float("alpha"), "attribute alpha");
  const beta = call.needed(call.float("beta"), "attribute beta");
  const mode = call.choice("mode", ["standard", "nesterov"], "standard");
  const next = add(mul(v, alpha), mul(g, count > 0 ? beta : 1));
  return [sub(x, mul(rate, mode === "standard" ? next : add(g, mul(next, alpha)))), next];
});

export const optimizers: Readonly<Record<string, Row>> = { Adagrad: adagrad, Adam: adam, Momentum: momentum };
