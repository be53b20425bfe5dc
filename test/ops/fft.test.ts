// Fourier transforms of all kinds of length, short to long, prime or not: the definition in f64, their laws, their
// gradients through every way a length is taken apart, and what is refused.

import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import * as S from "../../engine/index.ts";
import { seeds, tensorOf, valuesOf } from "../../testing/index.ts";

beforeAll(() => S.setBackend("wasm"));
afterAll(() => S.setBackend("reference"));

/** One matrix; even and odd splits; three factors; a prime beyond the largest matrix, alone and as a factor. */
const lengths = fc.oneof(
  fc.integer({ min: 1, max: 256 }),
  fc.constantFrom(384, 400, 513, 625, 768, 1000, 1024),
  fc.constantFrom(257, 263, 509, 514, 1009, 771),
);

const signal = (n: number, seed: number, dtype: S.DType = "f64", lines = 1): S.Tensor =>
  tensorOf(valuesOf("real", lines * n * 2, seed), [lines, n, 2], dtype);

/** Distance of two tensors, as a part of the second's length. */
function distance(x: S.Tensor, y: S.Tensor): number {
  const [a, b] = [x.dataSync(), y.dataSync()];
  let [error, length] = [0, 0];
  for (let i = 0; i < b.length; i++) {
    error += (a[i] - b[i]) ** 2;
    length += b[i] ** 2;
  }
  expect(x.shape).toEqual(y.shape);
  return Math.sqrt(error / Math.max(length, 1e-300));
}

/** The defining sums of one line [1, n, 2], in f64. */
function definition(x: S.Tensor): S.Tensor {
  const values = x.dataSync();
  const n = values.length / 2;
  const waves = Array.from({ length: n }, (_, i) => [
    Math.cos((2 * Math.PI * i) / n),
    -Math.sin((2 * Math.PI * i) / n),
  ]);
  const sums = new Float64Array(2 * n);
  for (let k = 0; k < n; k++) {
    for (let j = 0; j < n; j++) {
      const [c, s] = waves[(j * k) % n];
      sums[2 * k] += values[2 * j] * c - values[2 * j + 1] * s;
      sums[2 * k + 1] += values[2 * j] * s + values[2 * j + 1] * c;
    }
  }
  return S.tensor(sums, { shape: x.shape });
}

const energy = (x: S.Tensor): number => Array.from(x.dataSync()).reduce((sum, value) => sum + value * value, 0);
const half = (n: number): number => Math.floor(n / 2) + 1;

describe("the definition", () => {
  it.each([
    ["f64", 4e-15],
    ["f32", 1e-6],
  ] as const)("in %s, error below %d of the whole", (dtype, bound) => {
    fc.assert(
      fc.property(lengths, seeds, (n, seed) => {
        const x = signal(n, seed, dtype);
        expect(distance(S.fft(x), definition(x))).toBeLessThan(bound);
        const real = x.select(-1, 0);
        const spectrum = definition(S.stack([real, S.zerosLike(real)], -1));
        expect(distance(S.rfft(real), spectrum.narrow(1, 0, half(n)))).toBeLessThan(bound);
      }),
      { numRuns: 25 },
    );
  });
});

describe("laws", () => {
  const law = (run: (n: number, seed: number, norm: S.FftNorm) => void) =>
    fc.assert(fc.property(lengths, seeds, fc.constantFrom("backward", "ortho", "forward"), run), { numRuns: 30 });

  it("the inverse gives the signal back, whatever the norm", () => {
    law((n, seed, norm) => {
      const x = signal(n, seed);
      expect(distance(S.ifft(S.fft(x, -1, { norm }), -1, { norm }), x)).toBeLessThan(4e-15);
      const real = x.select(-1, 1);
      expect(distance(S.irfft(S.rfft(real, -1, { norm }), -1, { n, norm }), real)).toBeLessThan(4e-15);
    });
  });

  it("Parseval: a unitary transform keeps the energy", () => {
    law((n, seed) => {
      const x = signal(n, seed);
      const ratio = energy(S.fft(x, -1, { norm: "ortho" })) / energy(x);
      expect(Math.abs(ratio - 1)).toBeLessThan(1e-14);
    });
  });

  it("convolution around a circle is multiplication of spectra", () => {
    fc.assert(
      fc.property(fc.constantFrom(1, 2, 7, 36, 300, 514, 521), seeds, (n, seed) => {
        const [x, y] = [0, 1].map((salt) => tensorOf(valuesOf("real", n, seed, salt), [n], "f64"));
        const [a, b] = [x, y].map((z) => Array.from(z.dataSync()));
        const sums = Array.from({ length: n }, (_, k) =>
          a.reduce((sum, value, j) => sum + value * b[(k - j + n) % n], 0),
        );
        const product = S.irfft(S.complexMul(S.rfft(x), S.rfft(y)), -1, { n });
        expect(distance(product, S.tensor(sums, { dtype: "f64" }))).toBeLessThan(1e-13);
      }),
      { numRuns: 14 },
    );
  });

  it("a transform of real numbers is half of the complex one, along any axis", () => {
    fc.assert(
      fc.property(lengths, seeds, fc.constantFrom(0, 1, 2), (n, seed, axis) => {
        const shape = [2, 3].toSpliced(axis, 0, n);
        const x = tensorOf(valuesOf("real", 6 * n, seed), shape, "f64");
        const whole = S.fft(S.stack([x, S.zerosLike(x)], -1), axis);
        expect(distance(S.rfft(x, axis), whole.narrow(axis, 0, half(n)))).toBeLessThan(4e-15);
        // What no real signal has as its first and middle element is not looked at.
        const any = tensorOf(valuesOf("real", 12 * half(n), seed, 1), [...shape.with(axis, half(n)), 2], "f64");
        const same = S.rfft(S.irfft(any, axis, { n }), axis);
        const ends = [0, ...(n % 2 === 0 ? [n / 2] : [])];
        const kept = S.arange(half(n), { dtype: "i32" }).reshape([-1, ...shape.slice(axis + 1).map(() => 1), 1]);
        const end = ends.reduce((found, k) => S.logicalOr(found, S.equal(kept, k)), S.less(kept, 0));
        const imaginary = S.tensor([false, true]);
        expect(distance(same, S.where(S.logicalAnd(end, imaginary), 0, any))).toBeLessThan(4e-15);
      }),
      { numRuns: 25 },
    );
  });

  it("is linear and shifts turn phases: a shifted signal has a spectrum of the same magnitudes", () => {
    law((n, seed) => {
      const x = signal(n, seed);
      const magnitudes = (z: S.Tensor): S.Tensor => S.sqrt(S.sum(S.square(z), -1));
      expect(distance(magnitudes(S.fft(S.roll(x, 1, 1))), magnitudes(S.fft(x)))).toBeLessThan(1e-13);
    });
  });
});

describe("gradients", () => {
  // A transform is linear: its gradient at any seed is its adjoint, <F x, y> = <x, F* y>, for every way to split.
  it.each([6, 300, 257, 514, 1000] as const)("of length %d are the adjoint", (n) => {
    const x = signal(n, n).detach();
    const y = signal(n, n + 1);
    const [pull] = S.grad((z: S.Tensor) => S.sum(S.mul(S.fft(z), y)))(x);
    // The adjoint of the forward sum is the unscaled inverse.
    expect(distance(pull, S.ifft(y, -1, { norm: "forward" }))).toBeLessThan(1e-14);
    const real = x.select(-1, 0);
    const [part] = S.grad((z: S.Tensor) => S.sum(S.mul(S.rfft(z), y.narrow(1, 0, half(n)))))(real);
    const padded = S.ifft(y.narrow(1, 0, half(n)), -1, { n, norm: "forward" });
    expect(distance(part, padded.select(-1, 0))).toBeLessThan(1e-14);
  });

  it("of a global filter, by central differences, to second order", () => {
    const x = tensorOf(valuesOf("real", 20, 3), [4, 5], "f64");
    const w = tensorOf(valuesOf("real", 24, 4), [4, 3, 2], "f64");
    const filter = (image: S.Tensor, weight: S.Tensor): S.Tensor =>
      S.irfft2(S.complexMul(S.rfft2(image, [-2, -1], { norm: "ortho" }), weight), [-2, -1], {
        s: [4, 5],
        norm: "ortho",
      });
    S.gradcheck(filter, [x, w]);
    S.gradgradcheck(filter, [x, w]);
  });
});

it("one compiled program gives the same bits, with any number of threads", () => {
  const x = signal(1000, 5, "f32", 16);
  const filter = (z: S.Tensor): S.Tensor => S.irfft(S.rfft(z.select(-1, 0)), -1, { n: 1000 });
  const before = S.getThreads();
  const results = [1, 2].map((threads) => {
    S.setThreads(threads);
    return [filter(x).dataSync(), S.compile(filter)(x).dataSync()];
  });
  S.setThreads(before);
  for (const result of results.flat()) expect(result).toEqual(results[0][0]);
});

it("lengths are cut off or filled up first", () => {
  const x = signal(6, 1);
  expect(distance(S.fft(x, -1, { n: 4 }), S.fft(x.narrow(1, 0, 4)))).toBe(0);
  const padded = S.pad(x, [
    [0, 0],
    [0, 3],
    [0, 0],
  ]);
  expect(distance(S.fft(x, -1, { n: 9 }), S.fft(padded))).toBe(0);
});

it("whole numbers are transformed in f32, and nothing of a batch of nothing", () => {
  expect(S.rfft(S.tensor([1, 2, 3], { dtype: "i32" })).dtype).toBe("f32");
  expect(S.fft(S.zeros([0, 4, 2])).shape).toEqual([0, 4, 2]);
  expect(S.fft(S.zeros([0, 4, 2])).dataSync().length).toBe(0);
  expect(S.irfft(S.zeros([3, 0, 5, 2]), -1).dataSync().length).toBe(0);
});

it("what cannot be transformed is said", () => {
  const x = S.zeros([4, 3]);
  expect(() => S.fft(x)).toThrow(/fft: needs complex numbers, .* got \[4, 3\]/);
  expect(() => S.rfft(S.zeros([3, 0]))).toThrow(
    /rfft: needs a whole length n in 1..2147483647 along axis -1 of \[3, 0\], got 0/,
  );
  expect(() => S.irfft(S.zeros([1, 2]))).toThrow(
    /irfft: needs a whole length n in 1..2147483647 along axis -1 of \[1, 2\], got 0/,
  );
  expect(() => S.rfft(x, -1, { n: 2.5 })).toThrow(/got 2.5/);
  expect(() => S.rfft(x, 2)).toThrow(/rfft: axis 2 is out of range for a tensor \[4, 3\] of rank 2/);
  expect(() => S.fft(S.zeros([4, 2]), 1)).toThrow(/fft: \[4, 2\]: axis 1 is out of range for a tensor of rank 1/);
  expect(() => S.rfft(x, -1, { norm: "none" as S.FftNorm })).toThrow(/norm must be "backward", "ortho" or "forward"/);
  expect(() => S.rfft2(x, [1, -1])).toThrow(/rfft2: needs two axes, got 1 twice/);
  expect(() => S.complexMul(x, x)).toThrow(/complexMul: needs real and imaginary parts in a last axis of 2/);
});
