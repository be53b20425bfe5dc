// Samples of Fourier transforms: the defining sums, in f64.

import fc from "fast-check";
import * as S from "../../../engine/index.ts";
import { shapes } from "../../../testing/index.ts";
import { at, broadcast, build, lines, type Nd } from "../plain.ts";
import { front, type Sample } from "./sample.ts";

type Shape = readonly number[];

const norms = ["backward", "ortho", "forward"] as const;

/** What the sum is divided by. */
const scaleOf = (norm: S.FftNorm, n: number, sign: number): number =>
  norm === "ortho" ? 1 / Math.sqrt(n) : (norm === "backward") === (sign === 1) ? 1 / n : 1;

const part = (x: Nd, which: number): Nd => build(x.shape.slice(0, -1), (index) => at(x, [...index, which]));

const pairs = (re: Nd, im: Nd): Nd =>
  build([...re.shape, 2], (index) => at(index[index.length - 1] === 0 ? re : im, index.slice(0, -1)));

const combine = (x: Nd, y: Nd, f: (x: number, y: number) => number): Nd => ({
  shape: x.shape,
  data: x.data.map((value, i) => f(value, y.data[i])),
});

/** sum over j of x_j e^(sign 2 pi i jk/n) by its definition; the line is cut off or filled up to n. */
export function definition(x: Nd, axis: number, n: number, norm: S.FftNorm, sign: number): Nd {
  const scale = scaleOf(norm, n, sign);
  const sums = (of: Nd, wave: (angle: number) => number): Nd =>
    lines(of, axis, n, (line) =>
      Array.from({ length: n }, (_, k) =>
        line.slice(0, n).reduce((sum, value, j) => sum + scale * value * wave((2 * Math.PI * ((j * k) % n)) / n), 0),
      ),
    );
  const [re, im] = [part(x, 0), part(x, 1)];
  const sin = (angle: number): number => sign * Math.sin(angle);
  return pairs(
    combine(sums(re, Math.cos), sums(im, sin), (a, b) => a - b),
    combine(sums(re, sin), sums(im, Math.cos), (a, b) => a + b),
  );
}

const zeros = (x: Nd): Nd => ({ shape: x.shape, data: x.data.map(() => 0) });

const cut = (x: Nd, axis: number, length: number): Nd => build(x.shape.with(axis, length), (index) => at(x, index));

const toHalf = (x: Nd, axis: number, n: number, norm: S.FftNorm): Nd =>
  cut(definition(pairs(x, zeros(x)), axis, n, norm, -1), axis, Math.floor(n / 2) + 1);

/** The real numbers whose half spectrum this is: the other half is its mirror image, the ends are real. */
function fromHalf(x: Nd, axis: number, n: number, norm: S.FftNorm): Nd {
  const whole = build(x.shape.with(axis, n), (index) => {
    const k = index[axis];
    const mirrored = 2 * k > n;
    const from = index.with(axis, mirrored ? n - k : k);
    if (from[axis] >= x.shape[axis]) return 0;
    const imaginary = index[index.length - 1] === 1;
    if (imaginary && (k === 0 || 2 * k === n)) return 0;
    return imaginary && mirrored ? -at(x, from) : at(x, from);
  });
  return part(definition(whole, axis, n, norm, 1), 0);
}

interface Drawn {
  readonly shape: Shape;
  readonly axis: number;
  readonly n: number | undefined;
  readonly norm: S.FftNorm;
}

const drawn = (maxSize: number): fc.Arbitrary<Drawn> =>
  shapes({ maxSize: Math.floor(maxSize / 2), minRank: 1, maxRank: 3, minSide: 1, maxSide: 12 }).chain((shape) =>
    fc.record({
      shape: fc.constant(shape),
      axis: fc.integer({ min: -shape.length, max: shape.length - 1 }),
      n: fc.option(fc.integer({ min: 1, max: 12 }), { nil: undefined }),
      norm: fc.constantFrom(...norms),
    }),
  );

type Transform = (x: S.Tensor, axis?: number, options?: S.FftOptions) => S.Tensor;
type Expected = (x: Nd, axis: number, n: number | undefined, norm: S.FftNorm) => Nd;

const along =
  (run: Transform, complex: boolean, expected: Expected): Sample =>
  (maxSize) =>
    drawn(maxSize).map(({ shape, axis, n, norm }) => ({
      label: `[${shape}] axis ${axis} n ${n} ${norm}`,
      inputs: [{ shape: complex ? [...shape, 2] : shape, domain: "real" }],
      run: (x) => run(x, axis, { norm, ...(n === undefined ? {} : { n }) }),
      expected: (x) => expected(x, front(axis, shape.length), n, norm),
    }));

type Transform2 = (x: S.Tensor, axes?: readonly [number, number], options?: S.Fft2Options) => S.Tensor;
type Expected2 = (x: Nd, axes: readonly [number, number], norm: S.FftNorm) => Nd;

const alongBoth =
  (run: Transform2, complex: boolean, expected: Expected2): Sample =>
  (maxSize) =>
    shapes({ maxSize: Math.max(8, Math.floor(maxSize / 2)), minRank: 2, maxRank: 3, minSide: 2 }).chain((shape) =>
      fc
        .tuple(fc.shuffledSubarray([0, 1, 2].slice(0, shape.length), { minLength: 2, maxLength: 2 }), fc.nat(2))
        .map(([[first, second], which]) => ({
          label: `[${shape}] axes ${first}, ${second} ${norms[which]}`,
          inputs: [{ shape: complex ? [...shape, 2] : shape, domain: "real" as const }],
          run: (x: S.Tensor) => run(x, [first, second - shape.length], { norm: norms[which] }),
          expected: (x: Nd) => expected(x, [first, second], norms[which]),
        })),
    );

const side = (x: Nd, axis: number): number => x.shape[axis];
const both = (x: Nd, [first, second]: readonly [number, number], norm: S.FftNorm, sign: number): Nd =>
  definition(definition(x, first, side(x, first), norm, sign), second, side(x, second), norm, sign);

export const fourier: Record<string, Sample> = {
  fft: along(S.fft, true, (x, axis, n, norm) => definition(x, axis, n ?? side(x, axis), norm, -1)),
  ifft: along(S.ifft, true, (x, axis, n, norm) => definition(x, axis, n ?? side(x, axis), norm, 1)),
  rfft: along(S.rfft, false, (x, axis, n, norm) => toHalf(x, axis, n ?? side(x, axis), norm)),
  irfft: (maxSize) =>
    drawn(maxSize).chain(({ shape, axis, n, norm }) => {
      // Two elements at least, where the length follows from them.
      const a = front(axis, shape.length);
      const half = shape.with(a, Math.max(shape[a], n === undefined ? 2 : 1));
      return fc.constant({
        label: `[${half}] axis ${axis} n ${n} ${norm}`,
        inputs: [{ shape: [...half, 2], domain: "real" as const }],
        run: (x: S.Tensor) => S.irfft(x, axis, { norm, ...(n === undefined ? {} : { n }) }),
        expected: (x: Nd) => fromHalf(x, a, n ?? 2 * (half[a] - 1), norm),
      });
    }),
  fft2: alongBoth(S.fft2, true, (x, axes, norm) => both(x, axes, norm, -1)),
  ifft2: alongBoth(S.ifft2, true, (x, axes, norm) => both(x, axes, norm, 1)),
  rfft2: alongBoth(S.rfft2, false, (x, [first, second], norm) =>
    definition(toHalf(x, second, side(x, second), norm), first, side(x, first), norm, -1),
  ),
  irfft2: alongBoth(S.irfft2, true, (x, [first, second], norm) =>
    fromHalf(definition(x, first, side(x, first), norm, 1), second, 2 * (side(x, second) - 1), norm),
  ),
  complexMul: (maxSize) =>
    shapes({ maxSize: Math.floor(maxSize / 2), maxRank: 3 }).chain((shape) =>
      fc.boolean().map((row) => {
        const other = row ? shape.slice(-1) : shape;
        return {
          label: `[${shape}, 2] and [${other}, 2]`,
          inputs: [shape, other].map((of) => ({ shape: [...of, 2], domain: "real" as const })),
          run: (x: S.Tensor, y: S.Tensor) => S.complexMul(x, y),
          expected: (x: Nd, y: Nd) => {
            const [a, b, c, d] = [part(x, 0), part(x, 1), part(y, 0), part(y, 1)];
            const of = broadcast(a.shape, c.shape);
            const value = (z: Nd, index: readonly number[]): number =>
              at(z, index.slice(index.length - z.shape.length));
            return pairs(
              build(of, (i) => value(a, i) * value(c, i) - value(b, i) * value(d, i)),
              build(of, (i) => value(a, i) * value(d, i) + value(b, i) * value(c, i)),
            );
          },
        };
      }),
    ),
};
