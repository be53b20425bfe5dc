// Bounds of all primitives: movement moves them; sums of products add them up.

import { evaluate } from "../../engine/backends/reference/evaluate.ts";
import { Node, type Op } from "../../engine/graph/node.ts";
import { type ElementwiseOp, isElementwise } from "../../engine/graph/vocabulary.ts";
import { sizeOf } from "../../engine/index.ts";
import { anyBound, type Bounded, gamma, magnitudes, sizes } from "./arithmetic.ts";
import { elementwiseRules } from "./elementwise.ts";

type Rule = (node: Node, inputs: readonly Bounded[], values: Float64Array) => Float64Array;

const none: Rule = (_node, _inputs, values) => new Float64Array(values.length);
const unknown = Number.POSITIVE_INFINITY;

/** What moves elements moves their bounds. */
const moved: Rule = (node, inputs) =>
  Float64Array.from(
    evaluate(
      node,
      inputs.map((input) => input.bounds),
    ),
  );

/**
 * Sums of products of float operands (the others are exact): with all signs positive they bound themselves. `roundings`
 * is how many errors one term can meet on its way into the result, in any order of summation.
 */
const polynomial =
  (roundings: (node: Node) => number, exact: readonly number[] = []): Rule =>
  (node, inputs) => {
    const on = (of: (input: Bounded) => Float64Array): Float64Array =>
      evaluate(
        node,
        inputs.map((input, i) => (exact.includes(i) ? input.values : of(input))),
      );
    const [outer, inner] = [on(magnitudes), on(sizes)];
    const relative = gamma(node.dtype, roundings(node));
    const disturbed = inputs.some((input, i) => !exact.includes(i) && anyBound(input));
    return outer.map((most, i) => (disturbed ? most - inner[i] : 0) + relative * most);
  };

const sideOf = (node: Node, axis: number): number => node.inputs[0].shape[axis];

/** Elements that one result takes together. */
const reduced = (node: Node): number =>
  (node as Node<"sum">).attrs.axes.reduce((count, axis) => count * sideOf(node, axis), 1);

const alongAxis = (node: Node): number => sideOf(node, (node as Node<"cumsum">).attrs.axis);

/** The largest bound among the elements that one result chooses from. */
const chosen: Rule = (node, [x]) => {
  const max = new Node("max", node.inputs, (node as Node<"max">).attrs, node.shape, node.dtype);
  return evaluate(max, [x.bounds]).map((bound) => Math.max(0, bound));
};

const gather: Rule = (node, [x, index]) => {
  if (sizeOf(node.shape) === 0) return new Float64Array(0);
  return evaluate(node, [x.bounds, index.values]).map((bound, i) => (index.bounds[i] > 0 ? unknown : bound));
};

/** A line is in doubt as a whole where two keys that decide about it are too close to tell. */
const argsort: Rule = (node, [x], order) => {
  const [length, kept] = [last(node), node.shape[node.shape.length - 1]];
  const bounds = new Float64Array(order.length);
  for (let row = 0; row * kept < order.length; row++) {
    const places = Array.from(order.subarray(row * kept, (row + 1) * kept), (i) => row * length + i);
    const rest = Array.from({ length }, (_, i) => row * length + i).filter((at) => !places.includes(at));
    const inDoubt = (p: number, q: number): boolean => {
      const doubt = x.bounds[p] + x.bounds[q];
      return doubt > 0 && !(Math.abs(x.values[p] - x.values[q]) > doubt);
    };
    const among = places.some((at, i) => i > 0 && inDoubt(places[i - 1], at));
    const border = places.length > 0 && rest.some((at) => inDoubt(places[places.length - 1], at));
    if (among || border) bounds.fill(unknown, row * kept, (row + 1) * kept);
  }
  return bounds;
};

/** Where offsets are in doubt nothing is known. */
const grouped =
  (roundings: (node: Node) => number): Rule =>
  (node, inputs, values) =>
    anyBound(inputs[2]) ? values.map(() => unknown) : polynomial(roundings, [2])(node, inputs, values);

const last = (node: Node, input = 0): number => node.inputs[input].shape[node.inputs[input].shape.length - 1];

type Ruled = Exclude<Op, ElementwiseOp | "full" | "scan" | "selectiveScan" | "selectiveScanGrad" | "tuple">;

const rules: Readonly<Record<Ruled, Rule>> = {
  data: none,
  iota: none,
  uniform: none,
  alias: moved,
  stopGradient: moved,
  custom: moved,
  reshape: moved,
  permute: moved,
  expand: moved,
  slice: moved,
  flip: moved,
  windows: moved,
  concat: moved,
  part: moved,
  pad: (node, inputs, values) => {
    const attrs = { ...(node as Node<"pad">).attrs, value: 0 };
    return moved(new Node("pad", node.inputs, attrs, node.shape, node.dtype), inputs, values);
  },
  gather,
  argsort,
  sum: polynomial(reduced),
  prod: polynomial(reduced),
  max: chosen,
  min: chosen,
  contract: polynomial((node) => last(node)),
  groupedContract: grouped((node) => last(node)),
  groupedOuter: grouped((node) => node.inputs[0].shape[0]),
  scatterAdd: (node, inputs, values) =>
    anyBound(inputs[1])
      ? values.map(() => unknown)
      : polynomial((of) => of.inputs[1].shape[(of as Node<"scatterAdd">).attrs.axis] + 1, [1])(node, inputs, values),
  cumsum: polynomial(alongAxis),
  cummax: (node, [x]) => evaluate(node, [x.bounds]),
  // Steps may be joined in any order: a coefficient and a term are each rounded once a step.
  recurrence: polynomial((node) => 3 * alongAxis(node)),
};

/** How far each value may be off, given the bounds of the inputs; `values` are without rounding. */
export function boundsOf(node: Node, inputs: readonly Bounded[], values: Float64Array): Float64Array {
  const { op, dtype } = node;
  if (!isElementwise(op)) {
    const rule = rules[op as Ruled];
    if (rule === undefined) throw new Error(`rounding: no bound for ${op}`);
    return rule(node, inputs, values);
  }
  const rule = elementwiseRules[op];
  return values.map((value, i) =>
    rule(
      value,
      inputs.map((input) => [input.values[i], input.bounds[i]] as const),
      dtype,
    ),
  );
}
