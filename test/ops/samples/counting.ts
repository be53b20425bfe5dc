// Samples of finding and counting values: loops over all of them.

import fc from "fast-check";
import * as S from "../../../engine/index.ts";
import { shapes } from "../../../testing/index.ts";
import { build, lines, type Nd } from "../plain.ts";
import type { Case, Sample } from "./sample.ts";

const flat = (data: readonly number[]): Nd => ({ shape: [data.length], data });

/** Values, how often each occurs, and where each element's value stands. */
function distinct(x: Nd, order: readonly number[]): Nd[] {
  const inverse = x.data.map((value) => order.indexOf(value));
  return [
    flat(order),
    { shape: x.shape, data: inverse },
    flat(order.map((value) => x.data.filter((other) => other === value).length)),
  ];
}

/** Runs of equals, by comparing each element with the one before. */
function runs(x: Nd): Nd[] {
  const starts = x.data.flatMap((value, i) => (i === 0 || value !== x.data[i - 1] ? [i] : []));
  const runOf = x.data.map((_, i) => starts.filter((start) => start <= i).length - 1);
  return [
    flat(starts.map((start) => x.data[start])),
    { shape: x.shape, data: runOf },
    flat(starts.map((_, run) => runOf.filter((other) => other === run).length)),
  ];
}

const listOf = ({ values, inverse, counts }: S.Distinct): S.Tensor[] => [values, inverse, counts];

const ofIntegers =
  (run: (x: S.Tensor) => S.Tensor[], expected: (x: Nd) => Nd[]): Sample =>
  (maxSize) =>
    shapes({ maxSize: Math.min(maxSize, 64) }).map((shape) => ({
      label: `[${shape}]`,
      inputs: [{ shape, domain: "integer" }],
      run,
      expected,
      flat: true,
    }));

export const counting: Record<string, Sample> = {
  searchsorted: (maxSize) =>
    fc
      .tuple(
        shapes({ maxSize: Math.floor(maxSize / 4), maxRank: 2 }),
        fc.integer({ min: 0, max: 20 }),
        fc.integer({ min: 0, max: 20 }),
        fc.constantFrom("left" as const, "right" as const),
        fc.boolean(),
      )
      .map(([lead, n, m, side, shared]): Case => {
        const found = (line: readonly number[], value: number): number =>
          line.filter((element) => (side === "left" ? element < value : element <= value)).length;
        return {
          label: `[${lead}] ${m} of ${n} ${side}${shared ? " in one line" : ""}`,
          inputs: [
            { shape: shared ? [n] : [...lead, n], domain: "integer" },
            { shape: [...lead, m], domain: "integer" },
          ],
          run: (x, values) => S.searchsorted(S.sort(x).values, values, { side }),
          expected: (x, values) => {
            const all = lines(x, x.shape.length - 1, n, (line) => line.toSorted((a, b) => a - b));
            return build(values.shape, (index) => {
              const at = index.reduce((position, i, axis) => position * values.shape[axis] + i, 0);
              const row = shared ? 0 : Math.floor(at / m);
              return found(all.data.slice(row * n, (row + 1) * n), values.data[at]);
            });
          },
          flat: true,
        };
      }),
  bincount: (maxSize) =>
    fc.tuple(shapes({ maxSize: Math.floor(maxSize / 2) }), fc.nat(6), fc.boolean()).map(([shape, extra, weighted]) => ({
      label: `[${shape}] ${extra}${weighted ? " weighted" : ""}`,
      inputs: [{ shape, domain: { below: 5 } }, ...(weighted ? [{ shape, domain: "real" as const }] : [])],
      run: (x, weights?: S.Tensor) => [
        S.bincount(x, { minLength: extra, ...(weights && { weights }) }),
        S.bincount(x, { length: 5 + extra, ...(weights && { weights }) }),
      ],
      expected: (x, weights?: Nd) =>
        [Math.max(extra, ...x.data.map((value) => value + 1)), 5 + extra].map((length) =>
          flat(
            Array.from({ length }, (_, bin) =>
              x.data.reduce((sum, value, i) => (value === bin ? sum + (weights?.data[i] ?? 1) : sum), 0),
            ),
          ),
        ),
      flat: !weighted,
    })),
  unique: ofIntegers(
    (x) => listOf(S.unique(x)),
    (x) =>
      distinct(
        x,
        [...new Set(x.data)].sort((a, b) => a - b),
      ),
  ),
  uniqueConsecutive: ofIntegers((x) => listOf(S.uniqueConsecutive(x)), runs),
};
