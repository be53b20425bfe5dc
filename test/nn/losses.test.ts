// Losses: against their formulas, at extremes, and their gradients.

import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { gradcheck, gradgradcheck, setBackend, type Tensor, tensor } from "../../engine/index.ts";
import { binaryCrossEntropyWithLogits, crossEntropy, mseLoss } from "../../nn/index.ts";
import { f64, i32, normals } from "./tools.ts";

beforeAll(() => setBackend("wasm"));

const both = (fn: (...inputs: Tensor[]) => Tensor, inputs: Tensor[]): void => {
  gradcheck(fn, inputs);
  gradgradcheck(fn, inputs);
};

describe("cross-entropy", () => {
  test("is the mean of log sum exp - logit of the target", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 4 }),
        fc.integer({ min: 1, max: 5 }),
        fc.integer({ min: 0, max: 1e6 }),
        (b, c, seed) => {
          const logits = normals([b, c], seed);
          const targets = Array.from({ length: b }, (_, i) => (seed + i * 7) % c);
          const rows = logits.toArray() as number[][];
          const expected =
            rows.reduce(
              (sum, row, i) => sum + Math.log(row.reduce((s, v) => s + Math.exp(v), 0)) - row[targets[i]],
              0,
            ) / b;
          const loss = (x: Tensor): Tensor => crossEntropy(x, i32(targets));
          expect(loss(logits).item()).toBeCloseTo(expected, 12);
          both(loss, [logits]);
        },
      ),
      { numRuns: 8 },
    );
  });

  test("does not overflow", () => {
    expect(crossEntropy(tensor([[1e4, 0, -1e4]]), i32([0])).item()).toBeCloseTo(0, 12);
    expect(crossEntropy(tensor([[1e4, 0, -1e4]]), i32([2])).item()).toBe(2e4);
  });

  test("refuses what does not fit", () => {
    expect(() => crossEntropy(f64([[1, 2]]), i32([0, 1]))).toThrow(
      /logits \[B, C\] and targets \[B\], got \[1, 2\] and \[2\]/,
    );
    expect(() => crossEntropy(f64([[1, 2]]), f64([0]))).toThrow(/i32/);
  });
});

describe("squared error", () => {
  test("is the mean of squares, over the mask where there is one", () => {
    const [x, y] = [normals([3, 2], 1), normals([3, 2], 2)];
    const mask = tensor([
      [true, false],
      [false, false],
      [true, true],
    ]);
    const squares = (x.sub(y).square().toArray() as number[][]).flat();
    expect(mseLoss(x, y).item()).toBeCloseTo(squares.reduce((a, b) => a + b) / 6, 12);
    expect(mseLoss(x, y, mask).item()).toBeCloseTo((squares[0] + squares[4] + squares[5]) / 3, 12);
    both((a, b) => mseLoss(a, b), [x, y]);
    both((a, b) => mseLoss(a, b, mask), [x, y]);
  });

  test("is 0, not NaN, where the mask is empty, even next to infinite errors", () => {
    const none = tensor([false, false]);
    expect(mseLoss(f64([1, Number.POSITIVE_INFINITY]), f64([0, 0]), none).item()).toBe(0);
  });

  test("refuses what does not fit", () => {
    expect(() => mseLoss(f64([1]), f64([1, 2]))).toThrow(/\[1\] and \[2\] differ/);
    expect(() => mseLoss(f64([1]), tensor([1]))).toThrow(/f64 and f32/);
    expect(() => mseLoss(f64([1]), f64([1]), f64([1]))).toThrow(/bool/);
  });
});

test("binary cross-entropy is stable and has the right gradients", () => {
  const [x, y] = [f64([-2, 0.5, 3]), f64([0, 1, 0.25])];
  const expected = [-2, 0.5, 3].map((v, i) => {
    const p = 1 / (1 + Math.exp(-v));
    return -([0, 1, 0.25][i] * Math.log(p) + (1 - [0, 1, 0.25][i]) * Math.log(1 - p));
  });
  expect(binaryCrossEntropyWithLogits(x, y).item()).toBeCloseTo(expected.reduce((a, b) => a + b) / 3, 12);
  both((a, b) => binaryCrossEntropyWithLogits(a, b), [x, y]);
  expect(binaryCrossEntropyWithLogits(tensor([1000, -1000]), tensor([1, 0])).item()).toBe(0);
  expect(binaryCrossEntropyWithLogits(tensor([1000]), tensor([0])).item()).toBe(1000);
});
