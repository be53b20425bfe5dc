// The scan primitive: how a body becomes a node, and its gradient, which is a scan in the other direction.

import { isFloat } from "../dtype.ts";
import { bodyKey, bodyNodes, captured, withOwnNodes } from "../graph/body.ts";
import { type Body, Node } from "../graph/node.ts";
import { unaryFloatOps } from "../graph/vocabulary.ts";
import { build } from "../primitives/index.ts";
import type { Shape } from "../shape.ts";
import { gradientsOfAll } from "./gradients.ts";
import { sumsOverTime } from "./over-time.ts";

/** A leaf of a body: it has a value only while the body runs. */
export const bodyLeaf = (like: { readonly shape: Shape; readonly dtype: Node["dtype"] }): Node =>
  new Node("data", [], {}, like.shape, like.dtype, isFloat(like.dtype));

export interface Step {
  /** Leaves: the state before the step, and the step's element of each sequence. */
  readonly carries: readonly Node[];
  readonly elements: readonly Node[];
  /** The state after the step, and what it adds to the resulting sequences. */
  readonly next: readonly Node[];
  readonly outputs: readonly Node[];
  readonly length: number;
  readonly reverse: boolean;
}

export interface ScanNodes {
  /** The state after the last step. */
  readonly last: readonly Node[];
  readonly outputs: readonly Node[];
}

/**
 * Runs a step along the first axis of `sequences`, from the state `init`. `valueOf` gives the value of a node from
 * outside the step where it is another's.
 */
export function scanNodes(
  step: Step,
  init: readonly Node[],
  sequences: readonly Node[],
  valueOf: (node: Node) => Node = (node) => node,
): ScanNodes {
  const { carries, elements, next, outputs } = step;
  const variables = new Set([...carries, ...elements]);
  const outside = captured([...next, ...outputs], variables);
  const own = withOwnNodes([...next, ...outputs], variables, outside);
  const body = new StepBody({ ...step, next: own.slice(0, next.length), outputs: own.slice(next.length) }, outside);
  const scan = build.apply("scan", [...init, ...sequences, ...outside.map(valueOf)], { body });
  const part = (index: number): Node => build.apply("part", [scan], { index });
  return {
    last: next.map((_, i) => part(i)),
    outputs: outputs.map((_, i) => part(carries.length + i)),
  };
}

/** What takes longer to compute again than to keep. */
const costly: ReadonlySet<string> = new Set(["contract", ...unaryFloatOps]);

class StepBody implements Body {
  readonly leaves: readonly Node[];
  readonly carries: number;
  readonly sequences: number;
  readonly results: readonly Node[];
  readonly length: number;
  readonly reverse: boolean;
  /** What the gradient reads instead of computing it again: nodes, and which result holds each one's sequence. */
  readonly #saved: readonly { readonly node: Node; readonly result: number }[];
  #key: string | undefined;

  constructor({ carries, elements, next, outputs, length, reverse }: Step, outside: readonly Node[]) {
    this.leaves = [...carries, ...elements, ...outside];
    this.carries = carries.length;
    this.sequences = elements.length;
    this.length = length;
    this.reverse = reverse;
    // The state before each step, products and costly functions: the rest is cheap. Where nobody asks, they are not stored.
    const leaves = new Set(this.leaves);
    const inner = bodyNodes({ leaves: this.leaves, results: [...next, ...outputs] });
    const saved = [...carries, ...inner.filter((node) => !leaves.has(node) && costly.has(node.op))];
    this.results = [...next, ...outputs, ...saved];
    const first = next.length + outputs.length;
    this.#saved = saved.map((node, i) => ({ node, result: first + i }));
  }

  toString(): string {
    this.#key ??= bodyKey(this);
    return this.#key;
  }

  pullBack(scan: Node<"scan">, given: Node<"tuple">): readonly (Node | undefined)[] {
    const gradientOf = (result: number): Node | undefined => given.inputs[given.attrs.slots.indexOf(result)];
    const zero = (leaf: Node): Node => build.fill(leaf, 0);
    const states = this.leaves.slice(0, this.carries).filter((leaf) => isFloat(leaf.dtype));
    // Seeds: of the state, carried from step to step; of sequences, one element a step.
    const stateSeeds = states.map(bodyLeaf);
    const flowing = this.results.flatMap((node, i) => {
      const sequence = i < this.carries ? undefined : gradientOf(i);
      return sequence === undefined ? [] : [{ node, sequence, seed: bodyLeaf(node) }];
    });
    const stateOutputs = states.map((leaf, i): [Node, Node] => [
      this.results[this.leaves.indexOf(leaf)],
      stateSeeds[i],
    ]);
    const targets = this.leaves.filter((_, i) => i < this.carries || scan.inputs[i].tracked);
    const found = gradientsOfAll(
      [...stateOutputs, ...flowing.map(({ node, seed }): [Node, Node] => [node, seed])],
      targets,
      new Set(this.leaves),
    );
    const gradients = new Map(targets.map((leaf, i) => [leaf, found[i]]));
    const split = this.carries + this.sequences;
    const elements = this.leaves.slice(this.carries, split);
    const known = new Map<Node, Node>([
      ...this.#saved.map(({ node, result }): [Node, Node] => [node, build.apply("part", [scan], { index: result })]),
      ...elements.map((leaf, i): [Node, Node] => [leaf, scan.inputs[this.carries + i]]),
      ...flowing.map(({ seed, sequence }): [Node, Node] => [seed, sequence]),
    ]);
    const flow = (leaves: readonly Node[]) =>
      leaves.flatMap((leaf) => {
        const value = gradients.get(leaf);
        return value === undefined ? [] : [{ leaf, value }];
      });
    const varying = flow(elements);
    const constants = new Set(this.leaves.slice(split));
    const kept = new Set(varying.map(({ value }) => value));
    const outside = sumsOverTime(flow([...constants]), kept, {
      length: this.length,
      has: (value) => known.has(value) || kept.has(value),
      isFixed: (value) => constants.has(value) || value.op === "full" || value.op === "iota",
      of: (value) => known.get(value) as Node,
    });
    const added = outside.filter(({ total }) => total === undefined);
    const sums = added.map(({ leaf }) => bodyLeaf(leaf));
    const { last, outputs } = scanNodes(
      {
        carries: [...stateSeeds, ...sums],
        elements: [...known.keys()],
        next: [
          ...states.map((leaf) => gradients.get(leaf) ?? zero(leaf)),
          ...added.map(({ value }, i) => build.add(sums[i], value)),
        ],
        outputs: [...kept],
        length: this.length,
        reverse: !this.reverse,
      },
      [
        ...states.map((leaf) => gradientOf(this.leaves.indexOf(leaf)) ?? zero(leaf)),
        ...added.map(({ leaf }) => zero(leaf)),
      ],
      [...known.values()],
      (node) => scan.inputs[this.leaves.indexOf(node)] ?? node,
    );
    [...kept].forEach((value, i) => {
      if (!known.has(value)) known.set(value, outputs[i]);
    });
    const results = new Map<Node, Node>([
      ...states.map((leaf, i): [Node, Node] => [leaf, last[i]]),
      ...varying.map(({ leaf, value }): [Node, Node] => [leaf, outputs[[...kept].indexOf(value)]]),
      ...added.map(({ leaf }, i): [Node, Node] => [leaf, last[states.length + i]]),
      ...outside.flatMap(({ leaf, total }): [Node, Node][] => (total === undefined ? [] : [[leaf, total()]])),
    ]);
    return this.leaves.map((leaf) => results.get(leaf));
  }
}
