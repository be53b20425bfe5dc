// The selective scan written as a recurrence over states of all steps: what its kernels are judged by, and the way to
// its second derivatives.

import { Node, type SecondOrder } from "../graph/node.ts";
import { build, selectiveSizes } from "../primitives/index.ts";
import { gradientsOfAll } from "./gradients.ts";

export type Discretisation = "euler" | "zoh";

/** y and the last state from (u, delta, A, B, C, h0); states of all steps are stored. Not for empty sequences. */
export function composedSelectiveScan(
  [u, delta, a, b, c, h0]: readonly Node[],
  rule: Discretisation = "euler",
): [y: Node, last: Node] {
  const { batch, length, channels, states } = selectiveSizes([u, delta, a]);
  const whole = [batch, length, channels, states];
  const expand = (x: Node, shape: readonly number[]): Node =>
    build.apply("expand", [build.reshape(x, shape)], { shape: whole });
  const perChannel = (x: Node): Node => expand(x, [batch, length, channels, 1]);
  const perState = (x: Node): Node => expand(x, [batch, length, 1, states]);
  const table = expand(a, [1, 1, channels, states]);
  const exponent = build.mul(perChannel(delta), table);
  const decay = build.exp(exponent);
  const input = build.mul(perChannel(u), perState(b));
  // Zero-order hold: (e^(delta A) - 1) / A instead of delta; expm1, since A is often small.
  const weight = rule === "zoh" ? build.div(build.expm1(exponent), table) : perChannel(delta);
  const step = (x: Node, t: number): Node =>
    build.apply("slice", [x], { starts: [0, t, 0, 0], stops: x.shape.with(1, t + 1), steps: [1, 1, 1, 1] });
  const drive = build.mul(weight, input);
  const start = build.mul(step(decay, 0), build.reshape(h0, [batch, 1, channels, states]));
  const padded = build.apply("pad", [start], { lo: [0, 0, 0, 0], hi: [0, length - 1, 0, 0], value: 0 });
  const h = build.apply("recurrence", [decay, build.add(drive, padded)], { axis: 1, reverse: false, lag: false });
  const y = build.sum(build.mul(h, perState(c)), [3]);
  return [y, build.reshape(step(h, length - 1), [batch, channels, states])];
}

/** Gradients of the gradient kernel: those of the composed form's gradients. */
class SelectiveSecondOrder implements SecondOrder {
  pullBack(gradient: Node<"selectiveScanGrad">, results: Node<"tuple">): readonly (Node | undefined)[] {
    const { inputs } = gradient;
    // Variables of their own: two inputs may be one node.
    const variable = (x: Node): Node => new Node("alias", [x], {}, x.shape, x.dtype, true);
    const variables = [...inputs.slice(0, 6), ...inputs.slice(7)].map(variable);
    const ends = new Set(variables);
    const [y, last] = composedSelectiveScan(variables.slice(0, 6));
    const [gy, gLast] = variables.slice(6);
    const first = gradientsOfAll(
      [
        [y, gy],
        [last, gLast],
      ],
      variables.slice(0, 6),
      ends,
    );
    const outputs = results.attrs.slots.flatMap((slot, i): [Node, Node][] => {
      const output = first[slot];
      return output === undefined ? [] : [[output, ofWhole(results.inputs[i], slot)]];
    });
    return gradientsOfAll(outputs, variables, ends);
  }

  toString(): string {
    return "composed";
  }
}

/** Shares of one gradient are only ever added up, so the gradient that flows into each is the same: the first's. */
function ofWhole(seed: Node, slot: number): Node {
  if (slot < 2 || slot > 4) return seed;
  const zeros = seed.shape.map(() => 0);
  const first = build.apply("slice", [seed], {
    starts: zeros,
    stops: seed.shape.with(0, 1),
    steps: seed.shape.map(() => 1),
  });
  return build.reshape(first, seed.shape.slice(1));
}

export const selectiveSecondOrder: SecondOrder = new SelectiveSecondOrder();
