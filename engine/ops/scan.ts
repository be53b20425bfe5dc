// Loops over a sequence: any step function, traced once whatever the length; and prefixes of any associative operation.

import { bodyLeaf, scanNodes } from "../autograd/scan.ts";
import { ArgumentError, DTypeError, ShapeError } from "../errors.ts";
import { apart, operation } from "../operation.ts";
import { currentTrace, type Trace, withTrace } from "../runtime/trace.ts";
import { formatShape, maxElements, resolveAxis } from "../shape.ts";
import { Tensor } from "../tensor.ts";
import { concat, stack } from "./joining.ts";
import { flip, reshape } from "./movement.ts";
import { filled } from "./operand.ts";
import { narrow, slice } from "./slicing.ts";
import { leavesOf, structureOf, type TensorTree, withLeaves } from "./tree.ts";

export interface ScanOptions {
  /** From the last element to the first; the results lie in the order of xs all the same. */
  readonly reverse?: boolean;
  /** Number of steps; needed only where xs holds no tensor. */
  readonly length?: number;
}

/**
 * Carries a state along the first axis of `xs`: `[carry, y] = step(carry, x)` for each x, from `init`. Returns the last
 * state and all y, stacked along a new first axis. `step` runs once, to record what it computes, whatever the length;
 * inside it nothing can be read or assigned and no random numbers drawn: what differs from step to step comes from xs.
 * Tensors from outside (weights) may be used freely. Differentiable to any order; states, products and functions such as exp
 * are kept for the gradient, the rest is computed again. Throws a ShapeError or DTypeError where the state changes shape or dtype, or
 * sequences differ in length.
 */
export const scan = operation(
  "scan",
  <C extends TensorTree, X extends TensorTree, Y extends TensorTree>(
    step: (carry: C, x: X) => readonly [carry: C, y: Y],
    init: C,
    xs: X,
    options: ScanOptions = {},
  ): [carry: C, ys: Y] => {
    const states = leavesOf("scan", init, "init");
    const sequences = leavesOf("scan", xs, "xs");
    const length = lengthOf(sequences, options.length);
    const carries = states.map((state) => bodyLeaf(state));
    const elements = sequences.map(({ shape, dtype }) => bodyLeaf({ shape: shape.slice(1), dtype }));
    const wrap = (node: (typeof carries)[number]): Tensor => new Tensor(node);
    const [carry, y] = isolated(() => step(withLeaves(init, carries.map(wrap)), withLeaves(xs, elements.map(wrap))));
    checkCarry(init, carry);
    const outputs = leavesOf("scan", y, "the output of the step");
    if (length === 0)
      return [
        init,
        withLeaves(
          y,
          outputs.map((out) => filled([0, ...out.shape], out.dtype, 0)),
        ),
      ];
    const nodes = scanNodes(
      {
        carries,
        elements,
        next: leavesOf("scan", carry, "the state").map((next) => next.node),
        outputs: outputs.map((out) => out.node),
        length,
        reverse: options.reverse === true,
      },
      states.map((state) => state.node),
      sequences.map((sequence) => sequence.node),
    );
    return [withLeaves(init, nodes.last.map(wrap)), withLeaves(y, nodes.outputs.map(wrap))];
  },
);

function lengthOf(sequences: readonly Tensor[], given: number | undefined): number {
  const shapes = sequences.map(({ shape }) => formatShape(shape)).join(", ");
  if (sequences.some(({ rank }) => rank === 0))
    throw new ShapeError("scan", `xs need a first axis to scan, got ${shapes}`);
  const length = given ?? sequences[0]?.shape[0];
  if (length === undefined) throw new ArgumentError("scan", "needs options.length where xs holds no tensor");
  if (!Number.isInteger(length) || length < 0 || length > maxElements) {
    throw new ArgumentError("scan", `the length must be a whole number of steps in 0..${maxElements}, got ${length}`);
  }
  if (sequences.some(({ shape }) => shape[0] !== length)) {
    throw new ShapeError("scan", `xs must have ${length} elements along their first axis, got ${shapes}`);
  }
  return length;
}

/** Runs a step under a trace of its own, which must stay empty. */
function isolated<T>(step: () => T): T {
  const before = currentTrace()?.updates ?? new Map();
  const trace: Trace = { updates: new Map(before), atEnd: [] };
  const result = apart(() => withTrace(trace, step));
  for (const [target, value] of trace.updates) {
    if (before.get(target) === value) continue;
    throw new ArgumentError(
      "scan",
      "the step assigns to a tensor or draws random numbers, but is traced only once; pass what changes through xs",
    );
  }
  return result;
}

function checkCarry(init: TensorTree, carry: TensorTree): void {
  const [before, after] = [init, carry].map((tree) => leavesOf("scan", tree, "the state"));
  const [from, to] = [structureOf(init), structureOf(carry)];
  if (from !== to) throw new ArgumentError("scan", `the step must return a state like init, ${from}, got ${to}`);
  before.forEach(({ shape, dtype }, i) => {
    const next = after[i];
    const [was, is] = [formatShape(shape), formatShape(next.shape)];
    if (was !== is)
      throw new ShapeError("scan", `tensor ${i} of the state has shape ${was} before a step, ${is} after`);
    if (dtype !== next.dtype) {
      throw new DTypeError("scan", `tensor ${i} of the state is ${dtype} before a step and ${next.dtype} after`);
    }
  });
}

export interface AssociativeScanOptions {
  /** Default 0. */
  readonly axis?: number;
  /** From the last element to the first: element i is combined with all after it. */
  readonly reverse?: boolean;
}

/**
 * All prefixes of `xs` under an associative `combine(earlier, later)`, along an axis: element t of the result is
 * x_0 o x_1 o ... o x_t. `combine` gets parts of any length of the axis and works elementwise along it; it is called
 * O(log n) times, on O(n) elements in all. Throws a ShapeError where the tensors of xs differ along the axis.
 */
export const associativeScan = operation(
  "associativeScan",
  <X extends TensorTree>(combine: (earlier: X, later: X) => X, xs: X, options: AssociativeScanOptions = {}): X => {
    const tensors = leavesOf("associativeScan", xs, "xs");
    if (tensors.length === 0) throw new ArgumentError("associativeScan", "needs at least one tensor");
    const axes = tensors.map(({ shape }) => resolveAxis("associativeScan", options.axis ?? 0, shape));
    const sides = tensors.map(({ shape }, i) => shape[axes[i]]);
    if (sides.some((side) => side !== sides[0])) {
      const shapes = tensors.map(({ shape }) => formatShape(shape)).join(", ");
      throw new ShapeError("associativeScan", `sides along axis ${options.axis ?? 0} differ: ${shapes}`);
    }
    const turned = (list: readonly Tensor[]): Tensor[] =>
      options.reverse === true ? list.map((x, i) => flip(x, axes[i])) : [...list];
    const join = (earlier: readonly Tensor[], later: readonly Tensor[]): Tensor[] => {
      const joined = apart(() => combine(withLeaves(xs, earlier), withLeaves(xs, later)));
      return leavesOf("associativeScan", joined, "the result of combine");
    };
    return withLeaves(xs, turned(prefixes(join, turned(tensors), axes)));
  },
);

/** Prefixes of pairs of neighbours first; they are every second result, and give the others by one more step. */
function prefixes(
  join: (earlier: readonly Tensor[], later: readonly Tensor[]) => Tensor[],
  xs: readonly Tensor[],
  axes: readonly number[],
): Tensor[] {
  const side = xs[0].shape[axes[0]];
  if (side < 2) return [...xs];
  const every = (list: readonly Tensor[], start: number, stop: number, step: number): Tensor[] =>
    list.map((x, i) =>
      slice(
        x,
        x.shape.map((_, axis) => (axis === axes[i] ? { start, stop, step } : null)),
      ),
    );
  const half = Math.floor(side / 2);
  const odd = prefixes(join, join(every(xs, 0, 2 * half, 2), every(xs, 1, 2 * half, 2)), axes);
  // Even positions from 2 on, each after the odd position before it.
  const evens = Math.ceil(side / 2) - 1;
  const even = evens === 0 ? every(xs, 0, 0, 1) : join(every(odd, 0, evens, 1), every(xs, 2, side, 2));
  return xs.map((x, i) => {
    const axis = axes[i];
    const first = concat([narrow(x, axis, 0, 1), even[i]], axis);
    const pairs = stack([narrow(first, axis, 0, half), odd[i]], axis + 1);
    const woven = reshape(pairs, x.shape.with(axis, 2 * half));
    return side === 2 * half ? woven : concat([woven, narrow(first, axis, half, 1)], axis);
  });
}
