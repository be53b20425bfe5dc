// Samples of scans: of any step, judged by the same step in a loop; of any associative operation, by a loop of pairs.

import fc from "fast-check";
import * as S from "../../../engine/index.ts";
import { shapes, sides } from "../../support/arbitraries.ts";
import { at, build, type Nd } from "../plain.ts";
import { recurrence } from "./cumulative.ts";
import { front, type Sample } from "./sample.ts";

/** h = tanh(h * w + x), and h * x of the state before. */
function plainSteps(h0: Nd, xs: Nd, w: Nd, reverse: boolean): [last: Nd, outputs: Nd] {
  const { length } = { length: xs.shape[0] };
  let h = h0;
  const outputs: Nd[] = [];
  for (let step = 0; step < length; step++) {
    const t = reverse ? length - 1 - step : step;
    const before = h;
    outputs[t] = build(h0.shape, (index) => at(before, index) * at(xs, [t, ...index]));
    h = build(h0.shape, (index) => Math.tanh(at(before, index) * at(w, index) + at(xs, [t, ...index])));
  }
  return [h, build([length, ...h0.shape], ([t, ...index]) => at(outputs[t], index))];
}

export const scans: Record<string, Sample> = {
  scan: (maxSize) =>
    fc
      .tuple(shapes({ maxRank: 2, maxSize: Math.ceil(maxSize / 4) }), sides(0, 4), fc.boolean())
      .map(([shape, length, reverse]) => ({
        label: `[${shape}] ${length} steps${reverse ? " reversed" : ""}`,
        inputs: [shape, [length, ...shape], shape].map((of) => ({ shape: of, domain: "real" as const })),
        run: (h0, xs, w) =>
          S.scan((h: S.Tensor, x: S.Tensor) => [S.tanh(S.add(S.mul(h, w), x)), S.mul(h, x)], h0, xs, { reverse }),
        expected: (h0, xs, w) => plainSteps(h0, xs, w, reverse),
      })),
  associativeScan: (maxSize) =>
    shapes({ maxSize: Math.ceil(maxSize / 2), minRank: 1, maxRank: 3 }).chain((shape) =>
      fc.tuple(fc.integer({ min: -shape.length, max: shape.length - 1 }), fc.boolean()).map(([axis, reverse]) => ({
        label: `[${shape}] axis ${axis}${reverse ? " reversed" : ""}`,
        inputs: [shape, shape].map((of) => ({ shape: of, domain: "real" as const })),
        run: (a, b) => {
          // Pairs that compose as x -> a x + b does.
          const combine = ([a1, b1]: S.Tensor[], [a2, b2]: S.Tensor[]) => [S.mul(a1, a2), S.add(S.mul(a2, b1), b2)];
          return S.associativeScan<S.Tensor[]>(combine, [a, b], { axis, reverse })[1];
        },
        expected: (a, b) => recurrence(a, b, undefined, front(axis, shape.length), reverse),
      })),
    ),
};
