// An index out of range that the host has is refused as the oracle refuses it, before the step changes anything.

import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import * as S from "../../../engine/index.ts";
import * as nn from "../../../nn/index.ts";
import { modes } from "./modes.ts";

afterAll(() => S.setBackend("reference"));

const ids = (values: readonly number[], shape: readonly number[] = [values.length]): S.Tensor =>
  S.tensor(Int32Array.from(values), { shape, dtype: "i32" });

/** Uses of four positions below 5. */
const uses: Record<string, (w: S.Tensor, at: S.Tensor) => S.Tensor> = {
  gather: (w, at) => S.gather(w, 0, S.broadcastTo(S.reshape(at, [4, 1]), [4, 3])),
  rows: (w, at) => S.indexSelect(w, 0, at),
  scatterAdd: (w, at) => S.scatterAdd(w, 0, S.broadcastTo(S.reshape(at, [4, 1]), [4, 3]), S.ones([4, 3])),
  crossEntropy: (w, at) => nn.crossEntropy(S.reshape(S.concat([w, w], 0).narrow(0, 0, 8), [4, 6]).narrow(1, 0, 5), at),
};

async function messageOf(run: () => S.Tensor): Promise<string> {
  try {
    await run().data();
    return "no error";
  } catch (error) {
    return error instanceof S.ShapeError ? error.message : `another error: ${error}`;
  }
}

describe.each(modes)("mode %s", (mode) => {
  it.each(Object.keys(uses))("%s", async (name) => {
    const bad = fc.record({
      at: fc.array(fc.nat({ max: 4 }), { minLength: 4, maxLength: 4 }),
      place: fc.nat({ max: 3 }),
      index: fc.oneof(fc.integer({ min: 5 }), fc.integer({ max: -1 }), fc.constantFrom(5, -1)),
    });
    for (const { at, place, index } of fc.sample(bad, { numRuns: 8 })) {
      const wrong = at.with(place, index);
      const attempt = async (): Promise<string> => {
        const w = S.tensor(
          Float32Array.from({ length: 15 }, (_, i) => i),
          { shape: [5, 3] },
        );
        const step = S.compile((x: S.Tensor) => {
          S.assign(w, S.add(w, 1));
          return S.sum(uses[name](w, x));
        });
        await step(ids(at)).data();
        const before = Array.from(await w.data());
        const message = await messageOf(() => step(ids(wrong)));
        expect(Array.from(await w.data())).toEqual(before);
        expect((await step(ids(at)).data())[0]).toBeTypeOf("number");
        return message;
      };
      await S.setBackend("reference");
      const expected = await attempt();
      expect(expected).toContain(`index ${index} is out of range`);
      await S.setBackend("gpu", { mode });
      expect(await attempt()).toBe(expected);
    }
  });

  it("groups whose offsets do not ascend", async () => {
    await S.setBackend("gpu", { mode });
    const product = (offsets: number[]) => S.groupedMatmul(S.ones([6, 2]), S.ones([2, 2, 3]), ids(offsets));
    expect(await messageOf(() => product([0, 4, 6]))).toBe("no error");
    for (const offsets of [
      [0, 5, 4],
      [0, 3, 7],
      [-1, 3, 6],
    ]) {
      const message = await messageOf(() => product(offsets));
      await S.setBackend("reference");
      expect(message).toBe(await messageOf(() => product(offsets)));
      await S.setBackend("gpu", { mode });
    }
  });
});
