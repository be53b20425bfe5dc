// Whose name an error has: the operation the user called, however it is composed; in the user's own code, the one called there.

import { expect, it } from "vitest";
import * as S from "../../engine/index.ts";
import { crossEntropy, Embedding } from "../../nn/index.ts";

const nameOf = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    if (error instanceof S.SluiceError) return error.op;
    throw error;
  }
  return "nothing is wrong";
};
const indices = (...values: number[]): S.Tensor => S.tensor(values, { dtype: "i32" });
const [x, y] = [S.ones([2, 3]), S.ones([2, 3])];

it("is that of the outermost operation", () => {
  const inner = S.operation("inner", () => S.matmul(x, y));
  const outer = S.operation("outer", () => inner());
  expect(nameOf(outer)).toBe("outer");
  expect(nameOf(inner)).toBe("inner");
  expect(outer).toThrow(/^outer: shapes .* \(in matmul\)$/);
  // Nothing is left of an operation that threw.
  expect(nameOf(() => S.matmul(x, y))).toBe("matmul");
});

it("is that of what a callback calls", () => {
  const { ones } = S;
  expect(nameOf(() => S.scan((h: S.Tensor) => [h.matmul(h), null], x, null, { length: 2 }))).toBe("matmul");
  expect(nameOf(() => S.associativeScan((a: S.Tensor) => a.matmul(a), ones([2, 3])))).toBe("matmul");
  const dropout = (weights: S.Tensor): S.Tensor => weights.reshape([7]);
  expect(nameOf(() => S.scaledDotProductAttention(x, x, x, { dropout }))).toBe("reshape");
});

it("is that of who asked for what is evaluated later", () => {
  const chosen = S.indexSelect(x, 0, indices(0, 5));
  expect(nameOf(() => S.unique(chosen))).toBe("indexSelect");
});

it("goes with indices through layers, losses and gradients", () => {
  const table = new Embedding(4, 2);
  expect(() => table.forward(indices(1, 4)).dataSync()).toThrow(
    "Embedding: index 4 is out of range for axis 0 of length 4 (argument ids)",
  );
  const loss = (logits: S.Tensor): S.Tensor => crossEntropy(logits, indices(0, 3));
  const text = "crossEntropy: index 3 is out of range for axis 1 of length 3 (argument targets)";
  expect(() => loss(x).dataSync()).toThrow(text);
  const both = S.compile((logits: S.Tensor) => S.valueAndGrad(loss)(logits));
  expect(() => both(x)).toThrow(text);
});
