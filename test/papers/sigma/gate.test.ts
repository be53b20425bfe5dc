// The dense selective gate: its curve, its bounds, and what mixes reduce to when parts are tied or switched off.

import fc from "fast-check";
import { beforeAll, expect, test } from "vitest";
import { concat, setBackend } from "../../../engine/index.ts";
import { type Histories, masked, realPositions } from "../../../papers/sigma/model/extent.ts";
import { DenseSelectiveGate, type GateName, gates, ReleasedGate } from "../../../papers/sigma/model/gate.ts";
import { GMamba } from "../../../papers/sigma/model/gmamba.ts";
import { close, f64, i32, normals, values } from "../../nn/tools.ts";

// Small shapes of many kinds: interpreted faster than compiled.
beforeAll(() => setBackend("reference"));

const dtype = "f64";

/** A gate of one channel whose delta is exactly its input: identities everywhere, the convolution's middle tap 1. */
function identityGate(): DenseSelectiveGate {
  const gate = new DenseSelectiveGate(1, { dtype }).eval();
  for (const [name, parameter] of gate.namedParameters()) {
    if (name === "conv.weight") parameter.copyFrom([0, 1, 0]);
    else parameter.copyFrom([name.endsWith("weight") ? 1 : 0]);
  }
  return gate;
}

/** Dg at each of the numbers. */
function curve(numbers: readonly number[]): number[] {
  const x = f64(numbers.map((value) => [[value]]));
  return values(identityGate().forward(both({ x, real: undefined }), undefined).forwards);
}

const both = <T>(x: T): { forwards: T; flipped: T } => ({ forwards: x, flipped: x });

test("Dg(x) = (1 + x) sigmoid(x), at the printed points", () => {
  close(curve([-1, 0, 1, -2, -2.120028]), [0, 0.5, 1.462117, -0.119203, -0.120028], 5.1e-7);
  fc.assert(
    fc.property(fc.double({ min: -30, max: 30, noNaN: true }), (x) => {
      close(curve([x]), [(1 + x) / (1 + Math.exp(-x))], 1e-12);
    }),
    { numRuns: 20 },
  );
});

test("it can shrink a channel a little, never close it: Z / M lies in (0.879, inf), and grows like 2 + x", () => {
  const grid = Array.from({ length: 2001 }, (_, i) => (i - 1000) / 50);
  const least = Math.min(...curve(grid));
  expect(1 + least).toBeGreaterThan(0.879);
  // At the minimum x*, Dg(x*) = x* + 2.
  const at = -2.12002824;
  expect(curve([at])[0]).toBeCloseTo(at + 2, 7);
  expect(least).toBeGreaterThanOrEqual(curve([at])[0]);
  close(curve([40]), [41], 1e-12);
});

const sizes = fc.record({
  size: fc.integer({ min: 1, max: 4 }),
  steps: fc.integer({ min: 1, max: 6 }),
  seed: fc.nat(1000),
});

const histories = (size: number, steps: number, seed: number): Histories => ({
  x: normals([2, steps, size], seed),
  real: undefined,
  lengths: i32([steps, Math.max(1, steps - 1)]),
});

test("a gate of zeros gives Z = 1.5 M, the scalar gate starts there, and off is Z = M", () => {
  fc.assert(
    fc.property(sizes, fc.constantFrom<GateName>("paper", "scalar", "off"), ({ size, steps, seed }, gate) => {
      const block = new GMamba(size, { states: 2, gate, dtype }).initialize(seed).eval();
      if (gate === "paper")
        for (const parameter of block.gate?.parameters() ?? []) parameter.copyFrom(zerosOf(parameter));
      const given = histories(size, steps, seed);
      const { outputs } = block.pfMamba.forward(given, undefined);
      const z = block.branches(given, undefined);
      const factor = gate === "off" ? 1 : 1.5;
      close(z.forwards, values(outputs.forwards.mul(factor)), 1e-13);
      close(z.flipped, values(outputs.flipped.mul(factor)), 1e-13);
    }),
    { numRuns: 12 },
  );
});

const zerosOf = ({ size }: { readonly size: number }): Float64Array => new Float64Array(size);

test("with r >= len and the gates of both directions tied, mix = (a1 + a2) Z + a3 F", () => {
  fc.assert(
    fc.property(sizes, ({ size, steps, seed }) => {
      const block = new GMamba(size, { states: 2, kept: steps, projection: false, dtype }).initialize(seed).eval();
      const { gate } = block;
      if (!(gate instanceof DenseSelectiveGate)) throw new Error("the paper's gate is the default");
      gate.inFlipped.weight.copyFrom(values(gate.inForwards.weight));
      gate.inFlipped.bias?.copyFrom(values(gate.inForwards.bias ?? f64([])));
      block.mix.copyFrom([0.7, -0.4, 0.3]);
      const given = histories(size, steps, seed);
      const { forwards, features } = block.branches(given, undefined);
      close(block.forward(given, undefined), values(forwards.mul(0.3).add(features?.mul(0.3) ?? 0)), 1e-12);
    }),
    { numRuns: 12 },
  );
});

test("softmax weights add up to 1 whatever the numbers", () => {
  const block = new GMamba(2, { mixNorm: "softmax", states: 2, dtype });
  const e = [0.8, 0.1, 0.1].map(Math.exp);
  close(
    block.weights(),
    e.map((v) => v / (e[0] + e[1] + e[2])),
    1e-14,
  );
  close(new GMamba(2, { states: 2, dtype }).weights(), [0.8, 0.1, 0.1], 0);
});

test("reading one position is reading all and picking it, for every gate and feature path", () => {
  const options = fc.record({
    gate: fc.constantFrom<GateName>("paper", "release", "scalar", "off"),
    featureExtract: fc.constantFrom("gru", "conv", "off"),
    flipMode: fc.constantFrom("valid", "padded", "off"),
    deltaTied: fc.boolean(),
    maskPad: fc.boolean(),
  } as const);
  fc.assert(
    fc.property(
      options,
      sizes,
      fc.array(fc.nat(5), { minLength: 2, maxLength: 2 }),
      (given, { size, steps, seed }, cut) => {
        const { maskPad, ...own } = given;
        const block = new GMamba(size, { states: 2, kept: 2, dtype, ...own }).initialize(seed).eval();
        const lengths = cut.map((n) => 1 + (n % steps));
        const real = realPositions(i32(lengths), steps);
        const x = masked(normals([2, steps, size], seed), maskPad ? real : undefined);
        const all = { x, real: maskPad ? real : undefined, lengths: i32(lengths) };
        const picked = block.forward(all, undefined);
        const expected = concat(lengths.map((length, i) => picked.narrow(0, i, 1).narrow(1, length - 1, 1)));
        close(block.forward(all, { lengths: all.lengths }), values(expected), 1e-12);
      },
    ),
    { numRuns: 24 },
  );
});

test("gates by name", () => {
  expect(gates.release(2, {})).toBeInstanceOf(ReleasedGate);
  expect(gates.off()).toBeUndefined();
  expect(() => new DenseSelectiveGate(2, { dropout: 1 })).toThrow(/rate must be in \[0, 1\), got 1/);
});
