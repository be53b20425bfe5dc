// Positions: rotary products depend on distance alone, and every kind continues where it is told to.

import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { arange, iota, setBackend, type Tensor } from "../../engine/index.ts";
import * as nn from "../../nn/index.ts";
import { close, f64, normals, values } from "./tools.ts";

beforeAll(() => setBackend("wasm"));

const dtype = "f64";

describe("positions", () => {
  test("rotary products depend on distance alone; lengths stay", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 4 }), fc.nat(5000), fc.nat(5000), fc.boolean(), (half, at, shift, yarn) => {
        const rotary = new nn.RotaryEmbedding(2 * half, yarn ? { yarn: { factor: 4, originalLength: 256 } } : {});
        const [q, k] = [normals([1, 2 * half], at), normals([1, 2 * half], shift + 1)];
        const turned = (x: Tensor, position: number): Tensor =>
          rotary.forward(x, arange(position, position + 1, { dtype }));
        const product = (by: number): number =>
          turned(q, at + by)
            .mul(turned(k, by))
            .sum()
            .item();
        expect(product(shift)).toBeCloseTo(product(0), 8);
        const length = Math.sqrt(q.square().sum().item());
        expect(Math.sqrt(turned(q, at).square().sum().item())).toBeCloseTo(rotary.scale * length, 8);
      }),
      { numRuns: 20 },
    );
    expect(() => new nn.RotaryEmbedding(3)).toThrow(/even/);
  });

  test("YaRN keeps fast rotations, divides slow ones, and with factor 1 changes nothing", () => {
    const plain = new nn.RotaryEmbedding(128);
    const yarn = new nn.RotaryEmbedding(128, { yarn: { factor: 4, originalLength: 4096 } });
    expect(yarn.frequencies[0]).toBe(plain.frequencies[0]);
    expect(yarn.frequencies[63]).toBeCloseTo(plain.frequencies[63] / 4, 15);
    yarn.frequencies.forEach((f, i) => {
      expect(f).toBeLessThanOrEqual(plain.frequencies[i]);
      expect(f).toBeGreaterThanOrEqual(plain.frequencies[i] / 4 - 1e-18);
    });
    expect(yarn.scale).toBeCloseTo(0.1 * Math.log(4) + 1, 15);
    const one = new nn.RotaryEmbedding(128, { yarn: { factor: 1, originalLength: 4096 } });
    close(one.frequencies, plain.frequencies, 1e-15);
    expect(one.scale).toBe(1);
  });

  test("ALiBi's slopes are those of the paper", () => {
    expect(nn.alibiSlopes(8)).toEqual([1, 2, 3, 4, 5, 6, 7, 8].map((i) => 2 ** -i));
    expect(nn.alibiSlopes(3)).toEqual([2 ** -4, 2 ** -8, 2 ** -2]);
  });

  test("learned and fixed positions continue where they are told to", () => {
    const learned = new nn.LearnedPositions(6, 4, { dtype }).initialize(1);
    const x = normals([1, 5, 4], 1);
    for (const layer of [learned, new nn.SinusoidalPositions()]) {
      const whole = layer.forward(x).narrow(1, 2, 3);
      close(layer.forward(x.narrow(1, 2, 3), iota([3]).add(2)), values(whole), 1e-12);
    }
    expect(() => learned.forward(normals([1, 7, 4], 1))).toThrow(/T <= 6/);
  });
});

test("ALiBi's bias falls with distance, by each head's slope", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 9 }), fc.array(fc.nat(50), { minLength: 1, maxLength: 5 }), (heads, at) => {
      const positions = arange(0, at.length).mul(0).add(f64(at)).cast("i32");
      const bias = nn.alibiBias(heads, positions, positions, dtype);
      expect(bias.shape).toEqual([heads, at.length, at.length]);
      const expected = nn
        .alibiSlopes(heads)
        .flatMap((slope) => at.flatMap((q) => at.map((k) => -slope * Math.abs(q - k))));
      close(bias, expected, 1e-12);
    }),
    { numRuns: 20 },
  );
});
