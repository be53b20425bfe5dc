// Forward against backward: a function's directional derivative and its pull-back are each other's transpose.

import { type Checkable, isFloat, jvp, mul, type Tensor, vjp } from "../engine/index.ts";
import { tensorOf, valuesOf } from "./values.ts";

export interface Pairing {
  /** <u, J v>, with J v from `jvp`. */
  readonly forward: number;
  /** <J^T u, v>, with J^T u from `vjp`. */
  readonly backward: number;
  /** The largest product that was added up: what their difference is to be compared with. */
  readonly scale: number;
}

/**
 * Both sides of <u, J v> = <J^T u, v> for each output of `fn` at f64 `inputs` (i32 and bool pass through), with u and v
 * from a seed; they differ by rounding only. `jvp` differentiates the pull-back, so this says that every pull-back `fn` is
 * made of is linear in what it is given and has a right gradient of its own; that it is the gradient of `fn` is for
 * `gradcheck` to say.
 */
export function pairings(fn: Checkable, inputs: readonly Tensor[], seed: number): Pairing[] {
  const floats = inputs.flatMap((input, i) => (isFloat(input.dtype) ? [i] : []));
  const at = (...xs: Tensor[]) => inputs.map((input, i) => (floats.includes(i) ? xs[floats.indexOf(i)] : input));
  const count = [fn(...inputs)].flat().length;
  const points = floats.map((i) => inputs[i]);
  const tangents = points.map((x, i) => tensorOf(valuesOf("real", x.size, seed, i), x.shape, "f64"));
  return Array.from({ length: count }, (_, k) => {
    const output = (...xs: Tensor[]): Tensor => [fn(...at(...xs))].flat()[k] as Tensor;
    const [value, pushed] = jvp(output, points, tangents);
    const [, pullBack] = vjp(output, ...points);
    const u = tensorOf(valuesOf("real", value.size, seed, floats.length + k), value.shape, "f64");
    const forward = Array.from(mul(u, pushed).dataSync());
    const pulled = pullBack(u);
    const backward = tangents.flatMap((v, i) => Array.from(mul(pulled[i], v).dataSync()));
    const total = (terms: readonly number[]): number => terms.reduce((a, b) => a + b, 0);
    return {
      forward: total(forward),
      backward: total(backward),
      scale: Math.max(...[...forward, ...backward].map(Math.abs), 1),
    };
  });
}
