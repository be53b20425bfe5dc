// checkpoint(fn): the same values and gradients bit for bit, in less memory.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { checkpoint, compile, grad, manualSeed, rand, randn, type Tensor, tensor } from "../../engine/index.ts";

const values = (x: Tensor): number[] => Array.from(x.dataSync());

/** A tensor with values of its own, as data. */
const leaf = (shape: readonly number[], requiresGrad = false): Tensor =>
  tensor(randn(shape).dataSync(), { shape, requiresGrad });

/** Layers of a deep function, each with weights it closes over. */
const layer =
  (w: Tensor) =>
  (h: Tensor): Tensor =>
    h.matmul(w).tanh().exp().sin().mul(h);

describe("checkpoint", () => {
  test("values and gradients of arguments and of captured parameters are the same bits", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 4 }),
        fc.integer({ min: 1, max: 5 }),
        fc.integer({ min: 1, max: 6 }),
        fc.nat(1000),
        (depth, rows, width, seed) => {
          manualSeed(seed);
          const weights = Array.from({ length: depth }, () => leaf([width, width], true));
          const x = leaf([rows, width], true);
          const run = (wrap: (f: (h: Tensor) => Tensor) => (h: Tensor) => Tensor): number[][] => {
            for (const p of [x, ...weights]) p.grad = undefined;
            const y = weights.reduce((h, w) => wrap(layer(w))(h), x.mul(0.5)).sum();
            y.backward();
            return [values(y), ...[x, ...weights].map((p) => values(p.grad as Tensor))];
          };
          expect(run((f) => checkpoint(f))).toEqual(run((f) => f));
        },
      ),
      { numRuns: 40 },
    );
  });

  test("random numbers inside are drawn once", () => {
    const x = leaf([50], true);
    const drop = (h: Tensor): Tensor =>
      h
        .exp()
        .mul(rand([50]).less(0.5))
        .sin();
    const gradient = (f: (h: Tensor) => Tensor): number[] => {
      manualSeed(7);
      return values(grad((h: Tensor) => f(h).sum())(x)[0]);
    };
    expect(gradient(checkpoint(drop))).toEqual(gradient(drop));
  });

  test("second derivatives are the same", () => {
    const x = leaf([6]);
    const second = (f: (h: Tensor) => Tensor): number[] =>
      values(
        grad((h: Tensor) =>
          grad((k: Tensor) => f(k).sum())(h)[0]
            .square()
            .sum(),
        )(x)[0],
      );
    const curve = (h: Tensor): Tensor => h.sin().exp();
    const expected = second(curve);
    second(checkpoint(curve)).forEach((value, i) => {
      expect(Math.abs(value - expected[i])).toBeLessThanOrEqual(1e-5 * Math.max(1, Math.abs(expected[i])));
    });
  });

  test("a deep step needs less memory", () => {
    const weights = Array.from({ length: 8 }, () => leaf([32, 32], true));
    const x = leaf([64, 32]);
    const arena = (wrap: (f: (h: Tensor) => Tensor) => (h: Tensor) => Tensor): number => {
      const step = compile((input: Tensor) => {
        for (const w of weights) w.grad = undefined;
        weights
          .reduce((h, w) => wrap(layer(w))(h), input)
          .sum()
          .backward();
        return weights.map((w) => w.grad as Tensor);
      });
      step(x);
      return Number(/arena (\d+) bytes/.exec(step.explain())?.[1]);
    };
    expect(arena((f) => checkpoint(f))).toBeLessThan(0.6 * arena((f) => f));
  });
});
