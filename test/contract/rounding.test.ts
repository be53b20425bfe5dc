// Values and gradients of every operation on `wasm` are within the bound that follows from the graph itself, in f32 and
// f64, through views of all kinds; and contiguous inputs give what views of them give.

import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import * as S from "../../engine/index.ts";
import { type Bounded, roundingBounds } from "../../testing/index.ts";
import { nd } from "../ops/plain.ts";
import { cases, type Drawn, describeCase, inputsOf, listOf, operations } from "./operations.ts";

beforeAll(() => S.setBackend("wasm"));
afterAll(() => S.setBackend("reference"));

/** Operations whose derivatives go through the gradient of the selective scan, for which there is no bound yet. */
const noGradientBound = ["selectiveScan"];

/** Operations that multiply by a table, which is rounded to f32 when it is made: the graph does not know its formula. */
const byTable = (name: string): boolean => name.includes("fft");

/** What the f64 formulas of the samples are good to. */
const slack = (value: number): number => 1e-11 * (1 + Math.abs(value));

function within(actual: S.Tensor, { values, bounds }: Bounded, label: string): void {
  const got = actual.dataSync();
  for (const [i, value] of values.entries()) {
    const near = Math.abs(got[i] - value) <= bounds[i] || bounds[i] === Number.POSITIVE_INFINITY;
    if (!near && !Object.is(got[i], value))
      expect.fail(`${label}: ${got[i]} instead of ${value} +- ${bounds[i]} at ${i}`);
  }
}

/** Gradients of all float inputs, of the results weighed by their positions. */
function gradientsOf(run: (...xs: S.Tensor[]) => readonly S.Tensor[], inputs: readonly S.Tensor[]): S.Tensor[] {
  const floats = inputs.flatMap((input, i) => (S.isFloat(input.dtype) ? [i] : []));
  const all = (xs: readonly S.Tensor[]) => inputs.map((x, i) => (floats.includes(i) ? xs[floats.indexOf(i)] : x));
  const loss = (...xs: S.Tensor[]): S.Tensor => {
    const terms = run(...all(xs)).map((y) =>
      S.sum(S.mul(y, S.add(S.mul(S.iota([y.size], 0), 0.125), 1).reshape(y.shape))),
    );
    return terms.reduce((total, term) => S.add(total, term));
  };
  return S.grad(loss)(...floats.map((i) => inputs[i]));
}

describe.each(["f32", "f64"] as const)("%s", (float) => {
  it.each(operations)("%s", (name) => {
    fc.assert(
      fc.property(cases(name, 128), (drawn) => {
        const [{ run, expected }] = drawn;
        const made = () => listOf(run(...inputsOf(drawn, float)));
        const bounds = roundingBounds(made());
        const label = describeCase(drawn);
        made().forEach((result, i) => {
          within(result, bounds[i], label);
        });
        const formula = float === "f32" && byTable(name) ? () => [] : expected;
        listOf(formula(...inputsOf(drawn, float).map(nd))).forEach(({ data }, i) => {
          const far = data.findIndex(
            (value, at) =>
              !(Math.abs(value - bounds[i].values[at]) <= slack(value)) && !Object.is(value, bounds[i].values[at]),
          );
          if (far >= 0) expect.fail(`${label}: without rounding ${bounds[i].values[far]}, by its formula ${data[far]}`);
        });
        const contiguous = inputsOf(drawn, float).map((x) =>
          S.tensor(x.dataSync(), { shape: x.shape, dtype: x.dtype }),
        );
        listOf(run(...contiguous)).forEach((result, i) => {
          within(result, bounds[i], `${label}, contiguous`);
        });
      }),
      { numRuns: 12 },
    );
  });
});

describe("f32 gradients", () => {
  const differentiable = operations.filter((name) => !noGradientBound.includes(name));
  it.each(differentiable)("%s", (name) => {
    fc.assert(
      fc.property(cases(name, 32), (drawn: Drawn) => {
        const [{ run, flat }] = drawn;
        if (flat === true) return;
        const made = () => gradientsOf((...xs) => listOf(run(...xs)), inputsOf(drawn, "f32"));
        const bounds = roundingBounds(made());
        made().forEach((gradient, i) => {
          within(gradient, bounds[i], describeCase(drawn));
        });
      }),
      { numRuns: 8 },
    );
  });
});
