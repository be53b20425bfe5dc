// Tensors without elements: every operation takes them where its inputs may be empty, with gradients, on both backends.

import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import * as S from "../../engine/index.ts";
import { expectClose, nd } from "../ops/plain.ts";
import { replay } from "../support/seed.ts";
import { cases, type Drawn, describeCase, inputsOf, listOf, operations } from "./operations.ts";

const i32 = (shape: readonly number[]): S.Tensor => S.zeros(shape, { dtype: "i32" });
const { zeros } = S;

/** Operations whose samples need a side of at least 1: called without rows here, and the shape that comes out. */
const noRows: Readonly<Record<string, readonly [run: (x: S.Tensor) => S.Tensor, shape: readonly number[]]>> = {
  scaledDotProductAttention: [(x) => S.scaledDotProductAttention(x, x, x), [0, 4]],
  fft: [(x) => S.fft(x.unflatten(-1, [2, 2])), [0, 2, 2]],
  ifft: [(x) => S.ifft(x.unflatten(-1, [2, 2])), [0, 2, 2]],
  rfft: [(x) => S.rfft(x), [0, 3, 2]],
  irfft: [(x) => S.irfft(x.unflatten(-1, [2, 2])), [0, 2]],
  fft2: [(x) => S.fft2(x.reshape([0, 2, 1, 2])), [0, 2, 1, 2]],
  ifft2: [(x) => S.ifft2(x.reshape([0, 2, 1, 2])), [0, 2, 1, 2]],
  rfft2: [(x) => S.rfft2(x.unflatten(-1, [2, 2])), [0, 2, 2, 2]],
  irfft2: [(x) => S.irfft2(x.reshape([0, 2, 2, 2])), [0, 2, 2]],
  takeAlongAxis: [(x) => S.takeAlongAxis(x, i32([0, 2]), 1), [0, 2]],
  gather: [(x) => S.gather(x, 1, i32([0, 2])), [0, 2]],
  indexSelect: [(x) => S.indexSelect(x, 1, i32([3])), [0, 3]],
  scatterAdd: [(x) => S.scatterAdd(x, 1, i32([0, 2]), zeros([0, 2])), [0, 4]],
  unflatten: [(x) => S.unflatten(x, 1, [2, 2]), [0, 2, 2]],
  softmax: [(x) => S.softmax(x), [0, 4]],
  logSoftmax: [(x) => S.logSoftmax(x), [0, 4]],
  layerNorm: [(x) => S.layerNorm(x, [4]), [0, 4]],
  rmsNorm: [(x) => S.rmsNorm(x, [4]), [0, 4]],
  maxPool1d: [(x) => S.maxPool1d(x, 2), [0, 2]],
  maxPool2d: [(x) => S.maxPool2d(x.unflatten(-1, [2, 2]), 2), [0, 1, 1]],
  avgPool1d: [(x) => S.avgPool1d(x, 2), [0, 2]],
  avgPool2d: [(x) => S.avgPool2d(x.unflatten(-1, [2, 2]), 2), [0, 1, 1]],
  adaptiveAvgPool1d: [(x) => S.adaptiveAvgPool1d(x, 2), [0, 2]],
  adaptiveAvgPool2d: [(x) => S.adaptiveAvgPool2d(x.unflatten(-1, [2, 2]), [1, 2]), [0, 1, 2]],
  rearrange: [(x) => S.rearrange("a (b c) -> c a b", x, { b: 2 }), [2, 0, 2]],
  reduce: [(x) => S.reduce("a b -> a", x, "max"), [0]],
  argmax: [(x) => S.cast(S.argmax(x, 1), "f32"), [0]],
  argmin: [(x) => S.cast(S.argmin(x, 1), "f32"), [0]],
  narrow: [(x) => S.narrow(x, 1, 1, 2), [0, 2]],
  select: [(x) => S.select(x, 1, 2), [0]],
  chunk: [(x) => S.chunk(x, 2, 1)[1], [0, 2]],
  topk: [(x) => S.topk(x, 2).values, [0, 2]],
};

const isEmpty = ([{ inputs }]: Drawn): boolean => inputs.some(({ shape }) => S.sizeOf(shape) === 0);
const drawn = (name: string): Drawn[] =>
  fc.sample(cases(name, 64), { numRuns: 150, seed: replay().seed }).filter(isEmpty).slice(0, 6);

it("every operation is tested without elements", () => {
  const without = operations.filter((name) => !Object.hasOwn(noRows, name) && drawn(name).length === 0);
  expect(without).toEqual([]);
});

describe.each(["reference", "wasm"] as const)("on %s", (backend) => {
  beforeAll(() => S.setBackend(backend));

  it.each(Object.entries(noRows))("%s of no rows", (_, [run, shape]) => {
    const x = S.zeros([0, 4]);
    const y = run(x);
    expect(y.shape).toEqual(shape);
    expect(y.dataSync().length).toBe(0);
    expect(S.grad((v: S.Tensor) => S.sum(run(v)))(x)[0].shape).toEqual([0, 4]);
  });

  it.each(operations.filter((name) => !Object.hasOwn(noRows, name)))("%s", (name) => {
    for (const one of drawn(name)) {
      const [{ run, expected, flat }] = one;
      const inputs = inputsOf(one, "f32");
      const results = listOf(run(...inputs));
      listOf(expected(...inputs.map(nd))).forEach((value, i) => {
        expectClose(results[i], value, { relative: 2e-5, absolute: 2e-5 }, describeCase(one));
      });
      if (flat === true) continue;
      const floats = inputs.filter((x) => S.isFloat(x.dtype));
      const loss = (...xs: S.Tensor[]): S.Tensor =>
        listOf(run(...inputs.map((x) => (S.isFloat(x.dtype) ? xs[floats.indexOf(x)] : x))))
          .map((y) => S.sum(y))
          .reduce((a, b) => S.add(a, b));
      S.grad(loss)(...floats).forEach((gradient, i) => {
        expect(gradient.shape).toEqual(floats[i].shape);
        expect(gradient.dataSync().length).toBe(floats[i].size);
      });
    }
  });
});
