// jvp against vjp: <u, J v> = <J^T u, v> for every operation, of every result.

import fc from "fast-check";
import { beforeAll, expect, it } from "vitest";
import * as S from "../../engine/index.ts";
import { pairings, seeds } from "../../testing/index.ts";
import { cases, describeCase, inputsOf, listOf, operations } from "./operations.ts";

beforeAll(() => S.setBackend("wasm"));

it.each(operations)("%s", (name) => {
  fc.assert(
    fc.property(cases(name, 32), seeds, (drawn, seed) => {
      const [{ run, flat }] = drawn;
      if (flat === true) return;
      const found = pairings((...xs) => listOf(run(...xs)), inputsOf(drawn, "f64"), seed);
      for (const { forward, backward, scale } of found) {
        expect(Math.abs(forward - backward) / scale, describeCase(drawn)).toBeLessThan(1e-10);
      }
    }),
    { numRuns: 5 },
  );
});
