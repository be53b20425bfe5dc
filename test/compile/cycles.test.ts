// No kernel runs before the kernels it reads from: second derivatives, whose graphs run to and fro between contractions.

import { expect, test } from "vitest";
import { setBackend, type Tensor, tensor, vjp } from "../../engine/index.ts";

test("a program is right at its first run, when its memory holds nothing yet", async () => {
  await setBackend("wasm");
  const leaf = (v: number): Tensor => tensor([[v]], { dtype: "f64" });
  const one = tensor(1, { dtype: "f64" });
  const [x, w, v, s] = [-1.05, 1.24, 0.5, -1.8];
  const f = (a: Tensor, b: Tensor, c: Tensor): Tensor => a.mul(a.matmul(b).square().matmul(c));
  const first = (...t: Tensor[]): Tensor[] =>
    vjp((...r: Tensor[]) => f(r[0], r[1], r[2]).mul(t[3]).sum(), t[0], t[1], t[2])[1](one);
  const second = (...t: Tensor[]): Tensor =>
    first(...t)
      .map((g, k) => g.mul(leaf(k + 1)).sum())
      .reduce((a, b) => a.add(b));
  const [gradient] = vjp(second, leaf(x), leaf(w), leaf(v), leaf(s))[1](one);
  // Of s (3 x^2 w^2 v + 2 * 2 x^3 w v + 3 x^3 w^2), which are the first derivatives of x^3 w^2 v, weighed by 1, 2, 3.
  expect(gradient.item()).toBeCloseTo(s * (6 * x * w * w * v + 12 * x * x * w * v + 9 * x * x * w * w), 10);
});
