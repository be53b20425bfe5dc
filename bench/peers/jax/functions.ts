// Forward functions and their gradients in jax-js.

import { type Array as JaxArray, lax, nn, numpy as np, vjp } from "@jax-js/jax";
import { type Build, type Builders, numberOf } from "../../harness/protocol.ts";
import { pure } from "./arrays.ts";

const unary =
  (fn: (x: JaxArray) => JaxArray): Build =>
  (inputs) =>
    pure(inputs, ({ x }) => [fn(x)]);

const differentiable =
  (names: readonly string[], fn: (...args: JaxArray[]) => JaxArray): Build =>
  (inputs, { backward }) =>
    pure(inputs, (all) => {
      const args = names.map((name) => all[name]);
      if (!backward) return [fn(...args)];
      const [y, pull] = vjp(fn, args);
      const gradients = pull(all.seed) as JaxArray[];
      pull.dispose();
      return [y, ...gradients];
    });

export const layerNorm = (x: JaxArray, weight: JaxArray, bias: JaxArray): JaxArray =>
  nn.standardize(x, -1, { epsilon: 1e-5 }).mul(weight).add(bias);

const rmsNorm = (x: JaxArray, weight: JaxArray): JaxArray => {
  const meanSquare = np.mean(np.square(x.ref), -1, { keepdims: true });
  return x.div(np.sqrt(meanSquare.add(1e-5))).mul(weight);
};

const axes: Readonly<Record<string, number | null>> = { last: 1, first: 0, both: null };

export const functions: Builders = {
  exp: unary(np.exp),
  log: unary(np.log),
  tanh: unary(np.tanh),
  sigmoid: unary(nn.sigmoid),
  erf: unary(lax.erf),
  gelu: unary((x) => nn.gelu(x, { approximate: false })),
  silu: unary(nn.silu),
  cumsum: unary((x) => np.cumsum(x)),
  softmax: differentiable(["x"], (x) => nn.softmax(x, -1)),
  logSoftmax: differentiable(["x"], (x) => nn.logSoftmax(x, -1)),
  layerNorm: differentiable(["x", "weight", "bias"], layerNorm),
  rmsNorm: differentiable(["x", "weight"], rmsNorm),
  sum: (inputs, params) => pure(inputs, ({ x }) => [np.sum(x, axes[params.axes as string])]),
  conv2d: (inputs, params) =>
    differentiable(["x", "kernel"], (x, kernel) =>
      lax.convGeneralDilated(x, kernel, [1, 1], "SAME", { featureGroupCount: numberOf(params, "groups") }),
    )(inputs, params),
  grouped: (inputs, params) => {
    const offsets = (params.offsets as string).split(",").map(Number);
    const product = (x: JaxArray, w: JaxArray): JaxArray => {
      const parts = offsets.slice(1).map((end, i) => np.matmul(x.ref.slice([offsets[i], end]), w.ref.slice(i)));
      x.dispose();
      w.dispose();
      return np.concatenate(parts);
    };
    return differentiable(["x", "w"], product)(inputs, params);
  },
  matmul: (inputs, params) =>
    differentiable(["a", "b"], (a, b) =>
      np.matmul(params.transposeA ? np.swapaxes(a, -1, -2) : a, params.transposeB ? np.swapaxes(b, -1, -2) : b),
    )(inputs, params),
  multiplyAdd: (inputs) => pure(inputs, ({ a, b }) => [a.mul(b.ref).add(b)]),
  topk: (inputs, params) =>
    pure(inputs, ({ x }) => {
      const [values, indices] = lax.topK(x, numberOf(params, "k"));
      indices.dispose();
      return [values];
    }),
  argsort: (inputs) => {
    const job = pure(inputs, ({ x }) => [np.argsort(x)]);
    return { ...job, result: async () => Array.from(await job.result(), (at) => inputs.x.data[at]) };
  },
  chain: (inputs, params) =>
    pure(inputs, ({ x, w, b }) => {
      let y = x;
      for (let i = 0; i < numberOf(params, "links"); i++) y = np.matmul(y, w.ref).add(b.ref);
      w.dispose();
      b.dispose();
      return [y];
    }),
};
