// Activation functions and softmaxes.

import { clamp, elu, gelu, leakyRelu, relu, selu, silu, softplus } from "../../../ops/activations.ts";
import {
  abs,
  add,
  cast,
  div,
  equal,
  expm1,
  less,
  lessEqual,
  maximum,
  minimum,
  mul,
  sigmoid,
  sub,
  tanh,
  where,
} from "../../../ops/elementwise.ts";
import { reshape } from "../../../ops/movement.ts";
import { logSoftmax, softmax } from "../../../ops/normalize.ts";
import { positions } from "../../../ops/operand.ts";
import { argmax } from "../../../ops/reduce.ts";
import { sizeOf } from "../../../shape.ts";
import type { Tensor } from "../../../tensor.ts";
import type { Call, Row } from "../call.ts";
import { alongChannels, binary, unary } from "./kinds.ts";

/** Selu with ONNX's own rounding of the constants where the model does not give them. */
const scaledElu = (x: Tensor, call: Call): Tensor => {
  const [alpha, gamma] = [call.float("alpha"), call.float("gamma")];
  return alpha === undefined && gamma === undefined
    ? selu(x)
    : mul(elu(x, alpha ?? 1.6732632423543772), gamma ?? 1.0507009873554805);
};

const celu = (x: Tensor, call: Call): Tensor => {
  const alpha = call.float("alpha", 1);
  return add(maximum(x, 0), minimum(mul(expm1(div(minimum(x, 0), alpha)), alpha), 0));
};

const hardSigmoid = (x: Tensor, alpha: number, beta: number): Tensor => clamp(add(mul(x, alpha), beta), 0, 1);

const shrink = (x: Tensor, call: Call): Tensor => {
  const [bias, lambda] = [call.float("bias", 0), call.float("lambd", 0.5)];
  return where(less(x, -lambda), add(x, bias), where(less(lambda, x), sub(x, bias), 0));
};

/** Before opset 7 a slope of rank 1 lies along the channels. */
const parametricRelu = (x: Tensor, slope: Tensor, call: Call): Tensor => {
  const along = call.opset < 7 && slope.rank === 1 ? alongChannels(slope, x.rank) : slope;
  return where(less(x, 0), mul(x, along), x);
};

/** x * sigmoid(alpha * x). */
const swish = (x: Tensor, alpha: number): Tensor => (alpha === 1 ? silu(x) : mul(x, sigmoid(mul(x, alpha))));

/** Before opset 13 a softmax is of a matrix: the axes before `axis` are its rows, the others its columns. */
const overAxis =
  (fn: (x: Tensor, axis: number) => Tensor): Row =>
  (call) => {
    const x = call.tensor(0);
    const axis = call.axis("axis", call.opset < 13 ? 1 : -1, x.rank);
    if (call.opset >= 13) return call.as(0, fn(x, axis));
    const matrix = reshape(x, [sizeOf(x.shape.slice(0, axis)), sizeOf(x.shape.slice(axis))]);
    return call.as(0, reshape(fn(matrix, 1), x.shape));
  };

/** 1 at the first of the largest, 0 elsewhere. */
const hardmax = (x: Tensor, axis: number): Tensor =>
  cast(equal(positions(x.shape, axis), argmax(x, axis, { keepDims: true })), x.dtype);

export const activations: Readonly<Record<string, Row>> = {
  Celu: unary(celu),
  Elu: unary((x, call) => elu(x, call.float("alpha", 1))),
  Gelu: unary((x, call) => gelu(x, { approximate: call.choice("approximate", ["none", "tanh"], "none") })),
  HardSigmoid: unary((x, call) => hardSigmoid(x, call.float("alpha", 0.2), call.float("beta", 0.5))),
  HardSwish: unary((x) => mul(x, hardSigmoid(x, 1 / 6, 0.5))),
  Hardmax: overAxis(hardmax),
  LeakyRelu: unary((x, call) => leakyRelu(x, call.float("alpha", 0.01))),
  LogSoftmax: overAxis(logSoftmax),
  Mish: unary((x) => mul(x, tanh(softplus(x)))),
  PRelu: binary(parametricRelu),
  Relu: unary((x) => relu(x)),
  Selu: unary(scaledElu),
  Shrink: unary(shrink),
  Sigmoid: unary((x) => sigmoid(x)),
  Softmax: overAxis(softmax),
  Softplus: unary((x) => softplus(x)),
  Softsign: unary((x) => div(x, add(abs(x), 1))),
  SwiGLU: binary((gate, value, call) => mul(swish(gate, call.float("alpha", 1)), value)),
  Swish: unary((x, call) => swish(x, call.float("alpha", 1))),
  ThresholdedRelu: unary((x, call) => where(lessEqual(x, call.float("alpha", 1)), 0, x)),
};
