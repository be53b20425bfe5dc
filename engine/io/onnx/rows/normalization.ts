// Normalisations. Scale and bias lie along the channels (batch, instance, group) or over the last axes (layer, RMS).

import { add, cast, div, equal, mul, pow, rsqrt, square, sub, where } from "../../../ops/elementwise.ts";
import { reshape } from "../../../ops/movement.ts";
import { layerNorm, rmsNorm } from "../../../ops/normalize.ts";
import { mean, norm } from "../../../ops/reduce.ts";
import { pad } from "../../../ops/slicing.ts";
import type { Tensor } from "../../../tensor.ts";
import type { Call, Output, Row } from "../call.ts";
import { elementType } from "../element-types.ts";
import { dropout } from "./dropout.ts";
import { alongChannels } from "./kinds.ts";

const keep = { keepDims: true } as const;

/** (x - mean) / sqrt(variance + eps) * scale + bias, all along the channels. */
function standardize(x: Tensor, mean: Tensor, variance: Tensor, scale: Tensor, bias: Tensor, eps: number): Tensor {
  const channels = (part: Tensor): Tensor => (part.rank === 1 ? alongChannels(part, x.rank) : part);
  const factor = mul(rsqrt(add(channels(variance), eps)), channels(scale));
  return add(mul(sub(x, channels(mean)), factor), channels(bias));
}

const batchNorm: Row = (call): Output => {
  const x = call.tensor(0);
  const [scale, bias, runningMean, runningVariance] = [1, 2, 3, 4].map((i) => call.tensor(i));
  const [eps, momentum] = [call.float("epsilon", 1e-5), call.float("momentum", 0.9)];
  if (call.opset < 9) {
    if (!call.flag("spatial", true)) return call.unsupported("attribute spatial = 0");
    if (call.opset < 7) {
      if (!call.flag("is_test")) return call.unsupported("training (is_test = 0) of opset < 7");
    }
  }
  if (call.opset < 14 || !call.flag("training_mode")) {
    return [call.as(0, standardize(x, runningMean, runningVariance, scale, bias, eps))];
  }
  const axes = x.shape.map((_, i) => i).filter((i) => i !== 1);
  const current = mean(x, axes);
  // The population's variance, divided by n, also in the running mean.
  const spread = mean(square(sub(x, alongChannels(current, x.rank))), axes);
  const blend = (old: Tensor, fresh: Tensor): Tensor => add(mul(old, momentum), mul(fresh, 1 - momentum));
  return [
    call.as(0, standardize(x, current, spread, scale, bias, eps)),
    call.as(3, blend(runningMean, current)),
    call.as(4, blend(runningVariance, spread)),
  ];
};

function overAxes(x: Tensor, axes: readonly number[], eps: number): Tensor {
  const centred = sub(x, mean(x, axes, keep));
  return mul(centred, rsqrt(add(mean(square(centred), axes, keep), eps)));
}

const instanceNorm: Row = (call) => {
  const x = call.tensor(0);
  const axes = x.shape.map((_, i) => i).slice(2);
  const y = overAxes(x, axes, call.float("epsilon", 1e-5));
  const [scale, bias] = [1, 2].map((i) => alongChannels(call.tensor(i), x.rank));
  return call.as(0, add(mul(y, scale), bias));
};

/** Before opset 21 scale and bias are per group, then per channel. */
const groupNorm: Row = (call) => {
  const input = call.input(0);
  const groups = call.needed(call.int("num_groups"), "attribute num_groups");
  const stash = call.opset < 21 ? input.type : stashOf(call);
  const x = cast(input.tensor, stash.dtype);
  const [n, channels, ...sides] = x.shape;
  const split = reshape(x, [n, groups, channels / groups, ...sides]);
  const y = overAxes(split, split.shape.map((_, i) => i).slice(2), call.float("epsilon", 1e-5));
  const perGroup = call.tensor(1).size === groups && groups !== channels;
  const along = (part: Tensor): Tensor =>
    perGroup ? alongChannels(part, split.rank) : reshape(part, [groups, channels / groups, ...sides.map(() => 1)]);
  return call.as(0, reshape(add(mul(y, along(call.tensor(1))), along(call.tensor(2))), x.shape));
};

/** The type in which the statistics are computed. */
const stashOf = (call: Call) => call.type("stash_type") ?? elementType("float");

const layerNormRow: Row = (call): Output => {
  const input = call.input(0);
  const axis = call.axis("axis", -1, input.rank);
  const eps = call.float("epsilon", 1e-5);
  const stash = stashOf(call);
  const x = cast(input.tensor, stash.dtype);
  const shape = x.shape.slice(axis);
  const axes = shape.map((_, i) => axis + i);
  const centre = mean(x, axes, keep);
  const scale = rsqrt(add(mean(square(sub(x, centre)), axes, keep), eps));
  const y = layerNorm(x, shape, { weight: call.tensor(1), bias: call.maybeTensor(2), eps });
  return [call.as(0, y), call.as(stash, centre), call.as(stash, scale)];
};

const rmsNormRow: Row = (call) => {
  const input = call.input(0);
  const axis = call.axis("axis", -1, input.rank);
  const x = cast(input.tensor, stashOf(call).dtype);
  return call.as(0, rmsNorm(x, x.shape.slice(axis), { weight: call.tensor(1), eps: call.float("epsilon", 1e-5) }));
};

/** x / its norm along an axis; 0 where the norm is 0. */
const lpNorm: Row = (call) => {
  const x = call.tensor(0);
  const size = norm(x, call.axis("axis", -1, x.rank), { p: call.int("p", 2), keepDims: true });
  const zero = equal(size, 0);
  return call.as(0, where(zero, 0, div(x, where(zero, 1, size))));
};

/** x / (bias + alpha / size * sum of squares over `size` neighbouring channels)^beta. */
const localResponse: Row = (call) => {
  const x = call.tensor(0);
  const size = call.needed(call.int("size"), "attribute size");
  const [alpha, beta, bias] = [call.float("alpha", 1e-4), call.float("beta", 0.75), call.float("bias", 1)];
  const before = Math.floor((size - 1) / 2);
  const widths = x.shape.map((_, i) => (i === 1 ? ([before, size - 1 - before] as const) : ([0, 0] as const)));
  const squares = pad(square(x), widths);
  const terms = Array.from({ length: size }, (_, i) => windowOf(squares, i, x.shape[1]));
  const total = terms.reduce((a, b) => add(a, b));
  return call.as(0, div(x, pow(add(mul(total, alpha / size), bias), beta)));
};

const windowOf = (x: Tensor, start: number, count: number): Tensor =>
  pad(
    x,
    x.shape.map((side, i) => (i === 1 ? ([-start, start + count - side] as const) : ([0, 0] as const))),
  );

export const normalization: Readonly<Record<string, Row>> = {
  BatchNormalization: batchNorm,
  Dropout: dropout,
  GroupNormalization: groupNorm,
  InstanceNormalization: instanceNorm,
  LRN: localResponse,
  LayerNormalization: layerNormRow,
  LpNormalization: lpNorm,
  RMSNormalization: rmsNormRow,
};
