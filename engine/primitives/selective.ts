// The selective scan of state space models and its gradient: kernels that never store a state for every step.

import { isFloat } from "../dtype.ts";
import { DTypeError, ShapeError } from "../errors.ts";
import type { Node } from "../graph/node.ts";
import { formatShape, type Shape, sameShape } from "../shape.ts";
import type { Row } from "./row.ts";

/** Steps between two states that are kept for the gradient; with more states a channel, fewer are kept. */
export const chunkOf = (states: number): number => Math.max(16, states);
/** Channels whose shares of the gradients of B and C are added up together. */
export const groupChannels = 64;

export interface SelectiveSizes {
  readonly batch: number;
  readonly length: number;
  readonly channels: number;
  readonly states: number;
}

export function selectiveSizes([u, , a]: readonly { readonly shape: Shape }[]): SelectiveSizes {
  const [batch, length, channels] = u.shape;
  return { batch, length, channels, states: a.shape[1] };
}

/** Shapes of y, the last state, and the states at borders (in an order of the backend's own). */
export function selectiveResults({ batch, length, channels, states }: SelectiveSizes): Shape[] {
  const padded = Math.ceil(channels / 4) * 4;
  return [
    [batch, length, channels],
    [batch, channels, states],
    [Math.ceil(length / chunkOf(states)), batch, padded, states],
  ];
}

/** Shapes of the gradients of u, delta, A (per batch), B, C (per group of channels) and h0. */
export function selectiveGradients({ batch, length, channels, states }: SelectiveSizes): Shape[] {
  const whole = [batch, length, channels];
  const groups = Math.ceil(channels / groupChannels);
  const perGroup = [groups, batch, length, states];
  return [whole, whole, [batch, channels, states], perGroup, perGroup, [batch, channels, states]];
}

const names = ["u", "delta", "A", "B", "C", "h0"];

function checkInputs(inputs: readonly Node[]): void {
  const [u, delta, a, b, c, h0] = inputs;
  const shapes = inputs.slice(0, 6).map((x, i) => `${names[i]} ${formatShape(x.shape)}`);
  const [batch, length, channels] = u.shape;
  const states = a.shape[1];
  const rank = u.shape.length === 3 && a.shape.length === 2;
  const fits =
    sameShape(delta.shape, u.shape) &&
    a.shape[0] === channels &&
    [b, c].every((x) => sameShape(x.shape, [batch, length, states])) &&
    sameShape(h0.shape, [batch, channels, states]);
  if (!rank || !fits) {
    const wanted = "u and delta [b, t, d], A [d, n], B and C [b, t, n], h0 [b, d, n]";
    throw new ShapeError("selectiveScan", `needs ${wanted}; got ${shapes.join(", ")}`);
  }
}

function checkDTypes(inputs: readonly Node[]): void {
  if (isFloat(inputs[0].dtype) && inputs.every((input) => input.dtype === inputs[0].dtype)) return;
  const list = inputs.map((input) => input.dtype).join(", ");
  throw new DTypeError("selectiveScan", `needs inputs of one float dtype, got ${list}`);
}

const inputCount = 6;

export const selective: { readonly [P in "selectiveScan" | "selectiveScanGrad"]: Row<P> } = {
  selectiveScan: {
    shape: (inputs) => {
      checkInputs(inputs);
      return [];
    },
    dtype: (inputs) => {
      checkDTypes(inputs);
      return inputs[0].dtype;
    },
    vjp: (b, g, scan, inputs) => {
      const { slots } = (g as Node<"tuple">).attrs;
      const part = (of: Node, index: number): Node => b.apply("part", [of], { index });
      const given = (index: number): Node => {
        const at = slots.indexOf(index);
        return at >= 0 ? g.inputs[at] : b.fill(part(scan, index), 0);
      };
      const gradient = b.apply("selectiveScanGrad", [...inputs, part(scan, 2), given(0), given(1)], scan.attrs);
      return inputs.map((_, i) => (i >= 2 && i <= 4 ? b.sum(part(gradient, i), [0]) : part(gradient, i)));
    },
  },
  selectiveScanGrad: {
    shape: () => [],
    dtype: (inputs) => inputs[0].dtype,
    vjp: (_b, g, gradient, inputs) => {
      const found = gradient.attrs.second.pullBack(gradient, g as Node<"tuple">);
      // What the border states do is in the gradients of what they are computed from.
      return [...found.slice(0, inputCount), undefined, ...found.slice(inputCount)].slice(0, inputs.length);
    },
  },
};
