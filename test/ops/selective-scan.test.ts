// The fused selective scan: the same as over stored states, whatever the sizes; pieces of a sequence; threads; memory.

import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { composedSelectiveScan } from "../../engine/autograd/selective.ts";
import * as S from "../../engine/index.ts";
import { sizeOf } from "../../engine/index.ts";
import { seeds, tensorOf, valuesOf } from "../../testing/index.ts";
import { agree } from "./plain.ts";

type Inputs = [u: S.Tensor, delta: S.Tensor, A: S.Tensor, B: S.Tensor, C: S.Tensor, h0: S.Tensor];

const sizes = fc.record({
  batch: fc.integer({ min: 1, max: 3 }),
  length: fc.oneof(fc.integer({ min: 1, max: 18 }), fc.constantFrom(32, 33, 70)),
  channels: fc.oneof(fc.integer({ min: 1, max: 9 }), fc.constantFrom(63, 64, 65, 130)),
  states: fc.oneof(fc.integer({ min: 1, max: 8 }), fc.constantFrom(16, 17, 33)),
  seed: seeds,
});

interface Sizes {
  readonly batch: number;
  readonly length: number;
  readonly channels: number;
  readonly states: number;
  readonly seed: number;
}

function inputsOf({ batch, length, channels, states, seed }: Sizes, dtype: S.DType): Inputs {
  const [whole, perState] = [
    [batch, length, channels],
    [batch, length, states],
  ];
  const shapes = [whole, whole, [channels, states], perState, perState, [batch, channels, states]];
  return shapes.map((shape, i) => {
    const values = valuesOf(i === 1 || i === 2 ? "unit" : "real", sizeOf(shape), seed, i);
    return tensorOf(i === 2 ? values.map((x) => -2 * x) : values.map((x) => x / 2), shape, dtype);
  }) as Inputs;
}

const fused = (...[u, delta, A, B, C, h0]: Inputs): S.Tensor[] => {
  const { y, state } = S.selectiveScan(u, delta, A, B, C, { h0 });
  return [y, state];
};
const composed = (...inputs: Inputs): S.Tensor[] =>
  composedSelectiveScan(inputs.map((x) => x.node)).map((node) => new S.Tensor(node));

const gradients = (run: typeof fused, inputs: Inputs): S.Tensor[] =>
  S.grad((...xs: S.Tensor[]) => {
    const [y, state] = run(...(xs as Inputs));
    return S.add(S.sum(S.sin(y)), S.sum(S.square(state)));
  })(...inputs);

function expectClose(actual: readonly S.Tensor[], expected: readonly S.Tensor[], tolerance: number): void {
  actual.forEach((x, i) => {
    const [xs, ys] = [x.dataSync(), expected[i].dataSync()];
    const scale = Array.from(ys).reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    const bad = xs.findIndex((value, j) => !agree(value, ys[j], { relative: tolerance, absolute: tolerance * scale }));
    expect(bad, `result ${i}: ${xs[bad]} instead of ${ys[bad]} at ${bad}`).toBe(-1);
    expect(xs.length).toBe(ys.length);
  });
}

describe.each(["reference", "wasm"] as const)("on %s", (backend) => {
  beforeAll(() => S.setBackend(backend));
  afterAll(() => S.setBackend("reference"));

  it("where decays are tiny, huge, infinite or NaN in some steps and ordinary in others", () => {
    const scales = fc.array(fc.constantFrom(1, 1, 40, 300, 1e-30, -60, Infinity, NaN), { minLength: 7, maxLength: 7 });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 6 }), scales, seeds, (channels, scale, seed) => {
        const [u, delta, A, B, C, h0] = inputsOf({ batch: 2, length: 7, channels, states: 3, seed }, "f32");
        const steps = S.mul(delta, S.tensor(scale).reshape([7, 1])).detach();
        const inputs: Inputs = [u, steps, A, B, C, h0];
        const [actual, expected] = [fused(...inputs), composed(...inputs)].map((list) => list.map((x) => x.dataSync()));
        actual.forEach((values, i) => {
          const bad = values.findIndex((x, j) => !agree(x, expected[i][j], { relative: 2e-5, absolute: 1e-5 }));
          expect(bad, `${values[bad]} instead of ${expected[i][bad]} at ${bad} of result ${i}`).toBe(-1);
        });
      }),
      { numRuns: 40 },
    );
  });

  it.each([["f64", 1e-11] as const, ["f32", 2e-5] as const])(
    "is the recurrence over stored states, %s",
    (dtype, tolerance) => {
      fc.assert(
        fc.property(sizes, (drawn) => {
          const small =
            backend === "wasm" ? drawn : { ...drawn, length: drawn.length % 20, channels: (drawn.channels % 9) + 1 };
          const inputs = inputsOf({ ...small, length: Math.max(1, small.length) }, dtype);
          expectClose(fused(...inputs), composed(...inputs), tolerance);
          expectClose(gradients(fused, inputs), gradients(composed, inputs), tolerance * 10);
        }),
        { numRuns: 25 },
      );
    },
  );

  it("a sequence in pieces, each from the last state, is the whole sequence", () => {
    const [u, delta, A, B, C] = inputsOf({ batch: 2, length: 11, channels: 3, states: 2, seed: 1 }, "f64");
    const whole = S.selectiveScan(u, delta, A, B, C);
    const piece = (start: number, stop: number, h0?: S.Tensor) => {
      const [v, d, b, c] = [u, delta, B, C].map((x) => x.slice([null, [start, stop]]));
      return S.selectiveScan(v, d, A, b, c, h0 === undefined ? {} : { h0 });
    };
    const first = piece(0, 4);
    const second = piece(4, 11, first.state);
    expectClose([S.concat([first.y, second.y], 1), second.state], [whole.y, whole.state], 1e-13);
  });
});

it("decays of every size are within 2 ulp of exp, and what rounding delta A costs", async () => {
  await S.setBackend("wasm");
  // Sizes of delta A around those where another way to the exponential begins, both signs, and subnormal results.
  const sizes = fc.constantFrom(1e-30, 1e-4, 0.02, 0.0866, 0.3, Math.LN2, 2, 20, 87, 103.5);
  const near = fc.double({ min: 0.9, max: 1.1, noNaN: true });
  fc.assert(
    fc.property(
      sizes,
      fc.boolean(),
      fc.array(near, { minLength: 9, maxLength: 9 }),
      near,
      (size, grows, list, step) => {
        const delta = Math.fround(step);
        const rates = Float32Array.from(list, (x) => (grows ? 1 : -1) * size * x);
        const zeros = S.zeros([1, 1, 9]);
        const [A, B] = [S.tensor(rates).reshape([9, 1]), S.zeros([1, 1, 1])];
        const { state } = S.selectiveScan(zeros, S.full([1, 1, 9], delta), A, B, B, { h0: S.ones([1, 9, 1]) });
        for (const [i, decay] of state.dataSync().entries()) {
          const x = delta * rates[i];
          const exact = Math.exp(x);
          if (exact > 3.4e38) continue;
          const bound = exact * (2 ** -22 + Math.abs(x) * 2 ** -22.8) + 2 ** -149;
          expect(Math.abs(decay - exact), `exp(${x}) is ${exact}, not ${decay}`).toBeLessThanOrEqual(bound);
        }
      },
    ),
  );
  const still = S.zeros([1, 3, 5]);
  const kept = S.selectiveScan(still, still, S.full([5, 2], -3), S.ones([1, 3, 2]), S.ones([1, 3, 2]), {
    h0: S.full([1, 5, 2], 0.7),
  });
  expect([...kept.state.dataSync()]).toEqual(new Array(10).fill(Math.fround(0.7)));
  await S.setBackend("reference");
});

it("computes the same bits on any number of threads", async () => {
  await S.setBackend("wasm");
  const before = S.getThreads();
  const inputs = inputsOf({ batch: 3, length: 40, channels: 130, states: 8, seed: 2 }, "f32");
  const results = [1, 2].map((threads) => {
    S.setThreads(threads);
    const run = S.compile((...xs: Inputs) => [...fused(...xs), ...gradients(fused, xs)]);
    return run(...inputs).map((x) => x.dataSync());
  });
  S.setThreads(before);
  await S.setBackend("reference");
  expect(results[1]).toEqual(results[0]);
});

it("stores no state for every step, forward or backward", async () => {
  await S.setBackend("wasm");
  const shape = { batch: 2, length: 64, channels: 32, states: 16, seed: 3 };
  const run = S.compile((...xs: Inputs) => gradients(fused, xs));
  run(...inputsOf(shape, "f32"));
  await S.setBackend("reference");
  const lengths = [...run.explain().matchAll(/f32x(\d+)/g)].map(([, length]) => Number(length));
  expect(Math.max(...lengths)).toBe(2 * 64 * 32);
});

it("errors name all shapes", () => {
  const [u, delta, A, B, C] = inputsOf({ batch: 2, length: 3, channels: 4, states: 5, seed: 1 }, "f32");
  expect(() => S.selectiveScan(u, delta, A, C, S.ones([2, 3, 4]))).toThrow(
    /selectiveScan: C must be \[2, 3, 5\], got u f32 \[2, 3, 4\], delta f32 \[2, 3, 4\], A f32 \[4, 5\]/,
  );
  expect(() => S.selectiveScan(u, delta, S.ones([4]), B, C)).toThrow(/u must be \[b, t, d\] and A \[d, n\]/);
  expect(() => S.selectiveScan(u, delta, A, B, S.cast(C, "f64"))).toThrow(S.DTypeError);
  expect(() => S.selectiveScan(u, delta, A, B, C, { h0: S.ones([2, 4]) })).toThrow(/h0 must be \[2, 4, 5\]/);
  expect(() => S.selectiveScan(u, 1 as unknown as S.Tensor, A, B, C)).toThrow(/delta must be a tensor, got a number/);
});
