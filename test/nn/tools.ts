// What the tests of nn, moe and the papers share: f64 tensors, comparisons, and gradient checks of whole modules.

import { expect } from "vitest";
import { gradcheck, gradgradcheck, type NestedArray, Tensor, tensor } from "../../engine/index.ts";
import { type AnyModule, Stream, withParameters } from "../../nn/index.ts";

export const f64 = (data: NestedArray): Tensor => tensor(data, { dtype: "f64" });
export const i32 = (data: NestedArray): Tensor => tensor(data, { dtype: "i32" });

/** All values, row-major. */
export const values = (x: Tensor): number[] => Array.from(x.dataSync());

/** Standard normal f64 numbers of a seed. */
export function normals(shape: readonly number[], seed: number): Tensor {
  const stream = new Stream(seed, "test");
  const size = shape.reduce((product, side) => product * side, 1);
  return tensor(
    Float64Array.from({ length: size }, () => stream.normal()),
    { shape },
  );
}

/** Every value within `tolerance` of what is expected. */
export function close(x: Tensor | ArrayLike<number>, expected: ArrayLike<number>, tolerance: number): void {
  const got = x instanceof Tensor ? values(x) : Array.from(x);
  expect(got.length).toBe(expected.length);
  const worst = got.findIndex((value, i) => !(Math.abs(value - expected[i]) <= tolerance));
  if (worst >= 0) expect(got[worst], `element ${worst} of [${got.slice(0, 16)}]`).toBe(expected[worst]);
}

/** First- and second-order gradient check of a module: of its inputs and of all its parameters (f64). */
export function checkModule(
  module: AnyModule,
  inputs: readonly Tensor[],
  run: (...inputs: Tensor[]) => Tensor | readonly Tensor[],
): void {
  const named = module.namedParameters();
  const asFunction = (...args: Tensor[]): Tensor | readonly Tensor[] => {
    const parameters = Object.fromEntries(named.map(([name], i) => [name, args[inputs.length + i]]));
    return withParameters(module, parameters, () => run(...args.slice(0, inputs.length)));
  };
  const all = [...inputs, ...named.map(([, parameter]) => parameter.detach())];
  gradcheck(asFunction, all);
  gradgradcheck(asFunction, all);
}
