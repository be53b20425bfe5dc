// Backends agree: random programs give the same numbers on `wasm` as on the oracle, within a bound that follows from
// each step; what is exact is equal to the bit. Eagerly and compiled as one program with many outputs.

import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import * as S from "../../engine/index.ts";
import { inputsOf, type Program, play, programs } from "../../testing/index.ts";

beforeAll(() => S.setBackend("reference"));
afterAll(() => S.setBackend("reference"));

const numbers = (x: S.Tensor): number[] => Array.from(x.dataSync());

function compare(program: Program, actual: readonly number[][], expected: readonly number[][], how: string): void {
  const values = play(program, inputsOf(program));
  const unit = program.dtype === "f32" ? 2 ** -23 : 2 ** -50;
  values.forEach(({ error, text, x }, i) => {
    const tolerance = error * unit;
    expect(actual[i].length).toBe(x.size);
    actual[i].forEach((value, at) => {
      if (!(Math.abs(value - expected[i][at]) <= tolerance)) {
        expect.fail(
          `${how}: ${value} instead of ${expected[i][at]} (+-${tolerance}) at ${at} of [${x.shape}]: ${text}`,
        );
      }
    });
  });
}

const evaluate = (program: Program): number[][] => play(program, inputsOf(program)).map(({ x }) => numbers(x));
const compiled = (program: Program): number[][] =>
  S.compile((...inputs: S.Tensor[]) => play(program, inputs).map(({ x }) => x))(...inputsOf(program)).map(numbers);

describe.each(["f32", "f64"] as const)("%s programs", (dtype) => {
  it("agree with the oracle", async () => {
    await fc.assert(
      fc.asyncProperty(programs({ dtype }), async (program) => {
        await S.setBackend("reference");
        const expected = evaluate(program);
        await S.setBackend("wasm");
        compare(program, evaluate(program), expected, "value by value");
        compare(program, compiled(program), expected, "compiled");
      }),
      { numRuns: 150 },
    );
  });
});

describe("gradients of programs", () => {
  const gradientsOf = (program: Program): number[][] => {
    const loss = (...inputs: S.Tensor[]): S.Tensor =>
      play(program, inputs)
        .map(({ x, bound }) => S.mean(S.mul(x, 1 / Math.max(1, bound))))
        .reduce((sum, x) => S.add(sum, x), S.zeros([], { dtype: "f64" }));
    return S.grad(loss)(...inputsOf(program)).map(numbers);
  };

  it("agree with the oracle, in f64", async () => {
    await fc.assert(
      fc.asyncProperty(programs({ dtype: "f64", smooth: true, length: 30 }), async (program) => {
        await S.setBackend("reference");
        const expected = gradientsOf(program);
        await S.setBackend("wasm");
        const actual = gradientsOf(program);
        const scale = Math.max(1, ...expected.flat().map(Math.abs).filter(Number.isFinite));
        for (const [i, values] of expected.entries()) {
          for (const [at, value] of values.entries()) {
            if (Number.isNaN(value)) expect(actual[i][at]).toBeNaN();
            else expect(Math.abs(actual[i][at] - value) / scale).toBeLessThan(1e-9);
          }
        }
      }),
      { numRuns: 100 },
    );
  });
});
