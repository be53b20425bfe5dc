// The judge judged: gradient rules with a planted error, and the contract's own cases catch every one of them.

import { beforeAll, describe, expect, it } from "vitest";
import type { Node, Op } from "../../engine/graph/node.ts";
import { GradientError, gradcheck, gradgradcheck, setBackend } from "../../engine/index.ts";
import { type Build, primitives } from "../../engine/primitives/index.ts";
import { checkRow, type RowSample, rows } from "./rows.ts";

beforeAll(() => setBackend("reference"));

type Gradients = readonly (Node | undefined)[];
type Rule = (b: Build, g: Node, node: Node, inputs: readonly Node[]) => Gradients;

/** What goes wrong in rules: given the right one, a wrong one. */
interface Mutation {
  readonly name: string;
  readonly mutate: (right: Rule) => Rule;
  /** Rows it says nothing about, and why. */
  readonly except?: Readonly<Record<string, string>>;
  readonly only?: readonly Op[];
  /** First derivatives are right; only second ones are not. */
  readonly second?: boolean;
}

const each =
  (change: (b: Build, gradient: Node) => Node) =>
  (right: Rule): Rule =>
  (b, g, node, inputs) =>
    right(b, g, node, inputs).map((gradient) => (gradient === undefined ? undefined : change(b, gradient)));

const tuples = "gradients of several results come as a tuple";

const mutations: readonly Mutation[] = [
  { name: "wrong sign", mutate: each((b, x) => b.neg(x)) },
  { name: "missing factor", mutate: each((b, x) => b.mul(x, b.fill(x, 0.5))) },
  {
    name: "forgets the gradient that flows in",
    mutate: (right) => (b, g, node, inputs) => right(b, b.fill(g, 1), node, inputs),
    except: { scan: tuples, selectiveScan: tuples, selectiveScanGrad: tuples, custom: "its rule is its caller's" },
  },
  {
    name: "no gradient for the last input that has one",
    mutate: (right) => (b, g, node, inputs) => {
      const found = right(b, g, node, inputs);
      const last = found.findLastIndex((gradient) => gradient !== undefined);
      return found.map((gradient, i) => (i === last ? undefined : gradient));
    },
  },
  {
    name: "gradients of the inputs exchanged",
    mutate: (right) => (b, g, node, inputs) => {
      const [first, second, ...rest] = right(b, g, node, inputs);
      return [second, first, ...rest];
    },
    only: ["sub", "mul", "div", "pow", "maximum", "minimum", "remainder", "recurrence"],
  },
  {
    name: "wrong axis: the gradient is turned around",
    mutate: each((b, x) => (x.shape.length === 0 ? b.neg(x) : b.apply("flip", [x], { axes: [x.shape.length - 1] }))),
  },
  {
    name: "a gradient nobody can differentiate",
    mutate: each((b, x) => b.stopGradient(x)),
    second: true,
    except: { selectiveScanGrad: "it is a second derivative: only third ones would show" },
  },
];

const special: readonly (Mutation & { readonly only: readonly Op[] })[] = [
  {
    name: "missing sum over a broadcast axis",
    only: ["expand"],
    mutate:
      () =>
      (b, g, _node, [x]) => {
        const first = b.apply("slice", [g], {
          starts: g.shape.map(() => 0),
          stops: x.shape,
          steps: g.shape.map(() => 1),
        });
        return [first];
      },
  },
  {
    name: "stale mask: that of another condition",
    only: ["where"],
    mutate:
      (right) =>
      (b, g, node, [condition, ...rest]) =>
        right(b, g, node, [b.fill(condition, 1), ...rest]),
  },
  {
    name: "stale mask: ties and losers get a gradient too",
    only: ["maximum", "minimum"],
    mutate: () => (_b, g) => [g, g],
  },
  {
    name: "stale mask: every element of a line gets the extreme's gradient",
    only: ["max", "min"],
    mutate:
      () =>
      (b, g, node, [x]) => [b.unreduce(g, x.shape, (node as Node<"max">).attrs.axes)],
  },
  {
    name: "the running extreme's gradient goes to every element",
    only: ["cummax"],
    mutate: () => (b, g, node) => {
      const { axis, reverse } = (node as Node<"cummax">).attrs;
      return [b.apply("cumsum", [g], { axis, reverse: !reverse })];
    },
  },
  {
    name: "wrong direction",
    only: ["cumsum"],
    mutate: () => (b, g, node) => [b.apply("cumsum", [g], (node as Node<"cumsum">).attrs)],
  },
  {
    name: "the coefficient of the wrong neighbour",
    only: ["recurrence"],
    mutate:
      (right) =>
      (b, g, node, [a, x]) => {
        const { axis, reverse, lag } = (node as Node<"recurrence">).attrs;
        const gh = b.apply("recurrence", [a, g], { axis, reverse: !reverse, lag });
        return [right(b, g, node, [a, x])[0], gh];
      },
  },
  {
    name: "wrong axis: rows of the operands in the wrong order",
    only: ["contract"],
    mutate:
      () =>
      (b, g, _node, [x, y]) =>
        [b.mul(x, b.fill(x, 1)), b.mul(y, b.fill(y, 1))].map((z) => b.mul(z, b.fill(z, g.shape.length))),
  },
  {
    name: "padding taken for data",
    only: ["pad"],
    mutate:
      () =>
      (b, g, node, [x]) => {
        const starts = x.shape.map(() => 0);
        void node;
        return [b.apply("slice", [g], { starts, stops: x.shape, steps: x.shape.map(() => 1) })];
      },
  },
  {
    name: "the step of a slice forgotten",
    only: ["slice"],
    mutate:
      () =>
      (b, g, node, [x]) => {
        const { starts } = (node as Node<"slice">).attrs;
        const hi = x.shape.map((side, i) => side - starts[i] - g.shape[i]);
        return [b.apply("pad", [g], { lo: starts, hi, value: 0 })];
      },
  },
  {
    name: "a permutation instead of its inverse",
    only: ["permute"],
    mutate:
      () =>
      (b, g, node, [x]) => {
        const again = b.permute(g, (node as Node<"permute">).attrs.order);
        return [b.reshape(again, x.shape)];
      },
  },
  {
    name: "wrong sign, in a tuple",
    only: ["part"],
    mutate: () => (b, g, node) => {
      const { index } = (node as Node<"part">).attrs;
      return [b.apply("tuple", [b.neg(g)], { slots: [index] })];
    },
  },
  {
    name: "repeated indices overwrite instead of adding up",
    only: ["gather"],
    mutate:
      () =>
      (b, g, node, [x, index]) => {
        const { attrs } = node as Node<"gather">;
        const once = b.apply("scatterAdd", [b.fill(x, 0), index, b.fill(g, 1)], attrs);
        const sums = b.apply("scatterAdd", [b.fill(x, 0), index, g], attrs);
        return [b.div(sums, b.maximum(once, b.fill(once, 1))), undefined];
      },
  },
];

/** What the contract's cases of a row say while its rule is replaced. */
function found(op: Op, mutate: (right: Rule) => Rule, checker: typeof gradcheck): unknown {
  const row = primitives[op] as { vjp: Rule | string };
  const right = row.vjp as Rule;
  row.vjp = mutate(right);
  try {
    checkRow(rows[op] as NonNullable<RowSample>, checker, { numRuns: 15, endOnFailure: true });
    return undefined;
  } catch (error) {
    return (error as Error).cause;
  } finally {
    row.vjp = right;
  }
}

/** The gradient of `part` is a tuple, which no arithmetic applies to; it has mutants of its own below. */
const differentiable = (Object.entries(rows) as [Op, RowSample][]).filter(
  (entry): entry is [Op, NonNullable<RowSample>] =>
    entry[1] !== null && entry[0] !== "part" && typeof primitives[entry[0]].vjp !== "string",
);

describe.each(mutations)("$name", ({ mutate, except = {}, only, second = false }) => {
  const applies = differentiable.filter(([op]) => !Object.hasOwn(except, op) && (only?.includes(op) ?? true));
  it.each(applies)("of %s is caught", (op) => {
    // The gradient of a gradient's kernel shows in second derivatives only.
    const checker = second || op === "selectiveScanGrad" ? gradgradcheck : gradcheck;
    expect(found(op, mutate, checker)).toBeInstanceOf(GradientError);
  });
});

describe.each(special)("$name", ({ mutate, only }) => {
  it.each(only)("of %s is caught", (op) => {
    expect(found(op, mutate, gradcheck)).toBeInstanceOf(GradientError);
  });
});

it("rules are put back", () => {
  for (const [, sample] of differentiable) checkRow(sample, gradcheck, { numRuns: 1 });
});
