// Random programs give on gpu.js what they give on the oracle, within the bound that follows from each step.

import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import * as S from "../../../engine/index.ts";
import { inputsOf, type Program, play, programs } from "../../../testing/index.ts";
import { modes } from "./modes.ts";

afterAll(() => S.setBackend("reference"));

/** GPUs may divide and take roots with a few units more than a rounding. */
const slack = 4;

const numbers = async (x: S.Tensor): Promise<number[]> => Array.from(await x.data());

async function compare(program: Program, actual: readonly number[][], expected: readonly number[][], how: string) {
  const values = play(program, inputsOf(program));
  values.forEach(({ error, text, x, bound }, i) => {
    const tolerance = error * slack * 2 ** -23 + bound * 2 ** -22;
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

const evaluate = async (program: Program): Promise<number[][]> => {
  const found: number[][] = [];
  for (const { x } of play(program, inputsOf(program))) found.push(await numbers(x));
  return found;
};
const compiled = async (program: Program): Promise<number[][]> => {
  const run = S.compile((...inputs: S.Tensor[]) => play(program, inputs).map(({ x }) => x));
  return Promise.all(run(...inputsOf(program)).map(numbers));
};

describe.each(modes)("mode %s", (mode) => {
  it("agrees with the oracle", { timeout: 120_000 }, async () => {
    const cases = fc.sample(programs({ dtype: "f32" }), { numRuns: mode === "webgpu" ? 25 : 50 });
    await S.setBackend("reference");
    const expected: number[][][] = [];
    for (const program of cases) expected.push(await evaluate(program));
    await S.setBackend("gpu", { mode });
    for (const [i, program] of cases.entries()) {
      await compare(program, await compiled(program), expected[i], `compiled, program ${i}`);
    }
    await compare(cases[0], await evaluate(cases[0]), expected[0], "value by value");
  });
});
