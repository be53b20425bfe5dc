// Differentiation of functions of tensors: grad, valueAndGrad, vjp, jvp, and scopes without gradients.

import { gradients } from "./autograd/gradients.ts";
import { isFloat } from "./dtype.ts";
import { ArgumentError, GradientError } from "./errors.ts";
import { Node, withoutGrad } from "./graph/node.ts";
import { build } from "./primitives/index.ts";
import { formatShape } from "./shape.ts";
import { Tensor } from "./tensor.ts";

/** Runs `fn`; what it computes is constant to differentiation. */
export const noGrad = <T>(fn: () => T): T => withoutGrad(fn);

/** The same value as a node of its own, which gradients can be taken with respect to. */
function variable(op: string, x: Tensor): Tensor {
  if (!(x instanceof Tensor)) throw new ArgumentError(op, `the function's arguments must be tensors, got ${typeof x}`);
  if (!isFloat(x.dtype)) throw new GradientError(op, `only f32 and f64 arguments have gradients, got ${x.dtype}`);
  return new Tensor(new Node("alias", [x.node], {}, x.shape, x.dtype, true));
}

const orZero = (g: Node | undefined, like: Tensor): Tensor => new Tensor(g ?? build.fill(like.node, 0));

/** Which arguments to differentiate: a position, or several. */
export interface GradOptions {
  readonly argnums?: number | readonly number[];
}

type Fn<A extends readonly Tensor[]> = (...args: A) => Tensor;
/** Gradients of all the arguments asked for, in order. */
export type Gradients = Tensor[];

/**
 * `fn` -> a function that returns the value of the scalar `fn` and its gradients, one per argument in `argnums`
 * (default: all). Lazy; the gradients are graphs, so they can be differentiated again.
 */
export function valueAndGrad<A extends readonly Tensor[]>(fn: Fn<A>, options: GradOptions = {}) {
  return (...args: A): [value: Tensor, gradients: Gradients] => {
    const wanted = options.argnums === undefined ? args.map((_, i) => i) : [options.argnums].flat();
    const inputs = args.map((arg, i) => (wanted.includes(i) ? variable("grad", arg) : arg)) as unknown as A;
    const value = fn(...inputs);
    if (!(value instanceof Tensor) || value.size !== 1) {
      const got = value instanceof Tensor ? `shape ${formatShape(value.shape)}` : typeof value;
      throw new GradientError("grad", `the function must return a scalar tensor, got ${got}`);
    }
    const targets = wanted.map((i) => inputs[i].node);
    const found = gradients(value.node, build.fill(value.node, 1), targets);
    return [value, found.map((g, i) => orZero(g, args[wanted[i]]))];
  };
}

/** `fn` -> a function that returns the gradients of the scalar `fn`, one per argument in `argnums` (default: all). */
export function grad<A extends readonly Tensor[]>(fn: Fn<A>, options: GradOptions = {}) {
  const both = valueAndGrad(fn, options);
  return (...args: A): Gradients => both(...args)[1];
}

/** The value of `fn(...args)` and its pull-back: from a gradient of the output to one per argument. */
export function vjp<A extends readonly Tensor[]>(fn: Fn<A>, ...args: A): [Tensor, (seed: Tensor) => Gradients] {
  const inputs = args.map((arg) => variable("vjp", arg)) as unknown as A;
  const value = fn(...inputs);
  const targets = inputs.map((input) => input.node);
  return [value, (seed) => gradients(value.node, seed.node, targets).map((g, i) => orZero(g, args[i]))];
}

/**
 * The value of `fn(...args)` and its directional derivative along `tangents`. By differentiating the pull-back, which
 * is linear in its seed, once more: no forward rules to get wrong.
 */
export function jvp<A extends readonly Tensor[]>(fn: Fn<A>, args: A, tangents: A): [Tensor, Tensor] {
  const [value, pullBack] = vjp(fn, ...args);
  const seed = variable("jvp", new Tensor(build.fill(value.node, 0)));
  const pulled = pullBack(seed);
  const pushed = pulled.map((g, i) => gradients(g.node, tangents[i].node, [seed.node])[0]);
  const sum = pushed.reduce<Node | undefined>(
    (acc, g) => (acc === undefined || g === undefined ? (acc ?? g) : build.add(acc, g)),
    undefined,
  );
  return [value, orZero(sum, value)];
}

/**
 * `fn` with a gradient of your own: `backward(seed, output, ...args)` returns one gradient (or undefined) per argument.
 * It is used as given, so second derivatives are those of `backward`.
 */
export function customGradient<A extends readonly Tensor[]>(
  fn: Fn<A>,
  backward: (seed: Tensor, output: Tensor, ...args: A) => readonly (Tensor | undefined)[],
): Fn<A> {
  return (...args) => {
    const value = withoutGrad(() => fn(...args));
    // The rule sees the differentiable output, so that what it computes from it has gradients in turn.
    const rule = (seed: Node) => backward(new Tensor(seed), output, ...args).map((g) => g?.node);
    const output: Tensor = new Tensor(build.apply("custom", [value.node, ...args.map((arg) => arg.node)], { rule }));
    return output;
  };
}
