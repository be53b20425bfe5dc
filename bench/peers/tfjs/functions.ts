// Forward functions and their gradients in TensorFlow.js.

import * as tf from "@tensorflow/tfjs";
import { type Build, type Builders, type HostInput, type Inputs, type Job, numberOf } from "../../harness/protocol.ts";

export type Named = { readonly [name: string]: tf.Tensor };

export const upload = ({ data, shape, dtype }: HostInput): tf.Tensor =>
  tf.tensor(data, shape, dtype === "f32" ? "float32" : "int32");

export const uploadAll = (inputs: Inputs): Named =>
  Object.fromEntries(Object.entries(inputs).map(([name, input]) => [name, upload(input)]));

/** A pure function of the inputs, in a tidy; its results are read. */
function pure(inputs: Inputs, fn: (x: Named) => tf.Tensor[]): Job {
  const tensors = uploadAll(inputs);
  const run = (): void => {
    for (const result of tf.tidy(() => fn(tensors))) {
      result.dataSync();
      result.dispose();
    }
  };
  const result = (): number[] => {
    const values: number[] = [];
    for (const tensor of tf.tidy(() => fn(tensors))) {
      for (const value of tensor.dataSync()) values.push(value);
      tensor.dispose();
    }
    return values;
  };
  return { run, result, release: () => tf.dispose(Object.values(tensors)) };
}

const unary =
  (fn: (x: tf.Tensor) => tf.Tensor): Build =>
  (inputs) =>
    pure(inputs, ({ x }) => [fn(x)]);

const differentiable =
  (names: readonly string[], fn: (...args: tf.Tensor[]) => tf.Tensor): Build =>
  (inputs, { backward }) =>
    pure(inputs, (all) => {
      const args = names.map((name) => all[name]);
      if (!backward) return [fn(...args)];
      const { value, grads } = tf.valueAndGrads(fn)(args, all.seed);
      return [value, ...grads];
    });

export const gelu = (x: tf.Tensor): tf.Tensor => tf.mul(tf.mul(x, 0.5), tf.add(tf.erf(tf.mul(x, Math.SQRT1_2)), 1));

export const layerNorm = (x: tf.Tensor, weight: tf.Tensor, bias: tf.Tensor): tf.Tensor => {
  const { mean, variance } = tf.moments(x, -1, true);
  return tf.add(tf.mul(tf.mul(tf.sub(x, mean), tf.rsqrt(tf.add(variance, 1e-5))), weight), bias);
};

const rmsNorm = (x: tf.Tensor, weight: tf.Tensor): tf.Tensor =>
  tf.mul(tf.mul(x, tf.rsqrt(tf.add(tf.mean(tf.square(x), -1, true), 1e-5))), weight);

const axes: Readonly<Record<string, number | undefined>> = { last: 1, first: 0 };

/** Channels last, as it wants them, from the start; turned back only for the comparison. Forward only. */
const channelsLast =
  (order: readonly number[], fn: (x: tf.Tensor4D, kernel: tf.Tensor4D) => tf.Tensor): Build =>
  (inputs, { backward }) => {
    if (backward) return undefined;
    const x = tf.transpose(upload(inputs.x), [0, 2, 3, 1]) as tf.Tensor4D;
    const kernel = (
      inputs.kernel === undefined ? tf.scalar(0) : tf.transpose(upload(inputs.kernel), [...order])
    ) as tf.Tensor4D;
    return {
      run: () => {
        const y = fn(x, kernel);
        y.dataSync();
        y.dispose();
      },
      result: () => tf.transpose(fn(x, kernel), [0, 3, 1, 2]).dataSync(),
      release: () => tf.dispose([x, kernel]),
    };
  };

export const functions: Builders = {
  exp: unary(tf.exp),
  log: unary(tf.log),
  tanh: unary(tf.tanh),
  sigmoid: unary(tf.sigmoid),
  erf: unary(tf.erf),
  gelu: unary(gelu),
  silu: unary((x) => tf.mul(x, tf.sigmoid(x))),
  cumsum: unary((x) => tf.cumsum(x)),
  softmax: differentiable(["x"], (x) => tf.softmax(x, -1)),
  logSoftmax: differentiable(["x"], (x) => tf.logSoftmax(x, -1)),
  layerNorm: differentiable(["x", "weight", "bias"], layerNorm),
  rmsNorm: differentiable(["x", "weight"], rmsNorm),
  sum: (inputs, params) => pure(inputs, ({ x }) => [tf.sum(x, axes[params.axes as string])]),
  matmul: (inputs, params) =>
    differentiable(["a", "b"], (a, b) => tf.matMul(a, b, params.transposeA as boolean, params.transposeB as boolean))(
      inputs,
      params,
    ),
  grouped: (inputs, params) => {
    const offsets = (params.offsets as string).split(",").map(Number);
    const [, width, outputs] = inputs.w.shape;
    const product = (x: tf.Tensor, w: tf.Tensor): tf.Tensor => {
      const parts = offsets.slice(1).map((end, i) => {
        const matrix = tf.reshape(tf.slice(w, [i, 0, 0], [1, width, outputs]), [width, outputs]);
        return tf.matMul(tf.slice(x, [offsets[i], 0], [end - offsets[i], width]), matrix);
      });
      return tf.concat(parts, 0);
    };
    return differentiable(["x", "w"], product)(inputs, params);
  },
  conv2d: (inputs, params) => {
    // The wasm backend has no gradient of a convolution's kernel.
    if (params.backward) return undefined;
    const depthwise = numberOf(params, "groups") > 1;
    // Channels last, as it wants them, from the start; turned back only for the comparison.
    const x = tf.transpose(upload(inputs.x), [0, 2, 3, 1]) as tf.Tensor4D;
    const kernel = tf.transpose(upload(inputs.kernel), depthwise ? [2, 3, 0, 1] : [2, 3, 1, 0]) as tf.Tensor4D;
    const run = (): tf.Tensor =>
      depthwise ? tf.depthwiseConv2d(x, kernel, 1, "same") : tf.conv2d(x, kernel, 1, "same");
    return {
      run: () => {
        const y = run();
        y.dataSync();
        y.dispose();
      },
      result: () => tf.transpose(run(), [0, 3, 1, 2]).dataSync(),
      release: () => tf.dispose([x, kernel]),
    };
  },
  convTranspose2d: channelsLast([2, 3, 1, 0], (x, kernel) => {
    const [batch, height, width] = x.shape;
    return tf.conv2dTranspose(x, kernel, [batch, 2 * height, 2 * width, kernel.shape[2]], 2, "same");
  }),
  maxPool2d: channelsLast([], (x) => tf.maxPool(x, 2, 2, "valid")),
  avgPool2d: channelsLast([], (x) => tf.avgPool(x, 2, 2, "valid")),
  embedding: (inputs, { backward }) =>
    backward ? undefined : pure(inputs, ({ table, at }) => [tf.gather(table, at as tf.Tensor1D)]),
  multiplyAdd: (inputs) => pure(inputs, ({ a, b }) => [tf.add(tf.mul(a, b), b)]),
  topk: (inputs, params) =>
    pure(inputs, ({ x }) => {
      const { values, indices } = tf.topk(x, numberOf(params, "k"), true);
      indices.dispose();
      return [values];
    }),
  chain: (inputs, params) =>
    pure(inputs, ({ x, w, b }) => {
      let y = x;
      for (let i = 0; i < numberOf(params, "links"); i++) y = tf.add(tf.matMul(y, w), b);
      return [y];
    }),
};
