// What follows a product elementwise is computed in its kernel: as many kernels as that takes, never more arrays than a
// kernel may have, and the same values.

import fc from "fast-check";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { planProgram } from "../../../engine/backends/gpu/program.ts";
import { compileGraph } from "../../../engine/compile/index.ts";
import * as S from "../../../engine/index.ts";
import { cutGraph } from "../../../engine/runtime/realize.ts";
import { modes } from "./modes.ts";

afterAll(() => S.setBackend("reference"));

const wave = (shape: readonly number[], salt: number): S.Tensor =>
  S.tensor(
    Float32Array.from({ length: S.sizeOf(shape) }, (_, i) => Math.sin(i * 1.7 + salt)),
    { shape },
  );

/** What the kernels of some values are for. */
function purposes(values: readonly S.Tensor[], tiles: "none" | "integer"): string[] {
  const program = compileGraph(cutGraph(values.map(({ node }) => node)));
  return planProgram(program, { maxArrays: 7, tiles }).steps.map(({ spec }) => spec.purpose);
}

const fused = "a product and what follows it";

describe("kernels", () => {
  beforeEach(() => S.setBackend("reference"));

  const layer = (m: number, k: number, n: number): S.Tensor =>
    S.add(S.gelu(S.add(S.matmul(wave([m, k], 1), wave([k, n], 2)), wave([n], 3))), wave([m, n], 4));

  it("are one for a product, its bias, activation and residual", () => {
    expect(purposes([layer(5, 7, 3)], "integer")).toEqual([fused]);
    expect(purposes([layer(64, 64, 64)], "none")).toEqual([fused]);
  });

  it("put tiles in order in passing", () => {
    expect(purposes([layer(64, 64, 64)], "integer")).toEqual(["a product of [64, 64] and [64, 64]", fused]);
  });

  it("do not compute a product twice", () => {
    const two = (side: number) => {
      const product = S.matmul(wave([side, side], 1), wave([side, side], 2));
      return purposes([S.exp(product), S.tanh(product)], "integer");
    };
    expect(two(5)).toEqual(["a product of [5, 5] and [5, 5]", "a loop", "a loop"]);
    expect(two(64)).toEqual(["a product of [64, 64] and [64, 64]", fused, fused]);
  });

  it("keep a product that is a result, or is read out of order", () => {
    const product = S.matmul(wave([5, 7], 1), wave([7, 5], 2));
    const alone = "a product of [5, 7] and [7, 5]";
    expect(purposes([product, S.exp(product)], "integer")).toEqual([alone, "a loop"]);
    expect(purposes([S.add(product, S.transpose(product))], "integer")).toEqual([alone, "a loop"]);
  });

  it("have no more arrays than they may", () => {
    const sum = (count: number) => {
      const residuals = Array.from({ length: count }, (_, i) => wave([5, 3], i));
      return purposes([residuals.reduce(S.add, S.matmul(wave([5, 7], 1), wave([7, 3], 2)))], "integer");
    };
    expect(sum(5)).toEqual([fused]);
    expect(sum(6)).toEqual(["a product of [5, 7] and [7, 3]", "a loop"]);
  });
});

const side = fc.oneof(fc.integer({ min: 0, max: 5 }), fc.integer({ min: 30, max: 70 }));
const layers = fc.record({ batch: fc.integer({ min: 1, max: 2 }), m: side, k: side, n: side, flip: fc.boolean() });

describe.each(modes)("mode %s", (mode) => {
  it("gives what the oracle gives, gradients too", { timeout: 60_000 }, async () => {
    const evaluate = async ({ batch, m, k, n, flip }: typeof layers extends fc.Arbitrary<infer T> ? T : never) => {
      const x = flip ? S.transpose(wave([batch, k, m], 1)) : wave([batch, m, k], 1);
      const [w, bias, residual] = [wave([k, n], 2), wave([n], 3), wave([batch, m, n], 4)];
      const run = (v: S.Tensor, b: S.Tensor) => S.add(S.tanh(S.add(S.matmul(x, v), b)), residual);
      const gradients = S.grad((v: S.Tensor, b: S.Tensor) => S.sum(S.square(run(v, b))))(w, bias);
      return Promise.all([run(w, bias), ...gradients].map(async (result) => Array.from(await result.data())));
    };
    for (const sides of fc.sample(layers, { numRuns: mode === "webgpu" ? 8 : 20 })) {
      await S.setBackend("reference");
      const expected = await evaluate(sides);
      await S.setBackend("gpu", { mode });
      const actual = await evaluate(sides);
      expected.forEach((values, i) => {
        const scale = Math.max(1, ...values.map(Math.abs));
        const worst = values.reduce((most, value, at) => Math.max(most, Math.abs(value - actual[i][at])), 0) / scale;
        expect(worst, `result ${i} of ${JSON.stringify(sides)}`).toBeLessThan(2e-5);
      });
    }
  });
});
