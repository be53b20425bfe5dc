// Samples of scans: of any step, judged by the same step in a loop; of any associative operation, by a loop of pairs.

import fc from "fast-check";
import * as S from "../../../engine/index.ts";
import { shapes, sides } from "../../../testing/index.ts";
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

const softplus = (x: number): number => Math.log1p(Math.exp(x));
const silu = (x: number): number => x / (1 + Math.exp(-x));

interface Selective {
  readonly reverse: boolean;
  readonly zoh: boolean;
}

/** y and the last state, from u, delta, A, B, C, D, z, h0 and delta's bias. */
function plainSelectiveScan([u, delta, a, b, c, skip, z, h0, bias]: Nd[], { reverse, zoh }: Selective): [Nd, Nd] {
  const [batch, length, channels] = u.shape;
  const states = a.shape[1];
  const y = new Map<string, number>();
  const state = build([batch, channels, states], () => 0);
  const last = new Map<string, number>();
  for (let i = 0; i < batch; i++) {
    for (let d = 0; d < channels; d++) {
      const h = Array.from({ length: states }, (_, n) => at(h0, [i, d, n]));
      for (let step = 0; step < length; step++) {
        const t = reverse ? length - 1 - step : step;
        const dt = softplus(at(delta, [i, t, d]) + at(bias, [d]));
        const x = at(u, [i, t, d]);
        let sum = at(skip, [d]) * x;
        for (let n = 0; n < states; n++) {
          const rate = at(a, [d, n]);
          const weight = zoh ? Math.expm1(dt * rate) / rate : dt;
          h[n] = Math.exp(dt * rate) * h[n] + weight * at(b, [i, t, n]) * x;
          sum += at(c, [i, t, n]) * h[n];
        }
        y.set([i, t, d].join(), sum * silu(at(z, [i, t, d])));
      }
      for (const [n, value] of h.entries()) last.set([i, d, n].join(), value);
    }
  }
  const read = (values: Map<string, number>) => (index: readonly number[]) => values.get(index.join()) as number;
  return [build(u.shape, read(y)), build(state.shape, read(last))];
}

export const scans: Record<string, Sample> = {
  selectiveScan: (maxSize) =>
    fc
      .record({
        batch: sides(0, 2),
        length: sides(0, Math.max(2, Math.ceil(maxSize / 12))),
        channels: sides(1, Math.max(2, Math.ceil(maxSize / 30))),
        states: sides(1, Math.max(2, Math.ceil(maxSize / 50))),
        reverse: fc.boolean(),
        zoh: fc.boolean(),
      })
      .map(({ batch, length, channels, states, reverse, zoh }) => {
        const [whole, perState] = [
          [batch, length, channels],
          [batch, length, states],
        ];
        const shapes = [whole, whole, [channels, states], perState, perState, [channels], whole];
        return {
          label: `u [${whole}], ${states} states${reverse ? " reversed" : ""}${zoh ? " zoh" : ""}`,
          inputs: [...shapes, [batch, channels, states], [channels]].map((shape) => ({
            shape,
            domain: "unit" as const,
          })),
          run: (u, delta, a, b, c, D, z, h0, deltaBias) => {
            const rates = S.neg(S.add(a, 0.1));
            const discretisation = zoh ? ("zoh" as const) : ("euler" as const);
            const options = { D, z, h0, deltaBias, softplus: true, reverse, discretisation };
            const { y, state } = S.selectiveScan(u, delta, rates, b, c, options);
            return [y, state];
          },
          expected: (u, delta, a, ...rest) =>
            plainSelectiveScan([u, delta, { ...a, data: a.data.map((x) => -x - 0.1) }, ...rest], { reverse, zoh }),
        };
      }),
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
