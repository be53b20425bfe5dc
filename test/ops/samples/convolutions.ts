// Samples of convolutions, their transposes and pooling, by their definitions: plain loops over positions and taps.

import fc from "fast-check";
import * as S from "../../../engine/index.ts";
import { at, build, type Nd, sizeOf, unravel } from "../plain.ts";
import type { Case, Sample } from "./sample.ts";

const real = (shape: readonly number[]) => ({ shape, domain: "real" as const });
const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);
const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

/** One convolution's numbers; the sides of x follow from those of the result and `spare`, elements no window reaches. */
export interface Spec {
  readonly batch: number;
  readonly groups: number;
  readonly inputs: number;
  readonly outputs: number;
  readonly sides: readonly number[];
  readonly taps: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  readonly padding: readonly (readonly [number, number])[];
}

const reach = (taps: number, dilation: number): number => (taps - 1) * dilation + 1;

export const positionsOf = ({ sides, taps, strides, dilations, padding }: Spec): number[] =>
  sides.map((side, i) =>
    Math.floor((side + padding[i][0] + padding[i][1] - reach(taps[i], dilations[i])) / strides[i] + 1),
  );

/** Specs over one or two axes whose windows fit; `most` bounds the sides of everything. */
export const specs = (axes: number, most: number): fc.Arbitrary<Spec> => {
  const small = (max: number, min = 1) => fc.integer({ min, max: Math.max(min, max) });
  const each = <T>(one: fc.Arbitrary<T>) => fc.array(one, { minLength: axes, maxLength: axes });
  return fc
    .record({
      batch: fc.oneof({ weight: 5, arbitrary: small(2) }, { weight: 1, arbitrary: fc.constant(0) }),
      groups: small(most > 3 ? 3 : 2),
      inputs: small(most > 3 ? 3 : 1),
      outputs: small(most > 3 ? 3 : 1),
      sides: each(small(most)),
      taps: each(small(most > 3 ? 4 : 2)),
      strides: each(small(3)),
      dilations: each(small(2)),
      padding: each(fc.tuple(fc.nat(2), fc.nat(2))),
    })
    .map((drawn) => {
      // A side too short for its windows grows.
      const sides = drawn.sides.map((side, i) =>
        Math.max(side, reach(drawn.taps[i], drawn.dilations[i]) - drawn.padding[i][0] - drawn.padding[i][1]),
      );
      return { ...drawn, sides };
    });
};

export const shapesOf = ({ batch, groups, inputs, outputs, sides, taps }: Spec) => ({
  x: [batch, groups * inputs, ...sides],
  w: [groups * outputs, inputs, ...taps],
});

/** The element of x that a tap of a window reads, or undefined in the padding. */
function source(spec: Spec, position: readonly number[], tap: readonly number[]): number[] | undefined {
  const from = position.map((p, i) => p * spec.strides[i] + tap[i] * spec.dilations[i] - spec.padding[i][0]);
  return from.every((p, i) => p >= 0 && p < spec.sides[i]) ? from : undefined;
}

const indices = (shape: readonly number[]): number[][] => range(sizeOf(shape)).map((flat) => unravel(flat, shape));

export function convolve(spec: Spec, x: Nd, w: Nd, bias?: Nd): Nd {
  const { batch, groups, outputs, inputs } = spec;
  return build([batch, groups * outputs, ...positionsOf(spec)], ([n, o, ...position]) => {
    const first = Math.floor(o / outputs) * inputs;
    const terms = indices(spec.taps).flatMap((tap) => {
      const from = source(spec, position, tap);
      return range(from === undefined ? 0 : inputs).map(
        (c) => at(x, [n, first + c, ...(from as number[])]) * at(w, [o, c, ...tap]),
      );
    });
    return sum(terms) + (bias === undefined ? 0 : at(bias, [o]));
  });
}

/** The transpose by its definition: what each position gives to the elements its window reads. */
function transposed(spec: Spec, g: Nd, w: Nd): Nd {
  const { batch, groups, outputs, inputs, sides } = spec;
  const data = new Array<number>(batch * groups * inputs * sizeOf(sides)).fill(0);
  const shape = [batch, groups * inputs, ...sides];
  for (const [n, o, ...position] of indices(g.shape)) {
    for (const tap of indices(spec.taps)) {
      const to = source(spec, position, tap);
      if (to === undefined) continue;
      for (const c of range(inputs)) {
        const index = [n, Math.floor(o / outputs) * inputs + c, ...to];
        const flat = index.reduce((sumSoFar, i, axis) => sumSoFar * shape[axis] + i, 0);
        data[flat] += at(g, [n, o, ...position]) * at(w, [o, c, ...tap]);
      }
    }
  }
  return { shape, data };
}

const label = (spec: Spec): string => JSON.stringify(spec);

const convolution =
  (axes: number, run: typeof S.conv2d): Sample =>
  (maxSize) =>
    fc.tuple(specs(axes, maxSize < 50 ? 2 : 7), fc.boolean()).map(([spec, biased]): Case => {
      const { x, w } = shapesOf(spec);
      const { strides: stride, dilations: dilation, padding, groups } = spec;
      return {
        label: label(spec),
        inputs: [real(x), real(w), ...(biased ? [real([w[0]])] : [])],
        run: (a, b, bias) => run(a, b, { stride, dilation, padding, groups, bias }),
        expected: (a, b, bias) => convolve(spec, a, b, bias),
      };
    });

const convolutionTranspose =
  (axes: number, run: typeof S.convTranspose2d): Sample =>
  (maxSize) =>
    specs(axes, maxSize < 50 ? 2 : 5).map((spec): Case => {
      const positions = positionsOf(spec);
      const { strides: stride, dilations: dilation, padding, groups } = spec;
      const outputPadding = spec.sides.map((side, i) => {
        const whole = (positions[i] - 1) * stride[i] + reach(spec.taps[i], dilation[i]);
        return side + padding[i][0] + padding[i][1] - whole;
      });
      return {
        label: label(spec),
        inputs: [real([spec.batch, groups * spec.outputs, ...positions]), real(shapesOf(spec).w)],
        run: (g, w) => run(g, w, { stride, dilation, padding, groups, outputPadding }),
        expected: (g, w) => transposed(spec, g, w),
      };
    });

type Pool = (x: S.Tensor, size: readonly number[], options: S.PoolOptions) => S.Tensor;

const pooling =
  (axes: number, run: Pool, combine: (values: number[], size: number) => number, dilated: boolean): Sample =>
  (maxSize) =>
    specs(axes, maxSize < 50 ? 2 : 7).map((drawn): Case => {
      // No window may lie in the padding alone.
      const padding = drawn.padding.map(([p, q], i): [number, number] => {
        const most = drawn.taps[i] - 1;
        return [Math.min(p, most), Math.min(q, most)];
      });
      const dilations = drawn.taps.map(() => 1);
      const sides = drawn.sides.map((side, i) => Math.max(side, drawn.taps[i]));
      const spec = { ...drawn, padding, dilations, sides, groups: 1, inputs: 1, outputs: 1 };
      const { strides: stride, taps } = spec;
      return {
        label: label(spec),
        inputs: [real([2, ...sides])],
        run: (x) => run(x, taps, { stride, padding, ...(dilated ? { dilation: dilations } : {}) }),
        expected: (x) =>
          build([2, ...positionsOf(spec)], ([c, ...position]) => {
            const read = indices(taps).flatMap((tap) => {
              const from = source(spec, position, tap);
              return from === undefined ? [] : [at(x, [c, ...from])];
            });
            return combine(read, sizeOf(taps));
          }),
        distinct: dilated,
      };
    });

const largest = (values: number[]): number => Math.max(...values);
const mean = (values: number[], size: number): number => sum(values) / size;

const adaptive =
  (axes: number, run: (x: S.Tensor, size: number[]) => S.Tensor): Sample =>
  (maxSize) => {
    const each = fc.array(fc.integer({ min: 1, max: maxSize < 50 ? 3 : 7 }), { minLength: axes, maxLength: axes });
    return fc.tuple(each, each).map(([sides, outputs]) => ({
      label: `[${sides}] to [${outputs}]`,
      inputs: [real([2, ...sides])],
      run: (x) => run(x, outputs),
      expected: (x) =>
        build([2, ...outputs], ([c, ...position]) => {
          const starts = position.map((p, i) => Math.floor((p * sides[i]) / outputs[i]));
          const counts = position.map((p, i) => Math.ceil(((p + 1) * sides[i]) / outputs[i]) - starts[i]);
          const values = indices(counts).map((index) => at(x, [c, ...index.map((k, i) => starts[i] + k)]));
          return mean(values, values.length);
        }),
    }));
  };

export const convolutions: Record<string, Sample> = {
  conv1d: convolution(1, S.conv1d),
  conv2d: convolution(2, S.conv2d),
  convTranspose1d: convolutionTranspose(1, S.convTranspose1d),
  convTranspose2d: convolutionTranspose(2, S.convTranspose2d),
  maxPool1d: pooling(1, S.maxPool1d, largest, true),
  maxPool2d: pooling(2, S.maxPool2d, largest, true),
  avgPool1d: pooling(1, S.avgPool1d, mean, false),
  avgPool2d: pooling(
    2,
    (x, size, options) => S.avgPool2d(x, size, { ...options, countIncludePad: false }),
    (values) => mean(values, values.length),
    false,
  ),
  adaptiveAvgPool1d: adaptive(1, S.adaptiveAvgPool1d),
  adaptiveAvgPool2d: adaptive(2, S.adaptiveAvgPool2d),
};
