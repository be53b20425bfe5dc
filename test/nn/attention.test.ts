// Attention: what loops say, gradients over generated configurations, and equivalences of ways to compute.

import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { compile, iota, setBackend, type Tensor, tensor } from "../../engine/index.ts";
import * as nn from "../../nn/index.ts";
import { checkModule, close, normals, values } from "./tools.ts";

beforeAll(() => setBackend("wasm"));

const dtype = "f64";

interface Config {
  readonly kvHeads: number;
  readonly group: number;
  readonly causal: boolean;
  readonly window: number | undefined;
  readonly rotary: boolean;
  readonly alibi: boolean;
  readonly norm: boolean;
  readonly bias: boolean;
}

const configs: fc.Arbitrary<Config> = fc.record({
  kvHeads: fc.integer({ min: 1, max: 2 }),
  group: fc.integer({ min: 1, max: 3 }),
  causal: fc.boolean(),
  window: fc.option(fc.integer({ min: 1, max: 3 }), { nil: undefined }),
  rotary: fc.boolean(),
  alibi: fc.boolean(),
  norm: fc.boolean(),
  bias: fc.boolean(),
});

const attentionOf = (size: number, { kvHeads, group, rotary, norm, ...rest }: Config): nn.MultiHeadAttention =>
  new nn.MultiHeadAttention(size, {
    ...rest,
    heads: kvHeads * group,
    kvHeads,
    headSize: 2,
    rotary: rotary ? new nn.RotaryEmbedding(2) : undefined,
    queryKeyNorm: norm ? (features) => new nn.RMSNorm(features, { dtype }) : undefined,
    dtype,
  });

/** The attention written as loops over positions and heads, from its projections on. */
function byLoops(layer: nn.MultiHeadAttention, x: Tensor, config: Config): number[] {
  const [batch, steps] = x.shape;
  const { heads, kvHeads, headSize } = layer;
  const project = (linear: nn.Linear, count: number): number[][][][] =>
    linear.forward(x).reshape([batch, steps, count, headSize]).toArray() as number[][][][];
  const [q, k, v] = [project(layer.qProj, heads), project(layer.kProj, kvHeads), project(layer.vProj, kvHeads)];
  const slopes = nn.alibiSlopes(heads);
  const turn = (vector: number[], t: number): number[] =>
    config.rotary
      ? [vector[0] * Math.cos(t) - vector[1] * Math.sin(t), vector[1] * Math.cos(t) + vector[0] * Math.sin(t)]
      : vector;
  const mixed: number[] = [];
  for (let n = 0; n < batch; n++)
    for (let t = 0; t < steps; t++)
      for (let h = 0; h < heads; h++) {
        const g = Math.floor((h * kvHeads) / heads);
        const scores = Array.from({ length: steps }, (_, s) => {
          const near = config.window === undefined || Math.abs(t - s) < config.window;
          if (!near || (config.causal && s > t)) return Number.NEGATIVE_INFINITY;
          const [a, b] = [turn(q[n][t][h], t), turn(k[n][s][g], s)];
          const product = a.reduce((sum, value, i) => sum + value * b[i], 0) / Math.sqrt(headSize);
          return product - (config.alibi ? slopes[h] * Math.abs(t - s) : 0);
        });
        const powers = scores.map(Math.exp);
        const total = powers.reduce((a, b) => a + b);
        for (let i = 0; i < headSize; i++)
          mixed.push(powers.reduce((sum, p, s) => sum + (p / total) * v[n][s][g][i], 0));
      }
  return values(layer.oProj.forward(tensor(mixed, { shape: [batch, steps, heads * headSize], dtype })));
}

describe("MultiHeadAttention", () => {
  test("is what the loops say", () => {
    fc.assert(
      fc.property(configs, fc.integer({ min: 1, max: 4 }), fc.nat(99), (config, steps, seed) => {
        const plain = { ...config, norm: false };
        const layer = attentionOf(3, plain).initialize(seed);
        const x = normals([2, steps, 3], seed);
        close(layer.forward(x), byLoops(layer, x, plain), 1e-12);
      }),
      { numRuns: 20 },
    );
  });

  test("has gradients to second order", () => {
    fc.assert(
      fc.property(configs, fc.nat(99), (config, seed) => {
        const layer = attentionOf(2, config).initialize(seed);
        checkModule(layer, [normals([1, 2, 2], seed)], (x) => layer.forward(x));
      }),
      { numRuns: 4 },
    );
  });

  test("with a cache, in pieces of any size, it is the causal forward at once; compiled too", () => {
    fc.assert(
      fc.property(
        configs,
        fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 1, maxLength: 4 }),
        (config, pieces) => {
          const layer = attentionOf(4, { ...config, causal: true }).initialize(1);
          const steps = pieces.reduce((a, b) => a + b);
          const x = normals([2, steps, 4], steps);
          const cache = new nn.KVCache({ batch: 2, heads: config.kvHeads, capacity: steps + 2, size: 2, dtype });
          let at = 0;
          const parts = pieces.map((count) => {
            const part = layer.forward(x.narrow(1, at, count), { cache }).toArray() as number[][][];
            at += count;
            return part;
          });
          const whole = layer.forward(x).toArray() as number[][][];
          close(
            parts.flatMap((part) => part[0].flat()),
            whole[0].flat(),
            1e-12,
          );
          close(
            parts.flatMap((part) => part[1].flat()),
            whole[1].flat(),
            1e-12,
          );
        },
      ),
      { numRuns: 12 },
    );
    const layer = attentionOf(4, {
      kvHeads: 1,
      group: 2,
      causal: true,
      window: 3,
      rotary: true,
      alibi: true,
      norm: true,
      bias: true,
    }).initialize(2);
    const cache = new nn.KVCache({ batch: 1, heads: 1, capacity: 6, size: 2, dtype });
    const step = compile((token: Tensor) => layer.forward(token, { cache }));
    const x = normals([1, 6, 4], 3);
    const whole = (layer.forward(x).toArray() as number[][][])[0];
    for (const round of [1, 2]) {
      for (let t = 0; t < 6; t++) close(step(x.narrow(1, t, 1)), whole[t], 1e-12);
      cache.clear();
      expect(step.traces, `round ${round}`).toBe(1);
    }
    expect(() => layer.forward(normals([1, 7, 4], 1), { cache })).toThrow(/7 positions do not fit/);
  });

  test("padding changes nothing for the real positions, wherever it is, and gives no NaN", () => {
    fc.assert(
      fc.property(configs, fc.integer({ min: 1, max: 3 }), fc.boolean(), (config, pad, left) => {
        const layer = attentionOf(3, { ...config, alibi: false, window: undefined, rotary: false }).initialize(1);
        const x = normals([1, 3, 3], 1);
        const noise = normals([1, pad, 3], 2).mul(100);
        const parts = left ? [noise, x] : [x, noise];
        const real = new Array<boolean>(3).fill(true);
        const fake = new Array<boolean>(pad).fill(false);
        const padded = layer.forward(
          tensor(
            (parts.map((p) => p.toArray()) as number[][][][]).flatMap((p) => p[0]),
            { shape: [1, 3 + pad, 3], dtype },
          ),
          {
            keyMask: tensor([left ? [...fake, ...real] : [...real, ...fake]]),
          },
        );
        expect(values(padded).every(Number.isFinite)).toBe(true);
        close(padded.narrow(1, left ? pad : 0, 3), values(layer.forward(x)), 1e-12);
      }),
      { numRuns: 10 },
    );
  });

  test("a batch is its samples; a bool mask is a float mask of 0 and -Inf; causality is a mask", () => {
    fc.assert(
      fc.property(configs, (config) => {
        const layer = attentionOf(3, { ...config, causal: false }).initialize(1);
        const causal = attentionOf(3, { ...config, causal: true });
        for (const [i, p] of causal.parameters().entries()) p.copyFrom(layer.parameters()[i].dataSync());
        const x = normals([3, 4, 3], 1);
        const each = [0, 1, 2].flatMap((n) => values(layer.forward(x.narrow(0, n, 1))));
        close(layer.forward(x), each, 1e-12);
        const visible = iota([4, 4], 1).lessEqual(iota([4, 4], 0));
        const expected = values(causal.forward(x));
        close(layer.forward(x, { mask: visible }), expected, 1e-12);
        const hidden = tensor(0, { dtype })
          .broadcastTo([1, 1, 4, 4])
          .maskedFill(visible.logicalNot(), Number.NEGATIVE_INFINITY);
        close(layer.forward(x, { mask: hidden.broadcastTo([3, layer.heads, 4, 4]) }), expected, 1e-12);
      }),
      { numRuns: 8 },
    );
  });

  test("grouped queries are as many heads with their keys repeated", () => {
    const grouped = new nn.MultiHeadAttention(4, { heads: 4, kvHeads: 2, headSize: 2, dtype }).initialize(1);
    const plain = new nn.MultiHeadAttention(4, { heads: 4, headSize: 2, dtype });
    const spread = (p: Tensor): Tensor => p.unflatten(0, [2, 2]).repeatInterleave(2, 0).flatten(0, 1);
    for (const [name, own] of plain.namedParameters()) {
      const from = new Map(grouped.namedParameters()).get(name) as Tensor;
      own.copyFrom((/^[kv]Proj/.test(name) ? spread(from) : from).dataSync());
    }
    const x = normals([2, 3, 4], 1);
    close(grouped.forward(x), values(plain.forward(x)), 1e-12);
  });

  test("attention to a context has its sizes, and refuses an order", () => {
    const layer = new nn.MultiHeadAttention(4, { heads: 2, contextSize: 3, dtype }).initialize(1);
    const context = normals([2, 5, 3], 2);
    expect(layer.forward(normals([2, 3, 4], 1), { context }).shape).toEqual([2, 3, 4]);
    checkModule(layer, [normals([1, 1, 4], 1), normals([1, 2, 3], 2)], (x, c) => layer.forward(x, { context: c }));
    const causal = new nn.MultiHeadAttention(4, { heads: 2, causal: true });
    expect(() => causal.forward(normals([1, 2, 4], 1), { context: normals([1, 2, 4], 1) })).toThrow(/no order/);
    expect(() => new nn.MultiHeadAttention(5, { heads: 2 })).toThrow(/2 does not divide 5/);
    expect(() => layer.forward(normals([2, 4], 1))).toThrow(/\[N, T, size\]/);
    expect(() => layer.forward(normals([1, 2, 4], 1), { context, keyMask: tensor([[true]]) })).toThrow(/key mask/);
  });
});
