// Forward functions and their gradients.

import type { Tensor } from "../../engine/index.ts";
import * as sluice from "../../engine/index.ts";
import { type Build, type Builders, type HostInput, numberOf } from "../harness/protocol.ts";
import { pure } from "./compiled.ts";

const { layerNorm, logSoftmax, rmsNorm, softmax, vjp } = sluice;

const unary =
  (fn: (x: Tensor) => Tensor): Build =>
  (inputs) =>
    pure(inputs, ({ x }) => [fn(x)]);

/** y, or y and the gradients of sum(y * seed) where `params.backward` holds. */
const differentiable =
  (names: readonly string[], fn: (...args: Tensor[]) => Tensor): Build =>
  (inputs, { backward }) =>
    pure(inputs, (all) => {
      const args = names.map((name) => all[name]);
      if (!backward) return [fn(...args)];
      const [y, pull] = vjp(fn, ...args);
      return [y, ...[pull(all.seed)].flat()];
    });

const matmul: Build = (inputs, params) =>
  differentiable(["a", "b"], (a, b) => (params.transposeA ? a.mT() : a).matmul(params.transposeB ? b.mT() : b))(
    inputs,
    params,
  );

const toF64 = ([name, { shape, data }]: [string, HostInput]): [string, HostInput] => [
  name,
  { shape, dtype: "f64", data: Float64Array.from(data) },
];

const axes: Readonly<Record<string, number | readonly number[]>> = { last: 1, first: 0, both: [0, 1] };

export const functions: Builders = {
  exp: unary(sluice.exp),
  log: unary(sluice.log),
  tanh: unary(sluice.tanh),
  sigmoid: unary(sluice.sigmoid),
  erf: unary(sluice.erf),
  gelu: unary((x) => sluice.gelu(x)),
  silu: unary(sluice.silu),
  softmax: differentiable(["x"], (x) => softmax(x, -1)),
  logSoftmax: differentiable(["x"], (x) => logSoftmax(x, -1)),
  layerNorm: differentiable(["x", "weight", "bias"], (x, weight, bias) =>
    layerNorm(x, weight.shape, { weight, bias, eps: 1e-5 }),
  ),
  rmsNorm: differentiable(["x", "weight"], (x, weight) => rmsNorm(x, weight.shape, { weight, eps: 1e-5 })),
  sum: (inputs, params) => pure(inputs, ({ x }) => [x.sum(axes[params.axes as string])]),
  matmul,
  matmulF64: (inputs, params) => matmul(Object.fromEntries(Object.entries(inputs).map(toF64)), params),
  grouped: (inputs, params) => {
    const offsets = sluice.tensor((params.offsets as string).split(",").map(Number), { dtype: "i32" });
    return differentiable(["x", "w"], (x, w) => sluice.groupedMatmul(x, w, offsets))(inputs, params);
  },
  conv2d: (inputs, params) =>
    differentiable(["x", "kernel"], (x, kernel) =>
      sluice.conv2d(x, kernel, { padding: "same", groups: numberOf(params, "groups") }),
    )(inputs, params),
  convTranspose2d: differentiable(["x", "kernel"], (x, kernel) =>
    sluice.convTranspose2d(x, kernel, { stride: 2, padding: 1 }),
  ),
  causalConv1d: differentiable(["x", "kernel"], (x, kernel) =>
    sluice.conv1d(x, kernel, { padding: "causal", groups: x.shape[1] }),
  ),
  maxPool2d: differentiable(["x"], (x) => sluice.maxPool2d(x, 2)),
  avgPool2d: differentiable(["x"], (x) => sluice.avgPool2d(x, 2)),
  embedding: (inputs, { backward }) =>
    pure(inputs, ({ table, at, seed }) => {
      const rows = (x: Tensor): Tensor => sluice.indexSelect(x, 0, at);
      if (!backward) return [rows(table)];
      const [y, pull] = vjp(rows, table);
      return [y, ...[pull(seed)].flat()];
    }),
  cumsum: unary((x) => sluice.cumsum(x)),
  linearRecurrence: differentiable(["a", "b"], (a, b) => sluice.linearRecurrence(a, b, 1)),
  selectiveScan: differentiable(
    ["u", "delta", "A", "B", "C", "D"],
    (u, delta, A, B, C, D) => sluice.selectiveScan(u, delta, A, B, C, { D }).y,
  ),
  multiplyAdd: (inputs) => pure(inputs, ({ a, b }) => [a.mul(b).add(b)]),
  topk: (inputs, params) => pure(inputs, ({ x }) => [sluice.topk(x, numberOf(params, "k")).values]),
  argsort: (inputs) => {
    const job = pure(inputs, ({ x }) => [sluice.argsort(x)]);
    const { data } = inputs.x;
    return { ...job, result: async () => Array.from(await job.result(), (at) => data[at]) };
  },
  rfft: unary((x) => sluice.rfft(x)),
  globalFilter: (inputs) =>
    pure(inputs, ({ x, w }) => {
      const spectrum = sluice.rfft2(x, [-2, -1], { norm: "ortho" });
      return [sluice.irfft2(sluice.complexMul(spectrum, w), [-2, -1], { norm: "ortho" })];
    }),
  searchsorted: (inputs) => pure(inputs, ({ x, values }) => [sluice.searchsorted(sluice.sort(x).values, values)]),
  chain: (inputs, params) =>
    pure(inputs, ({ x, w, b }) => {
      let y = x;
      for (let i = 0; i < numberOf(params, "links"); i++) y = y.matmul(w).add(b);
      return [y];
    }),
};
