// NaN, infinities, zeros of both signs and subnormals through every operation and its gradient: `wasm` says NaN,
// infinity or a number where the oracle does, and the same number.

import fc from "fast-check";
import { expect, it } from "vitest";
import * as S from "../../engine/index.ts";
import { dtypeOf, seeds, specialValues, tensorOf, valuesOf } from "../../testing/index.ts";
import { samples } from "../ops/samples/index.ts";
import type { Case } from "../ops/samples/sample.ts";
import { listOf, operations } from "./operations.ts";

/** Without the largest floats: whether a sum of them overflows depends on its order. */
const mild = specialValues.filter((value) => !(Math.abs(value) > 1e30 && Number.isFinite(value)));

function inputsOf({ inputs }: Case, seed: number): S.Tensor[] {
  return inputs.map(({ shape, domain }, i) => {
    const size = S.sizeOf(shape);
    const dtype = dtypeOf(domain, "f64");
    const kind = valuesOf(domain, size, seed, i);
    if (!S.isFloat(dtype)) return tensorOf(kind, shape, dtype);
    const choice = valuesOf({ below: 3 * mild.length }, size, seed, 100 + i);
    return tensorOf(
      kind.map((value, at) => mild[choice[at]] ?? value),
      shape,
      dtype,
    );
  });
}

function all({ run, flat }: Case, inputs: readonly S.Tensor[]): number[][] {
  const results = listOf(run(...inputs));
  const floats = inputs.filter((x) => S.isFloat(x.dtype));
  const loss = (...xs: S.Tensor[]): S.Tensor =>
    listOf(run(...inputs.map((x) => (S.isFloat(x.dtype) ? xs[floats.indexOf(x)] : x))))
      .map((y) => S.sum(y))
      .reduce((a, b) => S.add(a, b));
  const gradients = flat === true ? [] : S.grad(loss)(...floats);
  return [...results, ...gradients].map((x) => Array.from(x.dataSync()));
}

/**
 * May be NaN where the oracle says infinity. Gradients of a selective scan are sums of products of several factors; where
 * one is infinite, whether infinities of both signs meet depends on whether terms are added before or after they are
 * multiplied by it, and the kernel does that otherwise than the oracle. Finite inputs have finite gradients.
 */
const nanForInfinity = ["selectiveScan"];

const same = (a: number, b: number): boolean =>
  Number.isNaN(b) ? Number.isNaN(a) : Number.isFinite(b) ? Math.abs(a - b) <= 1e-9 * (1 + Math.abs(b)) : a === b;

it.each(operations)("%s", async (name) => {
  await fc.assert(
    fc.asyncProperty(samples[name](64), seeds, async (drawn, seed) => {
      await S.setBackend("reference");
      const expected = all(drawn, inputsOf(drawn, seed));
      await S.setBackend("wasm");
      const actual = all(drawn, inputsOf(drawn, seed));
      actual.forEach((values, i) => {
        const loose = nanForInfinity.includes(name);
        const at = values.findIndex(
          (value, j) =>
            !same(value, expected[i][j]) && !(loose && Number.isNaN(value) && !Number.isFinite(expected[i][j])),
        );
        if (at >= 0) {
          const given = inputsOf(drawn, seed).map((x) => `[${Array.from(x.dataSync())}]`);
          expect.fail(
            `${drawn.label}: ${values[at]} instead of ${expected[i][at]} at ${at} of part ${i}; inputs ${given}`,
          );
        }
      });
    }),
    { numRuns: 15 },
  );
});
