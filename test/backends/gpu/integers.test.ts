// Whole numbers are exact over all of i32, and wrap around, whatever makes them: random programs against the oracle.

import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import * as S from "../../../engine/index.ts";
import { edges, evaluate, names, play, type Recipe, recipes } from "../../support/whole-programs.ts";
import { modes } from "./modes.ts";

afterAll(() => S.setBackend("reference"));

describe.each(modes)("mode %s", (mode) => {
  it("each operation alone", { timeout: 120_000 }, async () => {
    const leaves = [edges.slice(0, 12), [7, 0, -1, 65536, -65536, 3, -3, 40, 2 ** 31 - 1, -(2 ** 31), 2, 1]];
    await expectAgreement(
      mode,
      names.map((_, op) => ({
        leaves: [leaves[op % 2].toReversed(), leaves[1], leaves[0]],
        steps: [
          [op, 0, 1, 3],
          [op, 2, 1, 4],
        ],
      })),
    );
  });

  it("random programs", { timeout: 240_000 }, async () => {
    await expectAgreement(mode, fc.sample(recipes, { numRuns: mode === "webgpu" ? 20 : 60 }));
  });
});

async function expectAgreement(mode: (typeof modes)[number], cases: readonly Recipe[]): Promise<void> {
  await S.setBackend("reference");
  const expected: number[][][] = [];
  for (const recipe of cases) expected.push(await evaluate(recipe));
  await S.setBackend("gpu", { mode });
  for (const [i, recipe] of cases.entries()) {
    const actual = await evaluate(recipe);
    const { texts } = play(recipe);
    actual.forEach((values, at) => {
      expect(values, `${texts.slice(0, at + 1).join("; ")} over ${JSON.stringify(recipe.leaves)}`).toEqual(
        expected[i][at],
      );
    });
  }
}
