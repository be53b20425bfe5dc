// Every exported operation, without a test written for it: its values by a formula in plain JavaScript, on both
// backends; its gradients and their gradients by central differences; inputs of all shapes, through views.

import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import * as S from "../../engine/index.ts";
import { methods } from "../../engine/ops/methods.ts";
import { basesOf, cases, describeCase, exported, inputsOf, listOf, operations } from "../contract/operations.ts";
import { expectClose, nd } from "./plain.ts";
import { samples } from "./samples/index.ts";

it("every exported operation has a sample, and every sample an operation", () => {
  expect(exported.filter((name) => !Object.hasOwn(samples, name))).toEqual([]);
  expect(Object.keys(samples).filter((name) => !exported.includes(name))).toEqual([]);
});

it("every method is an exported operation", () => {
  expect(Object.keys(methods).filter((name) => name !== "var" && !exported.includes(name))).toEqual([]);
  for (const name of Object.keys(methods)) expect(Object.hasOwn(S.Tensor.prototype, name), name).toBe(true);
});

describe.each(["reference", "wasm"] as const)("values on %s", (backend) => {
  beforeAll(() => S.setBackend(backend));
  afterAll(() => S.setBackend("reference"));

  describe.each(["f64", "f32"] as const)("%s", (float) => {
    const tolerance = float === "f64" ? { relative: 1e-11, absolute: 1e-11 } : { relative: 2e-5, absolute: 2e-5 };

    it.each(operations)("%s", (name) => {
      fc.assert(
        fc.property(cases(name, 256), (drawn) => {
          const inputs = inputsOf(drawn, float);
          const expected = listOf(drawn[0].expected(...inputs.map(nd)));
          const actual = listOf(drawn[0].run(...inputs));
          expect(actual.length).toBe(expected.length);
          actual.forEach((result, i) => {
            expectClose(result, expected[i], tolerance, describeCase(drawn));
          });
        }),
        { numRuns: 25 },
      );
    });
  });
});

describe("gradients", () => {
  beforeAll(() => S.setBackend("reference"));

  const check = (name: string, checker: typeof S.gradcheck, maxSize: number, numRuns: number) =>
    fc.assert(
      fc.property(cases(name, maxSize, { depth: 1, maxSize: 2 * maxSize }), (drawn) => {
        const [{ run, flat }, through] = drawn;
        if (flat === true) return;
        checker((...xs) => listOf(run(...xs.map((x, i) => through[i].apply(x)))), basesOf(drawn, "f64"));
      }),
      { numRuns },
    );

  it.each(operations)("%s: first order", (name) => check(name, S.gradcheck, 12, 20));
  it.each(operations)("%s: second order", (name) => check(name, S.gradgradcheck, 6, 10));
});
