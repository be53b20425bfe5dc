// grad, vjp, jvp, customGradient and backward agree with each other and with analysis.

import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import * as S from "../../engine/index.ts";
import { sizeOf } from "../../engine/index.ts";
import { seeds, shapes, tensorOf, valuesOf } from "../../testing/index.ts";

beforeAll(() => S.setBackend("reference"));

const scalar = (value: number, requiresGrad = false) => S.tensor(value, { dtype: "f64", requiresGrad });
const drawn = fc
  .tuple(shapes({ maxSize: 12 }), seeds)
  .map(([shape, seed]) => [0, 1, 2].map((i) => tensorOf(valuesOf("real", sizeOf(shape), seed, i), shape, "f64")));
const f = (a: S.Tensor, b: S.Tensor) => a.mul(b).tanh().add(a.square());

it("backward fills what grad returns", () => {
  fc.assert(
    fc.property(drawn, ([x, y]) => {
      x.requiresGrad = true;
      y.requiresGrad = true;
      f(x, y).sum().backward();
      const [gx, gy] = S.grad((a: S.Tensor, b: S.Tensor) => f(a, b).sum())(x.detach(), y.detach());
      expect(x.grad?.toArray()).toEqual(gx.toArray());
      expect(y.grad?.toArray()).toEqual(gy.toArray());
    }),
    { numRuns: 30 },
  );
});

it("jvp and vjp are adjoint: <vjp(w), v> = <w, jvp(v)>", () => {
  fc.assert(
    fc.property(drawn, ([x, v, w]) => {
      const g = (a: S.Tensor) => a.sin().mul(a);
      const [, pullBack] = S.vjp(g, x);
      const [, pushed] = S.jvp(g, [x], [v]);
      expect(pullBack(w)[0].mul(v).sum().item()).toBeCloseTo(w.mul(pushed).sum().item(), 10);
    }),
    { numRuns: 30 },
  );
});

describe("higher derivatives", () => {
  it("of x^5, five times", () => {
    let g = (x: S.Tensor): S.Tensor => x.pow(5);
    const at2 = [32, 80, 160, 240, 240, 120];
    for (const expected of at2) {
      expect(g(scalar(2)).item()).toBeCloseTo(expected, 8);
      const inner = g;
      g = (x) => S.grad(inner)(x)[0];
    }
  });

  it("through a customGradient that uses its output", () => {
    const exp = S.customGradient(
      (x: S.Tensor) => x.exp(),
      (seed, output) => [seed.mul(output)],
    );
    let g = (x: S.Tensor): S.Tensor => exp(x);
    for (let order = 0; order < 4; order++) {
      expect(g(scalar(0.3)).item()).toBeCloseTo(Math.exp(0.3), 12);
      const inner = g;
      g = (x) => S.grad(inner)(x)[0];
    }
  });
});

describe("gradients stop", () => {
  it("at stopGradient, detach, comparisons and noGrad", () => {
    const x = scalar(3, true);
    x.mul(x.stopGradient())
      .add(x.detach())
      .add(S.noGrad(() => x.square()))
      .backward();
    expect(x.grad?.item()).toBe(3);
    expect(() => x.greater(1).cast("f64").detach().backward()).toThrow(S.GradientError);
  });

  it("a result becomes a leaf where it is asked to, unless it has a history", () => {
    const x = S.randn([3], { dtype: "f64", requiresGrad: true, generator: S.generator(1) });
    const y = x.detach().mul(2);
    y.requiresGrad = true;
    x.mul(y).sum().backward();
    expect(x.grad?.toArray()).toEqual(y.toArray());
    expect(y.grad?.toArray()).toEqual(x.toArray());
    const z = x.mul(2);
    expect(() => {
      z.requiresGrad = true;
    }).toThrow(/use detach\(\) first/);
  });

  it("but accumulate over several backward calls", () => {
    const x = scalar(2, true);
    x.square().backward();
    x.mul(5).backward();
    expect(x.grad?.item()).toBe(9);
  });

  it("ties: maximum halves, max shares, clamp passes at its bounds, relu does not", () => {
    const at = (run: (x: S.Tensor) => S.Tensor, ...values: number[]) =>
      S.grad((x: S.Tensor) => run(x).sum())(S.tensor(values, { dtype: "f64" }))[0].toArray();
    expect(at((x) => x.maximum(0), 0)).toEqual([0.5]);
    expect(at((x) => x.max(), 1, 3, 3)).toEqual([0, 0.5, 0.5]);
    expect(at((x) => x.clamp(-1, 1), -2, -1, 0, 1, 2)).toEqual([0, 1, 1, 1, 0]);
    expect(at((x) => x.hardtanh(), -1, 0, 1)).toEqual([0, 1, 0]);
    expect(at((x) => x.relu(), -1, 0, 1)).toEqual([0, 0, 1]);
    expect(at((x) => x.abs(), -1, 0, 1)).toEqual([-1, 0, 1]);
    expect(at((x) => x.norm(), 0, 0)).toEqual([0, 0]);
    expect(at((x) => x.softplus(), 0)).toEqual([0.5]);
  });
});

it("gradients of parts of a tensor add up, whether the parts overlap, leave gaps or are side by side", () => {
  const cuts = fc.array(fc.tuple(fc.nat(7), fc.nat(7)), { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(cuts, fc.boolean(), seeds, (drawn, split, seed) => {
      const ends = drawn.flatMap(([start]) => start).sort((a, b) => a - b);
      const ranges = split
        ? ends.map((stop, i) => [i === 0 ? 0 : ends[i - 1], stop] as const)
        : drawn.map(([a, b]) => [Math.min(a, b), Math.max(a, b)] as const);
      const x = tensorOf(valuesOf("real", 14, seed), [2, 7], "f64");
      const w = ranges.map(([start, stop], i) =>
        tensorOf(valuesOf("real", 2 * (stop - start), seed, i), [2, stop - start], "f64"),
      );
      const total = (z: S.Tensor): S.Tensor =>
        ranges.reduce((sum, range, i) => sum.add(z.slice([null, range]).mul(w[i]).sum()), z.sum());
      const [g] = S.grad(total)(x);
      const expected = Array.from({ length: 14 }, () => 1);
      ranges.forEach(([start, stop], i) => {
        w[i].dataSync().forEach((value, k) => {
          const width = stop - start;
          expected[7 * Math.floor(k / width) + start + (k % width)] += value;
        });
      });
      for (const [k, value] of g.dataSync().entries()) expect(value).toBeCloseTo(expected[k], 12);
    }),
    { numRuns: 60 },
  );
});
