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
