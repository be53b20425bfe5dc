// Convolutions and their gradients on gpu.js: operands whose index walks several axes, small and in tiles.

import { afterAll, describe, expect, it } from "vitest";
import * as S from "../../../engine/index.ts";
import { tensorOf, valuesOf } from "../../../testing/index.ts";
import { modes } from "./modes.ts";

afterAll(() => S.setBackend("reference"));

const specs = [
  { x: [1, 2, 5, 5], w: [3, 2, 3, 3], options: { padding: 1 } },
  { x: [2, 4, 13, 12], w: [6, 4, 3, 3], options: { padding: 1 } },
  { x: [2, 4, 9, 8], w: [4, 1, 3, 3], options: { padding: 1, groups: 4, stride: 2 } },
  { x: [1, 3, 20, 20], w: [4, 3, 5, 5], options: { dilation: 2 } },
] as const;

const results = async (): Promise<number[][]> => {
  const real = (shape: readonly number[], salt: number) =>
    tensorOf(valuesOf("real", S.sizeOf(shape), 5, salt), shape, "f32");
  const found = specs.flatMap(({ x, w, options }) => {
    const [y, pull] = S.vjp((a, b) => S.conv2d(a, b, options), real(x, 1), real(w, 2));
    return [y, ...pull(real(y.shape, 3))];
  });
  return Promise.all(found.map(async (tensor) => Array.from(await tensor.data())));
};

describe.each(modes)("mode %s", (mode) => {
  it("agrees with the oracle", async () => {
    await S.setBackend("reference");
    const expected = await results();
    await S.setBackend("gpu", { mode });
    (await results()).forEach((values, i) => {
      values.forEach((value, at) => {
        expect(Math.abs(value - expected[i][at])).toBeLessThanOrEqual(1e-3 * (1 + Math.abs(expected[i][at])));
      });
    });
  });
});
