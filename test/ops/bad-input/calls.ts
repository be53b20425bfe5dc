// Valid calls of the operations whose arguments can be wrong in many ways.

import * as S from "../../../engine/index.ts";
import { along, anyWhole, axisOf, type Call, call, list, tensor, whole, word } from "./call.ts";

const numbers = ["f32", "f64", "i32"] as const;
const index = { dtype: "i32", dtypes: ["i32"] } as const;

const pair = (value: number, least: number, most?: number) => list([value, value], least, most);

const convolutions: Readonly<Record<string, Call>> = {
  conv1d: call(
    {
      x: tensor([2, 4, 9], { agree: [1], ranks: [2, 3] }),
      weight: tensor([6, 2, 3], { agree: [1], ranks: [3] }),
      bias: tensor([6], { agree: [0], ranks: [1] }),
      stride: whole(2, 1),
      padding: whole(1, 0),
      dilation: whole(2, 1),
      groups: whole(2, 1, 2),
    },
    ({ x, weight, ...options }) => S.conv1d(x, weight, options),
  ),
  conv2d: call(
    {
      x: tensor([2, 4, 7, 6], { agree: [1], ranks: [3, 4] }),
      weight: tensor([6, 2, 3, 3], { agree: [1], ranks: [4] }),
      bias: tensor([6], { agree: [0], ranks: [1] }),
      stride: pair(2, 1),
      padding: pair(1, 0),
      dilation: pair(1, 1),
      groups: whole(2, 1, 2),
    },
    ({ x, weight, ...options }) => S.conv2d(x, weight, options),
  ),
  "conv2d, depthwise": call(
    {
      x: tensor([2, 4, 7, 6], { agree: [1] }),
      weight: tensor([4, 1, 3, 3], { agree: [0, 1] }),
      groups: whole(4, 4, 4),
    },
    ({ x, weight, groups }) => S.conv2d(x, weight, { groups }),
  ),
  "conv2d, padded by name": call({ padding: word("same") }, ({ padding }) =>
    S.conv2d(S.ones([1, 1, 4, 4]), S.ones([1, 1, 3, 3]), { padding: padding as "same" }),
  ),
  convTranspose1d: call(
    {
      x: tensor([2, 4, 9], { agree: [1], ranks: [2, 3] }),
      weight: tensor([4, 3, 3], { agree: [0], ranks: [3] }),
      bias: tensor([6], { agree: [0], ranks: [1] }),
      stride: whole(2, 2),
      padding: whole(1, 0, 10),
      dilation: whole(1, 1),
      outputPadding: whole(1, 0, 1),
      groups: whole(2, 1, 2),
    },
    ({ x, weight, ...options }) => S.convTranspose1d(x, weight, options),
  ),
  convTranspose2d: call(
    {
      x: tensor([2, 4, 5, 5], { agree: [1], ranks: [3, 4] }),
      weight: tensor([4, 6, 3, 3], { agree: [0], ranks: [4] }),
      stride: pair(2, 1),
      padding: pair(0, 0, 5),
      dilation: pair(1, 1),
      outputPadding: pair(0, 0, 1),
    },
    ({ x, weight, ...options }) => S.convTranspose2d(x, weight, options),
  ),
  maxPool1d: call(
    { x: tensor([2, 9]), size: whole(3, 1, 11), stride: whole(2, 1), padding: whole(1, 0), dilation: whole(1, 1, 5) },
    ({ x, size, ...options }) => S.maxPool1d(x, size, options),
  ),
  maxPool2d: call(
    { x: tensor([2, 7, 7], { ranks: [2, 3, 4, 5] }), size: pair(3, 1, 9), stride: pair(2, 1), padding: pair(1, 0) },
    ({ x, size, ...options }) => S.maxPool2d(x, size, options),
  ),
  avgPool1d: call(
    { x: tensor([2, 9], { ranks: [1, 2, 3, 4] }), size: whole(3, 1, 11), stride: whole(2, 1), padding: whole(1, 0) },
    ({ x, size, ...options }) => S.avgPool1d(x, size, options),
  ),
  avgPool2d: call({ x: tensor([2, 7, 7], { ranks: [2, 3, 4, 5] }), size: pair(3, 1, 7) }, ({ x, size }) =>
    S.avgPool2d(x, size),
  ),
  adaptiveAvgPool1d: call({ x: tensor([2, 9], { ranks: [1, 2, 3, 4] }), size: whole(4, 1) }, ({ x, size }) =>
    S.adaptiveAvgPool1d(x, size),
  ),
  adaptiveAvgPool2d: call({ x: tensor([2, 7, 9], { ranks: [2, 3, 4, 5] }), size: pair(4, 1) }, ({ x, size }) =>
    S.adaptiveAvgPool2d(x, size),
  ),
};

const products: Readonly<Record<string, Call>> = {
  matmul: call(
    {
      x: tensor([3, 2, 4], { agree: [0, 2], ranks: [1, 2, 3, 4, 5] }),
      y: tensor([3, 4, 5], { agree: [0, 1], ranks: [1, 2, 3, 4, 5] }),
    },
    ({ x, y }) => S.matmul(x, y),
  ),
  dot: call({ x: tensor([4], { agree: [0], ranks: [1] }), y: tensor([4], { agree: [0], ranks: [1] }) }, ({ x, y }) =>
    S.dot(x, y),
  ),
  outer: call({ x: tensor([4], { ranks: [1] }), y: tensor([3], { ranks: [1] }) }, ({ x, y }) => S.outer(x, y)),
  einsum: call(
    { x: tensor([2, 3, 4], { agree: [0, 1, 2], ranks: [3] }), y: tensor([2, 4, 3], { agree: [0, 1, 2], ranks: [3] }) },
    ({ x, y }) => S.einsum("bij,bji->b", x, y),
  ),
  groupedMatmul: call(
    {
      x: tensor([5, 3], { agree: [1], ranks: [2] }),
      w: tensor([2, 3, 4], { agree: [0, 1], ranks: [3] }),
      offsets: tensor([3], { ...index, agree: [0], ranks: [1] }),
      bias: tensor([2, 4], { agree: [0, 1], ranks: [2] }),
    },
    ({ x, w, offsets, bias }) => S.groupedMatmul(x, w, offsets, { bias }),
  ),
  dispatchByExpert: call(
    { experts: tensor([6, 2], { ...index, ranks: [1, 2] }), count: whole(4, 1) },
    ({ experts, count }) => S.dispatchByExpert(experts, count),
  ),
  gatherByExpert: call({ x: tensor([6, 3], { agree: [0], ranks: [2] }) }, ({ x }) =>
    S.gatherByExpert(x, S.dispatchByExpert(S.zeros([6, 2], { dtype: "i32" }), 4)),
  ),
  combineByExpert: call(
    { y: tensor([12, 3], { agree: [0], ranks: [2] }), weights: tensor([6, 2], { agree: [0, 1], ranks: [2] }) },
    ({ y, weights }) => S.combineByExpert(y, weights, S.dispatchByExpert(S.zeros([6, 2], { dtype: "i32" }), 4)),
  ),
  scaledDotProductAttention: call(
    {
      q: tensor([3, 3, 4], { agree: [0, 2], ranks: [2, 3, 4, 5] }),
      k: tensor([3, 5, 4], { agree: [0, 1, 2], ranks: [2, 3, 4, 5] }),
      v: tensor([3, 5, 6], { agree: [0, 1], ranks: [2, 3, 4, 5] }),
      mask: tensor([3, 5], { agree: [0, 1], dtypes: ["f32", "f64", "bool"] }),
    },
    ({ q, k, v, mask }) => S.scaledDotProductAttention(q, k, v, { mask }),
  ),
};

const scans: Readonly<Record<string, Call>> = {
  cumsum: along((x, axis) => S.cumsum(x, axis)),
  cumprod: along((x, axis) => S.cumprod(x, axis)),
  cummax: along((x, axis) => S.cummax(x, axis)),
  cummin: along((x, axis) => S.cummin(x, axis)),
  logcumsumexp: along((x, axis) => S.logcumsumexp(x, axis)),
  linearRecurrence: call(
    {
      a: tensor([4, 5, 3], { agree: [0, 1, 2] }),
      b: tensor([4, 5, 3], { agree: [0, 1, 2] }),
      h0: tensor([4, 3], { agree: [0, 1], ranks: [2] }),
      axis: axisOf(3, 1),
    },
    ({ a, b, axis, h0 }) => S.linearRecurrence(a, b, axis, { h0 }),
  ),
  selectiveScan: call(
    {
      u: tensor([2, 5, 3], { agree: [0, 1, 2], ranks: [3], dtypes: ["f32"] }),
      delta: tensor([2, 5, 3], { agree: [0, 1, 2], ranks: [3], dtypes: ["f32"] }),
      A: tensor([3, 4], { agree: [0, 1], ranks: [2], dtypes: ["f32"] }),
      B: tensor([2, 5, 4], { agree: [0, 1, 2], ranks: [3], dtypes: ["f32"] }),
      C: tensor([2, 5, 4], { agree: [0, 1, 2], ranks: [3], dtypes: ["f32"] }),
      D: tensor([3], { agree: [0], ranks: [1], dtypes: ["f32"] }),
      z: tensor([2, 5, 3], { agree: [0, 1, 2], ranks: [3], dtypes: ["f32"] }),
      h0: tensor([2, 3, 4], { agree: [0, 1, 2], ranks: [3], dtypes: ["f32"] }),
      deltaBias: tensor([3], { agree: [0], ranks: [1], dtypes: ["f32"] }),
      discretisation: word("euler"),
    },
    ({ u, delta, A, B, C, discretisation, ...options }) =>
      S.selectiveScan(u, delta, A, B, C, { ...options, discretisation: discretisation as "euler" }),
  ),
  scan: call(
    { xs: tensor([5, 3], { agree: [0], ranks: [2] }), zs: tensor([5, 2], { agree: [0] }), length: whole(5, 5, 5) },
    ({ xs, zs, length }) =>
      S.scan((h: S.Tensor, [x, z]: readonly S.Tensor[]) => [h, [x, z, h]], S.ones([3]), [xs, zs], { length }),
  ),
  associativeScan: call(
    { xs: tensor([5, 3], { agree: [0], ranks: [2, 3, 4] }), axis: whole(0, -2, 0) },
    ({ xs, axis }) =>
      S.associativeScan(
        (a: readonly S.Tensor[], b: readonly S.Tensor[]) => a.map((x, i) => x.add(b[i])),
        [xs, S.ones([5, 4])],
        { axis },
      ),
  ),
};

const choosing: Readonly<Record<string, Call>> = {
  sort: along((x, axis) => S.sort(x, axis)),
  argsort: along((x, axis) => S.argsort(x, axis)),
  topk: call({ x: tensor([2, 3], { ranks: [2, 3, 4] }), k: whole(2, 0, 3), axis: whole(1, -2, 1) }, ({ x, k, axis }) =>
    S.topk(x, k, axis),
  ),
  searchsorted: call(
    {
      sorted: tensor([2, 4], { agree: [0], ranks: [1, 2] }),
      values: tensor([2, 3], { agree: [0], ranks: [2] }),
      side: word("left"),
    },
    ({ sorted, values, side }) => S.searchsorted(sorted, values, { side: side as "left" }),
  ),
  bincount: call(
    {
      x: tensor([2, 3], { ...index, agree: [0, 1], ranks: [2] }),
      weights: tensor([2, 3], { agree: [0, 1], ranks: [2] }),
      length: whole(4, 0),
    },
    ({ x, ...options }) => S.bincount(x, options),
  ),
  "bincount of any length": call({ minLength: whole(4, 0) }, ({ minLength }) =>
    S.bincount(S.zeros([3], { dtype: "i32" }), { minLength }),
  ),
  gather: call(
    { x: tensor([2, 3], { ranks: [2] }), index: tensor([2, 3], { ...index, ranks: [2] }), axis: axisOf(2) },
    ({ x, index: at, axis }) => S.gather(x, axis, at),
  ),
  takeAlongAxis: call(
    {
      x: tensor([3, 4], { agree: [0], ranks: [2] }),
      index: tensor([3, 2], { ...index, agree: [0], ranks: [2] }),
      axis: whole(1, -2, 1),
    },
    ({ x, index: at, axis }) => S.takeAlongAxis(x, at, axis),
  ),
  indexSelect: call(
    { x: tensor([2, 3], { ranks: [2, 3, 4] }), index: tensor([5], index), axis: axisOf(2) },
    ({ x, index: at, axis }) => S.indexSelect(x, axis, at),
  ),
  scatterAdd: call(
    {
      x: tensor([2, 3], { agree: [0], ranks: [2], dtypes: numbers }),
      index: tensor([2, 4], { ...index, agree: [0, 1], ranks: [2] }),
      updates: tensor([2, 4], { agree: [0, 1], ranks: [2] }),
      axis: whole(1, -2, 1),
    },
    ({ x, index: at, updates, axis }) => S.scatterAdd(x, axis, at, updates),
  ),
  oneHot: call({ index: tensor([2, 3], index), classes: whole(4, 0) }, ({ index: at, classes }) =>
    S.oneHot(at, classes),
  ),
  tril: call({ x: tensor([2, 3], { ranks: [2, 3, 4] }), diagonal: anyWhole(0) }, ({ x, diagonal }) =>
    S.tril(x, diagonal),
  ),
  triu: call({ x: tensor([2, 3], { ranks: [2, 3, 4] }), diagonal: anyWhole(0) }, ({ x, diagonal }) =>
    S.triu(x, diagonal),
  ),
};

const complex = { agree: [2], ranks: [3, 4, 5] } as const;
const transforms: Readonly<Record<string, Call>> = {
  fft: call(
    { x: tensor([2, 5, 2], complex), axis: axisOf(2), n: whole(6, 1), norm: word("ortho") },
    ({ x, axis, n, norm }) => S.fft(x, axis, { n, norm: norm as "ortho" }),
  ),
  ifft: call(
    { x: tensor([2, 5, 2], complex), axis: axisOf(2), n: whole(6, 1), norm: word("ortho") },
    ({ x, axis, n, norm }) => S.ifft(x, axis, { n, norm: norm as "ortho" }),
  ),
  rfft: call(
    { x: tensor([2, 5], { ranks: [2, 3, 4] }), axis: axisOf(2), n: whole(6, 1), norm: word("ortho") },
    ({ x, axis, n, norm }) => S.rfft(x, axis, { n, norm: norm as "ortho" }),
  ),
  irfft: call(
    { x: tensor([2, 5, 2], complex), axis: axisOf(2), n: whole(6, 1), norm: word("ortho") },
    ({ x, axis, n, norm }) => S.irfft(x, axis, { n, norm: norm as "ortho" }),
  ),
  fft2: call({ x: tensor([4, 5, 2], complex), axes: list([0, 1], -2, 1), s: list([4, 6], 1) }, ({ x, axes, s }) =>
    S.fft2(x, axes as [number, number], { s: s as [number, number] }),
  ),
  ifft2: call({ x: tensor([4, 5, 2], complex), axes: list([0, 1], -2, 1), s: list([4, 6], 1) }, ({ x, axes, s }) =>
    S.ifft2(x, axes as [number, number], { s: s as [number, number] }),
  ),
  rfft2: call(
    { x: tensor([4, 5], { ranks: [2, 3, 4] }), axes: list([0, 1], -2, 1), s: list([4, 6], 1) },
    ({ x, axes, s }) => S.rfft2(x, axes as [number, number], { s: s as [number, number] }),
  ),
  irfft2: call({ x: tensor([4, 5, 2], complex), axes: list([0, 1], -2, 1), s: list([4, 6], 1) }, ({ x, axes, s }) =>
    S.irfft2(x, axes as [number, number], { s: s as [number, number] }),
  ),
  complexMul: call(
    {
      x: tensor([4, 2], { agree: [0, 1], ranks: [1, 2, 3, 4] }),
      y: tensor([4, 2], { agree: [0, 1], ranks: [1, 2, 3, 4] }),
    },
    ({ x, y }) => S.complexMul(x, y),
  ),
};

const rows: Readonly<Record<string, Call>> = {
  layerNorm: call(
    {
      x: tensor([2, 3], { agree: [1], ranks: [1, 2, 3, 4] }),
      shape: list([3], 3, 3),
      weight: tensor([3], { agree: [0], ranks: [0, 1] }),
      bias: tensor([3], { agree: [0], ranks: [0, 1] }),
    },
    ({ x, shape, weight, bias }) => S.layerNorm(x, shape, { weight, bias }),
  ),
  rmsNorm: call(
    {
      x: tensor([2, 3], { agree: [1], ranks: [1, 2, 3, 4] }),
      shape: list([3], 3, 3),
      weight: tensor([3], { agree: [0], ranks: [0, 1] }),
    },
    ({ x, shape, weight }) => S.rmsNorm(x, shape, { weight }),
  ),
  softmax: along((x, axis) => S.softmax(x, axis)),
  logSoftmax: along((x, axis) => S.logSoftmax(x, axis)),
};

export const calls: Readonly<Record<string, Call>> = {
  ...convolutions,
  ...products,
  ...scans,
  ...choosing,
  ...transforms,
  ...rows,
};
