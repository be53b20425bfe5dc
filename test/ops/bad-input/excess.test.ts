// Results, and intermediate values nobody sees, of more elements than an i32 can count: refused at the call.

import { describe, expect, it } from "vitest";
import * as S from "../../../engine/index.ts";

const side = 65536;
/** Of any size, one element in memory. */
const wide = (...shape: number[]): S.Tensor => S.broadcastTo(S.ones([]), shape);
const count = (...shape: number[]): S.Tensor => S.broadcastTo(S.zeros([], { dtype: "i32" }), shape);
const half = 2 ** 30;

const excesses: readonly (readonly [title: string, run: () => unknown])[] = [
  ["matmul", () => S.matmul(wide(side, 1), wide(1, side))],
  ["matmul of batches", () => S.matmul(wide(side, 256, 1), wide(1, 256))],
  ["outer", () => S.outer(wide(side), wide(side))],
  ["einsum", () => S.einsum("i,j->ij", wide(side), wide(side))],
  ["einsum of integers, between", () => S.einsum("ij,jk->ik", count(2048, 2048), count(2048, 2048))],
  ["einsum of three, between", () => S.einsum("ia,jb,kc->ijk", wide(2048, 1), wide(2048, 1), wide(2048, 1))],
  ["groupedMatmul", () => S.groupedMatmul(wide(side, 1), wide(1, 1, side), S.tensor([0, 1], { dtype: "i32" }))],
  ["dispatchByExpert, between", () => S.dispatchByExpert(count(2 ** 21), 1024)],
  [
    "scaledDotProductAttention, between",
    () => S.scaledDotProductAttention(wide(side, 1), wide(side, 1), wide(side, 1)),
  ],
  ["conv1d", () => S.conv1d(wide(1, 1, side), wide(side, 1, 1))],
  ["conv2d, between", () => S.conv2d(wide(1, 1, 16384, 16384), wide(1, 1, 3, 3))],
  ["conv2d, padded", () => S.conv2d(wide(1, 1, 2, 2), wide(1, 1, 1, 1), { padding: 2 ** 15 })],
  ["convTranspose1d", () => S.convTranspose1d(wide(1, 1, side), wide(1, 1, 1), { stride: side })],
  [
    "convTranspose1d, between",
    () => S.convTranspose1d(wide(1, 1, side), wide(1, 1, side), { stride: 2, padding: side }),
  ],
  ["maxPool1d, between", () => S.maxPool1d(wide(2 ** 20), 4096, { stride: 1 })],
  ["avgPool2d, padded", () => S.avgPool2d(wide(2, 2), 1, { padding: 2 ** 15 })],
  ["adaptiveAvgPool1d", () => S.adaptiveAvgPool1d(wide(side, 2), side)],
  ["adaptiveAvgPool1d, between", () => S.adaptiveAvgPool1d(wide(side), side)],
  ["oneHot", () => S.oneHot(count(side), side)],
  ["indexSelect", () => S.indexSelect(wide(2, side), 0, count(side))],
  ["takeAlongAxis", () => S.takeAlongAxis(wide(2, side), count(side, 1), 0)],
  ["bincount", () => S.bincount(count(4), { length: 2 ** 31 })],
  ["linearRecurrence", () => S.linearRecurrence(wide(side, 1), wide(side))],
  [
    "selectiveScan, between",
    () => {
      const [u, B] = [wide(1, side, 256), wide(1, side, 256)];
      return S.selectiveScan(u, u, wide(256, 256), B, B, { discretisation: "zoh" });
    },
  ],
  ["scan", () => S.scan((h: S.Tensor) => [h, h], S.ones([4]), null, { length: half })],
  ["scan, steps", () => S.scan((h: S.Tensor) => [h, null], S.ones([4]), null, { length: 2 ** 31 })],
  ["fft", () => S.fft(wide(2, 2), -1, { n: half })],
  ["fft, between", () => S.fft(wide(2, 2), -1, { n: 536870909 })],
  ["rfft2", () => S.rfft2(wide(2, 2), [0, 1], { s: [side, side] })],
  ["complexMul", () => S.complexMul(wide(side, 1, 2), wide(side, 2))],
  ["add", () => S.add(wide(side, 1), wide(side))],
  ["where", () => S.where(wide(side, 1).greater(0), wide(side), 0)],
  ["expand", () => S.expand(wide(side, 1), [side, side])],
  ["broadcastTo", () => S.broadcastTo(wide(side, 1), [side, side])],
  [
    "pad",
    () =>
      S.pad(wide(side, 1), [
        [0, 0],
        [0, side],
      ]),
  ],
  ["tile", () => S.tile(wide(side), [side])],
  ["repeat", () => S.repeat(wide(side), [side, 1])],
  ["repeatInterleave", () => S.repeatInterleave(wide(side), side, 0)],
  ["concat", () => S.concat([wide(half), wide(half)])],
  ["stack", () => S.stack([wide(half), wide(half)])],
  ["sum", () => S.sum(wide(0, side, side), 0)],
  ["zeros", () => S.zeros([side, side])],
  ["ones", () => S.ones([2 ** 31])],
  ["full", () => S.full([side, side], 1)],
  ["arange", () => S.arange(2 ** 31)],
  ["linspace", () => S.linspace(0, 1, 2 ** 31)],
  ["eye", () => S.eye(side)],
  ["iota", () => S.iota([side, side])],
  ["rand", () => S.rand([side, side])],
  ["randn", () => S.randn([side, side])],
  ["randint", () => S.randint(0, 2, [side, side])],
  ["bernoulli", () => S.bernoulli(0.5, { shape: [side, side] })],
  ["permutation", () => S.permutation(2 ** 31)],
  ["tensor", () => S.tensor([], { shape: [side, side] })],
];

describe("more elements than an i32 counts", () => {
  it.each(excesses)("%s", (title, run) => {
    let error: unknown;
    try {
      run();
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(S.SluiceError);
    const { message, op } = error as S.SluiceError;
    expect(op, message).toBe(title.split(/[ ,]/)[0]);
    expect(message).toContain("2147483647");
  });
});
