// A step that meets an index out of range changes nothing, whatever it had computed by then; the next step works.

import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import * as S from "../../../engine/index.ts";
import { AdamW, SGD } from "../../../nn/index.ts";

beforeAll(() => S.setBackend("wasm"));
afterAll(() => S.setThreads(1));

const numbers = (x: S.Tensor): number[] => Array.from(x.dataSync());
const indices = (values: readonly number[]): S.Tensor => S.tensor([...values], { dtype: "i32" });

const cases = fc.record({
  rows: fc.integer({ min: 1, max: 6 }),
  good: fc.array(fc.nat({ max: 1000 }), { minLength: 3, maxLength: 3 }),
  at: fc.nat({ max: 2 }),
  wrong: fc.constantFrom(-1, 6, 1000),
  adam: fc.boolean(),
});

describe.each([1, 2])("on %i threads", (threads) => {
  it("leaves parameters and optimizer state as they were", () => {
    S.setThreads(threads);
    fc.assert(
      fc.property(cases, ({ rows, good, at, wrong, adam }) => {
        const make = (): { step: (x: S.Tensor) => S.Tensor; state: S.Tensor[] } => {
          const table = S.tensor(
            Float32Array.from({ length: rows * 64 }, (_, i) => Math.sin(i)),
            {
              shape: [rows, 64],
              requiresGrad: true,
            },
          );
          const weight = S.tensor(
            Float32Array.from({ length: 64 * 64 }, (_, i) => Math.cos(i)),
            {
              shape: [64, 64],
              requiresGrad: true,
            },
          );
          const optimizer = adam ? new AdamW([table, weight], { lr: 0.1 }) : new SGD([table, weight], { lr: 0.1 });
          const step = S.compile((x: S.Tensor) => {
            optimizer.zeroGrad();
            const loss = S.indexSelect(table, 0, x).matmul(weight).tanh().square().mean();
            loss.backward();
            optimizer.step();
            return loss;
          });
          return { step, state: [table, weight] };
        };
        const [tried, other] = [make(), make()];
        const fine = indices(good.map((i) => i % rows));
        const first = [tried, other].map(({ step }) => step(fine).item());
        expect(first[0]).toBe(first[1]);
        const before = tried.state.map(numbers);
        const bad = indices(good.map((i, j) => (j === at ? wrong : i % rows)));
        expect(() => tried.step(bad).item()).toThrow(S.ShapeError);
        expect(tried.state.map(numbers)).toEqual(before);
        // Moments of the optimizer too: the next step is that of one that never failed.
        expect(tried.step(fine).item()).toBe(other.step(fine).item());
        expect(tried.state.map(numbers)).toEqual(other.state.map(numbers));
      }),
      { numRuns: 25 },
    );
  });
});

/** Of several scatters into state with an index each, those before the one that fails have happened. */
const oneInPlace = (list: readonly string[]): boolean =>
  list.filter((kind) => kind === "scattered in place").length < 2;

/** States of a step, each updated its own way by an index of its own, or by none. */
const updates = {
  plain: (state: S.Tensor) => state.mul(0.5).add(1),
  gathered: (state: S.Tensor, index: S.Tensor) => state.add(S.indexSelect(S.iota([8]), 0, index)),
  scattered: (state: S.Tensor, index: S.Tensor) => state.add(S.scatterAdd(S.zeros([8]), 0, index, S.ones([8]))),
  "scattered in place": (state: S.Tensor, index: S.Tensor) => S.scatterAdd(state, 0, index, S.ones([8])),
  summed: (state: S.Tensor, index: S.Tensor) => state.mul(S.indexSelect(S.iota([8]), 0, index).sum()),
} as const;

describe.each([1, 2])("several states, on %i threads", (threads) => {
  it("all stay as they were, whichever update meets the wrong index", () => {
    S.setThreads(threads);
    const kinds = fc.constantFrom(...(Object.keys(updates) as (keyof typeof updates)[]));
    fc.assert(
      fc.property(
        fc.array(kinds, { minLength: 1, maxLength: 5 }).filter(oneInPlace),
        fc.nat({ max: 4 }),
        (list, which) => {
          const states = list.map((_, i) => S.full([8], i));
          const step = S.compile((...given: S.Tensor[]) => {
            for (const [i, kind] of list.entries()) S.assign(states[i], updates[kind](states[i], given[i]));
            return S.add(states[0], 0);
          });
          const right = list.map((_, i) => indices([0, 1, 2, 3, 4, 5, 6, i]));
          step(...right).dataSync();
          const before = states.map(numbers);
          const at = which % list.length;
          const wrong = right.with(at, indices([0, 1, 2, 3, 4, 5, 6, 8]));
          if (list[at] === "plain") step(...wrong).dataSync();
          else {
            expect(() => step(...wrong).dataSync()).toThrow(/index 8 is out of range for axis 0 of length 8/);
            expect(states.map(numbers)).toEqual(before);
          }
        },
      ),
      { numRuns: 40 },
    );
  });
});
