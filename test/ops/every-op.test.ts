// Every exported operation, without a test written for it: its values by a formula in plain JavaScript, on both
// backends; its gradients and their gradients by central differences; inputs of all shapes, through views.

import { readdirSync } from "node:fs";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import * as S from "../../engine/index.ts";
import { sizeOf } from "../../engine/index.ts";
import { methods } from "../../engine/ops/methods.ts";
import { dtypeOf, seeds, tensorOf, type View, type ViewOptions, valuesOf, views } from "../../testing/index.ts";
import { expectClose, nd } from "./plain.ts";
import { samples } from "./samples/index.ts";
import type { Case } from "./samples/sample.ts";

/** Modules of functions that make tensors, not operations on them; they have tests of their own. */
const makers = ["create.ts", "random.ts"];
const folder = new URL("../../engine/ops/", import.meta.url);
const modules = await Promise.all(
  readdirSync(folder)
    .filter((file) => !makers.includes(file))
    .map((file): Promise<Record<string, unknown>> => import(new URL(file, folder).href)),
);
const exported = Object.entries(S).flatMap(([name, value]) =>
  typeof value === "function" && modules.some((module) => module[name] === value) ? [name] : [],
);

/** Those that have a sample; the first test fails where one has not. */
const operations = exported.filter((name) => Object.hasOwn(samples, name));

/** A case, its inputs' views and their values' seed. */
const cases = (name: string, maxSize: number, options: ViewOptions = {}): fc.Arbitrary<[Case, View[], number]> =>
  samples[name](maxSize).chain((drawn) => {
    const distinct = drawn.distinct === true;
    const through = drawn.inputs.map(({ shape }) => views(shape, { ...options, distinct }));
    return fc.tuple(fc.constant(drawn), fc.tuple(...through), seeds);
  });

const basesOf = (drawn: Case, through: readonly View[], seed: number, float: S.DType): S.Tensor[] =>
  drawn.inputs.map(({ domain }, i) => {
    const { base } = through[i];
    return tensorOf(valuesOf(domain, sizeOf(base), seed, i), base, dtypeOf(domain, float));
  });

const list = <T>(one: T | readonly T[]): readonly T[] => (Array.isArray(one) ? one : [one as T]);
const describeCase = (drawn: Case, through: readonly View[]): string =>
  `${drawn.label} through ${through.map((view) => view.name).join(", ")}`;

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
        fc.property(cases(name, 256), ([drawn, through, seed]) => {
          const inputs = basesOf(drawn, through, seed, float).map((base, i) => through[i].apply(base));
          const expected = list(drawn.expected(...inputs.map(nd)));
          const actual = list(drawn.run(...inputs));
          expect(actual.length).toBe(expected.length);
          actual.forEach((result, i) => {
            expectClose(result, expected[i], tolerance, describeCase(drawn, through));
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
      fc.property(cases(name, maxSize, { depth: 1, maxSize: 2 * maxSize }), ([drawn, through, seed]) => {
        if (drawn.flat === true) return;
        const run = (...xs: S.Tensor[]) => list(drawn.run(...xs.map((x, i) => through[i].apply(x))));
        checker(run, basesOf(drawn, through, seed, "f64"));
      }),
      { numRuns },
    );

  it.each(operations)("%s: first order", (name) => check(name, S.gradcheck, 12, 20));
  it.each(operations)("%s: second order", (name) => check(name, S.gradgradcheck, 6, 10));
});
