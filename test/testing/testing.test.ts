// What `sluice/testing` promises: arbitraries draw what they say, and its judges tell right from wrong.

import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import * as S from "../../engine/index.ts";
import {
  anyFloat,
  broadcastPartners,
  functionUlps,
  inputsOf,
  pairings,
  play,
  programs,
  roundingBounds,
  shapes,
  specialValues,
  tensorOf,
  views,
} from "../../testing/index.ts";
import { replay } from "../support/seed.ts";

beforeAll(() => S.setBackend("wasm"));

const { seed } = replay();

describe("arbitraries", () => {
  it("shapes have every rank to 4, and sides of 0 and 1 again and again", () => {
    const drawn = fc.sample(shapes(), { numRuns: 300, seed });
    expect(new Set(drawn.map((shape) => shape.length))).toEqual(new Set([0, 1, 2, 3, 4]));
    expect(new Set(drawn.flat())).toEqual(new Set([0, 1, 2, 3, 4, 5, 6, 7]));
    for (const side of [0, 1]) expect(drawn.filter((shape) => shape.includes(side)).length).toBeGreaterThan(40);
    expect(Math.max(...drawn.map(S.sizeOf))).toBeLessThanOrEqual(256);
  });

  it("partners broadcast to the shape they were made of", () => {
    fc.assert(
      fc.property(
        shapes().chain((shape) => fc.tuple(fc.constant(shape), broadcastPartners(shape))),
        ([shape, [a, b]]) => {
          expect(S.broadcastShapes("test", a, b)).toEqual(shape);
        },
      ),
    );
  });

  it("views have the shape asked for, and show elements of what lies underneath", () => {
    fc.assert(
      fc.property(
        shapes({ maxSize: 64 }).chain((shape) => fc.tuple(fc.constant(shape), views(shape))),
        ([shape, view]) => {
          const size = S.sizeOf(view.base);
          const x = view.apply(
            S.tensor(
              Float32Array.from({ length: size }, (_, i) => i + 1),
              { shape: view.base },
            ),
          );
          expect(x.shape).toEqual(shape);
          expect(Array.from(x.dataSync()).every((value) => value >= 1 && value <= size)).toBe(true);
        },
      ),
    );
    const names = fc
      .sample(
        shapes({ minRank: 2, minSide: 2 }).chain((shape) => views(shape)),
        { numRuns: 200, seed },
      )
      .map(({ name }) => name);
    for (const kind of ["contiguous", "permute", "slice", "flip", "reshape", "expand"]) {
      expect(
        names.some((name) => name.includes(kind)),
        kind,
      ).toBe(true);
    }
  });

  it("floats of all kinds include the special ones", () => {
    const drawn = fc.sample(anyFloat, { numRuns: 400, seed });
    for (const value of specialValues)
      expect(
        drawn.some((other) => Object.is(other, value)),
        String(value),
      ).toBe(true);
  });
});

describe("bounds of rounding", () => {
  it("hold for whole programs, and are known nearly everywhere", () => {
    let known = 0;
    let all = 0;
    fc.assert(
      fc.property(programs({ smooth: true }), (program) => {
        const bounds = roundingBounds(play(program, inputsOf(program)).map(({ x }) => x));
        play(program, inputsOf(program)).forEach(({ x, text }, i) => {
          x.dataSync().forEach((value, at) => {
            all += 1;
            known += Number(Number.isFinite(bounds[i].bounds[at]));
            const error = Math.abs(value - bounds[i].values[at]);
            if (!(error <= bounds[i].bounds[at])) expect.fail(`${error} > ${bounds[i].bounds[at]} at ${at} of ${text}`);
          });
        });
      }),
      { numRuns: 60 },
    );
    expect(known / all).toBeGreaterThan(0.95);
  });

  it("are as small as the computation allows: one function is its ulps, a copy is exact, a sum is n roundings", () => {
    const x = tensorOf([0.3, 1.7, 2.9, 5.1], [4]);
    const [exp, copy, total] = roundingBounds([S.exp(x), S.flip(x, 0), S.sum(x)]);
    exp.values.forEach((value, i) => {
      expect(exp.bounds[i]).toBeLessThanOrEqual(2 ** -23 * functionUlps.f32.exp * value * 1.001);
      expect(exp.bounds[i]).toBeGreaterThan(0);
    });
    expect(Array.from(copy.bounds)).toEqual([0, 0, 0, 0]);
    expect(total.bounds[0] / (4 * 2 ** -24 * 10)).toBeCloseTo(1, 4);
  });

  it("are infinite next to a jump or a pole", () => {
    const third = S.div(tensorOf([1], [1]), 3);
    const [jump, pole, apart] = roundingBounds([
      S.floor(S.mul(third, 3)),
      S.div(1, S.sub(S.mul(third, 3), 1)),
      S.floor(S.add(third, 0.5)),
    ]);
    expect(jump.bounds[0]).toBeGreaterThanOrEqual(1);
    expect(pole.bounds[0]).toBe(Number.POSITIVE_INFINITY);
    expect(apart.bounds[0]).toBe(0);
  });
});

describe("pairings", () => {
  const x = tensorOf([0.5, -1, 2], [3], "f64");
  const gap = (fn: (x: S.Tensor) => S.Tensor): number => {
    const [{ forward, backward, scale }] = pairings(fn, [x], 7);
    return Math.abs(forward - backward) / scale;
  };

  it("pair for what has a linear pull-back, and not for what has not", () => {
    expect(gap((a) => S.cumsum(S.sin(a)))).toBeLessThan(1e-12);
    const crooked = S.customGradient(
      (a: S.Tensor) => S.square(a),
      (given, _output, a) => [given.mul(given).mul(a)],
    );
    expect(gap(crooked)).toBeGreaterThan(1e-6);
  });
});
