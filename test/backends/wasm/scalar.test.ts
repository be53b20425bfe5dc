// Every scalar function in every dtype, on every pair of special values: the same as the primitives' table.

import { describe, expect, it } from "vitest";
import type { ScalarFn } from "../../../engine/compile/ir.ts";
import { type DType, hostArray, roundTo } from "../../../engine/dtype.ts";
import {
  binaryBoolOps,
  binaryNumericOps,
  compareOps,
  type ElementwiseOp,
  unaryFloatOps,
  unaryNumericOps,
} from "../../../engine/graph/vocabulary.ts";
import { elementwise, integerScalar } from "../../../engine/primitives/elementwise.ts";
import { threefry2x32, uniformF32, uniformF64 } from "../../../engine/random.ts";
import { mapKernel, ulps } from "./accuracy.ts";
import { runKernel } from "./kernel-harness.ts";
import { pairs, special } from "./values.ts";

const exactly = 0;
/** Functions computed by polynomials or in two roundings; all others are exact. */
const bounds: Partial<Record<ScalarFn, number>> = {
  rsqrt: 1.5,
  exp: 1.1,
  exp2: 1.1,
  expm1: 1.5,
  log: 1,
  log2: 1.3,
  log1p: 1.5,
  sin: 1.5,
  cos: 1.5,
  tanh: 1.4,
  sigmoid: 2,
  erf: 1.4,
  pow: 0.52,
};

type Args = readonly Parameters<typeof runKernel>[1][number][];

function check(fn: ElementwiseOp, from: readonly DType[], to: DType, args: Args): void {
  const [x, y] = args;
  const result = runKernel(mapKernel(fn, from, to, x.length), [...args, hostArray(to, x.length)])[args.length];
  const scalar = elementwise[fn].scalar as (...values: number[]) => number;
  const float = to === "f32" || to === "f64";
  for (let i = 0; i < x.length; i++) {
    const operands = args.map((values) => values[i]);
    const integer = from[0] === "i32" && to === "i32";
    const exact = integer ? integerScalar(fn, ...operands) : scalar(...operands);
    const bound = (float && bounds[fn]) || exactly;
    const what = `${fn}(${operands.join(", ")}) in ${from[0]}: ${result[i]}, not ${exact}`;
    if (to === "f32") expect(ulps(result[i], exact), what).toBeLessThanOrEqual(bound);
    else if (to === "f64" && bound > 0 && Number.isFinite(exact)) {
      expect(Math.abs(result[i] - exact), what).toBeLessThanOrEqual(4e-16 * Math.abs(exact));
    } else expect(Object.is(result[i], roundTo(to, exact)), what).toBe(true);
    void y;
  }
}

describe("wasm scalar functions on special values", () => {
  const floats = ["f32", "f64"] as const;
  const numbers = ["f32", "f64", "i32"] as const;
  for (const dtype of floats) {
    it.each(unaryFloatOps)(`%s in ${dtype}`, (fn) => check(fn, [dtype], dtype, [special[dtype]]));
  }
  for (const dtype of numbers) {
    it.each(unaryNumericOps)(`%s in ${dtype}`, (fn) => check(fn, [dtype], dtype, [special[dtype]]));
    it.each(binaryNumericOps)(`%s in ${dtype}`, (fn) => check(fn, [dtype, dtype], dtype, pairs(special[dtype])));
    it.each(compareOps)(`%s in ${dtype}`, (fn) => check(fn, [dtype, dtype], "bool", pairs(special[dtype])));
  }
  it.each([...binaryBoolOps, "equal", "notEqual"] as const)("%s of bools", (fn) =>
    check(fn, ["bool", "bool"], "bool", pairs(special.bool)),
  );
  it("logicalNot", () => check("logicalNot", ["bool"], "bool", [special.bool]));

  const all = ["f32", "f64", "i32", "bool"] as const;
  it.each(all.flatMap((from) => all.map((to) => [from, to] as const)))("cast from %s to %s", (from, to) =>
    check("cast", [from], to, [special[from]]),
  );
  it.each(all)("where of %s", (dtype) => {
    const [x, y] = pairs(special[dtype]);
    const condition = Uint8Array.from(x, (_, i) => (i % 3) & 1);
    check("where", ["bool", dtype, dtype], dtype, [condition, x, y]);
  });

  it.each(floats)("uniform in %s", (dtype) => {
    const length = 37;
    const args = [3, -7, 5].map((key) => new Int32Array(length).fill(key));
    const index = Int32Array.from({ length }, (_, i) => i * 1000003);
    const kernel = mapKernel("uniform", ["i32", "i32", "i32", "i32"], dtype, length);
    const result = runKernel(kernel, [...args, index, hostArray(dtype, length)])[4];
    for (let i = 0; i < length; i++) {
      const [hi, lo] = threefry2x32(3, -7, index[i], 5);
      expect(result[i]).toBe(dtype === "f32" ? uniformF32(hi) : uniformF64(hi, lo));
    }
  });
});
