// Samples of products over rows sorted by group, and of the dispatch around them.

import fc from "fast-check";
import * as S from "../../../engine/index.ts";
import { sides } from "../../../testing/index.ts";
import { at, build, type Nd } from "../plain.ts";
import type { Case, Sample } from "./sample.ts";

const real = (shape: readonly number[]) => ({ shape, domain: "real" as const });
const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);
const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

/** Sizes of groups, with rows before the first and after the last that belong to none. */
export interface Groups {
  readonly sizes: readonly number[];
  readonly before: number;
  readonly after: number;
}

export const groups = (most: number, rows: number): fc.Arbitrary<Groups> =>
  fc.record({ sizes: fc.array(sides(0, rows), { maxLength: most }), before: fc.nat(1), after: fc.nat(1) });

export function offsetsOf({ sizes, before }: Groups): number[] {
  const offsets = [before];
  for (const size of sizes) offsets.push(offsets[offsets.length - 1] + size);
  return offsets;
}

export const rowsOf = ({ sizes, before, after }: Groups): number => sum(sizes) + before + after;

const groupedMatmul: Sample = (maxSize) => {
  const small = maxSize < 50;
  return fc
    .tuple(groups(small ? 2 : 4, small ? 1 : 5), sides(0, small ? 2 : 6), sides(0, small ? 2 : 6), fc.boolean())
    .map(([drawn, k, n, biased]): Case => {
      const offsets = offsetsOf(drawn);
      const [g, r] = [drawn.sizes.length, rowsOf(drawn)];
      const bounds = S.tensor(Int32Array.from(offsets));
      return {
        label: `rows [${r}, ${k}] at [${offsets}] to ${n}${biased ? " with bias" : ""}`,
        inputs: [real([r, k]), real([g, k, n]), ...(biased ? [real([g, n])] : [])],
        run: (x, w, bias) => S.groupedMatmul(x, w, bounds, { bias }),
        expected: (x, w, bias?: Nd) =>
          build([r, n], ([i, j]) => {
            const of = range(g).find((group) => i >= offsets[group] && i < offsets[group + 1]);
            if (of === undefined) return 0;
            return sum(range(k).map((p) => at(x, [i, p]) * at(w, [of, p, j]))) + (bias ? at(bias, [of, j]) : 0);
          }),
      };
    });
};

/** Choices in the order of their experts, stable. */
const sorted = (index: Nd): number[] => range(index.data.length).sort((p, q) => index.data[p] - index.data[q] || p - q);

const dispatched =
  (make: (b: number, k: number, experts: number) => Omit<Case, "label">): Sample =>
  (maxSize) =>
    fc
      .tuple(sides(0, maxSize < 50 ? 3 : 8), sides(1, 3), sides(1, 4))
      .map(([b, k, experts]) => ({ label: `[${b}, ${k}] of ${experts}`, ...make(b, k, experts) }));

const chosen = (b: number, k: number, experts: number) => ({ shape: [b, k], domain: { below: experts } });

export const experts: Record<string, Sample> = {
  groupedMatmul,
  dispatchByExpert: dispatched((b, k, n) => ({
    inputs: [chosen(b, k, n)],
    run: (index) => {
      const { order, places, offsets } = S.dispatchByExpert(index, n);
      return [order, places, offsets];
    },
    expected: (index) => [
      { shape: [b * k], data: sorted(index) },
      build([b * k], ([choice]) => sorted(index).indexOf(choice)),
      build([n + 1], ([e]) => index.data.filter((expert) => expert < e).length),
    ],
    flat: true,
  })),
  gatherByExpert: dispatched((b, k, n) => ({
    inputs: [real([b, 2]), chosen(b, k, n)],
    run: (x, index) => S.gatherByExpert(x, S.dispatchByExpert(index, n)),
    expected: (x, index) => build([b * k, 2], ([row, j]) => at(x, [Math.floor(sorted(index)[row] / k), j])),
  })),
  combineByExpert: dispatched((b, k, n) => ({
    inputs: [real([b * k, 2]), real([b, k]), chosen(b, k, n)],
    run: (y, weights, index) => S.combineByExpert(y, weights, S.dispatchByExpert(index, n)),
    expected: (y, weights, index) =>
      build([b, 2], ([s, j]) =>
        sum(range(k).map((c) => at(weights, [s, c]) * at(y, [sorted(index).indexOf(s * k + c), j]))),
      ),
  })),
};
