// The selective scan of Mamba (Gu & Dao 2023): a linear state space whose step size and projections depend on the input.

import { composedSelectiveScan, type Discretisation, selectiveSecondOrder } from "../autograd/selective.ts";
import { ArgumentError, DTypeError, ShapeError } from "../errors.ts";
import { operation } from "../operation.ts";
import { build } from "../primitives/index.ts";
import { formatShape, type Shape, sameShape, sizeOf } from "../shape.ts";
import { Tensor } from "../tensor.ts";
import { silu, softplus } from "./activations.ts";
import { add, mul } from "./elementwise.ts";
import { flip } from "./movement.ts";
import { checkTensor, filled } from "./operand.ts";

export interface SelectiveScanOptions {
  /** Skip connection [d]: D * u is added to the output. */
  readonly D?: Tensor;
  /** Gate [b, t, d]: the output is multiplied by silu(z). */
  readonly z?: Tensor;
  /** The state before the first step [b, d, n]; default 0. */
  readonly h0?: Tensor;
  /** [d], added to delta. */
  readonly deltaBias?: Tensor;
  /** delta = softplus(delta + deltaBias). */
  readonly softplus?: boolean;
  /**
   * How the continuous system is made discrete: "euler" multiplies B by delta (what published code does), "zoh" by
   * (e^(delta A) - 1) / A (what the papers write; slower, stores the states of all steps). Default "euler".
   */
  readonly discretisation?: Discretisation;
  /** From the last element to the first. */
  readonly reverse?: boolean;
}

export interface SelectiveScanResult {
  /** [b, t, d] */
  readonly y: Tensor;
  /** The state after the last step [b, d, n], to go on from: the h0 of the next piece of the sequence. */
  readonly state: Tensor;
}

/**
 * h_t = exp(delta_t A) h_(t-1) + delta_t B_t u_t, y_t = C_t h_t + D u_t, gated by silu(z_t): for u and delta [b, t, d],
 * A [d, n], B and C [b, t, n]. The states of all steps, [b, t, d, n], are never stored; the gradient computes them again
 * by chunks. Throws a ShapeError that names all shapes, a DTypeError where dtypes are not one float type.
 */
export const selectiveScan = operation(
  "selectiveScan",
  (
    u: Tensor,
    delta: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    options: SelectiveScanOptions = {},
  ): SelectiveScanResult => {
    const { D, z, deltaBias } = options;
    const given = { u, delta, A, B, C, ...named({ D, z, h0: options.h0, deltaBias }) };
    for (const [name, x] of Object.entries(given)) checkTensor("selectiveScan", x, name);
    check(given);
    const rule = options.discretisation ?? "euler";
    if (rule !== "euler" && rule !== "zoh") {
      throw new ArgumentError("selectiveScan", `discretisation must be "euler" or "zoh", got ${String(rule)}`);
    }
    const shifted = deltaBias === undefined ? delta : add(delta, deltaBias);
    const steps = options.softplus === true ? softplus(shifted) : shifted;
    const [batch, , channels] = u.shape;
    const h0 = options.h0 ?? filled([batch, channels, A.shape[1]], u.dtype, 0);
    const turned = (x: Tensor): Tensor => (options.reverse === true ? flip(x, 1) : x);
    const inputs = [turned(u), turned(steps), A, turned(B), turned(C), h0];
    const { y, state } = core(inputs, rule);
    const skipped = D === undefined ? turned(y) : add(turned(y), mul(u, D));
    return { y: z === undefined ? skipped : mul(skipped, silu(z)), state };
  },
);

function core(inputs: readonly Tensor[], rule: Discretisation): SelectiveScanResult {
  const nodes = inputs.map((x) => x.node);
  const [u, , A, , , h0] = inputs;
  if (u.shape[1] === 0) return { y: filled(u.shape, u.dtype, 0), state: h0 };
  if (rule === "zoh" || sizeOf(u.shape) === 0 || A.shape[1] === 0) {
    const [y, state] = composedSelectiveScan(nodes, rule);
    return { y: new Tensor(y), state: new Tensor(state) };
  }
  const scan = build.apply("selectiveScan", nodes, { second: selectiveSecondOrder });
  const part = (index: number): Tensor => new Tensor(build.apply("part", [scan], { index }));
  return { y: part(0), state: part(1) };
}

const named = (tensors: Readonly<Record<string, Tensor | undefined>>): Record<string, Tensor> =>
  Object.fromEntries(Object.entries(tensors).filter((entry): entry is [string, Tensor] => entry[1] !== undefined));

function check(given: Readonly<Record<string, Tensor>>): void {
  const { u, A } = given;
  const list = Object.entries(given).map(([name, x]) => `${name} ${x.dtype} ${formatShape(x.shape)}`);
  if (u.rank !== 3 || A.rank !== 2) {
    throw new ShapeError("selectiveScan", `u must be [b, t, d] and A [d, n], got ${list.join(", ")}`);
  }
  const [[b, t, d], n] = [u.shape, A.shape[1]];
  const whole = [b, t, d];
  const wanted: Readonly<Record<string, Shape>> = {
    ...{ u: whole, delta: whole, z: whole, A: [d, n], B: [b, t, n], C: [b, t, n], D: [d], deltaBias: [d] },
    h0: [b, d, n],
  };
  for (const [name, x] of Object.entries(given)) {
    if (sameShape(x.shape, wanted[name])) continue;
    throw new ShapeError("selectiveScan", `${name} must be ${formatShape(wanted[name])}, got ${list.join(", ")}`);
  }
  if ((u.dtype !== "f32" && u.dtype !== "f64") || Object.values(given).some((x) => x.dtype !== u.dtype)) {
    throw new DTypeError("selectiveScan", `needs tensors of one float dtype, got ${list.join(", ")}`);
  }
}
