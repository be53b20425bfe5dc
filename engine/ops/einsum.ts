// Einstein summation, lowered to permutations, reshapes and one matrix product per pair of operands.

import { isFloat, promote } from "../dtype.ts";
import { ArgumentError, ShapeError } from "../errors.ts";
import { operation } from "../operation.ts";
import { formatShape } from "../shape.ts";
import type { Tensor } from "../tensor.ts";
import type { CheckedEquation, EinsumOperands } from "./einsum-types.ts";
import { mul } from "./elementwise.ts";
import { matmul } from "./linalg.ts";
import { broadcastTo, moveAxis, permute, reshape } from "./movement.ts";
import { checkTensor } from "./operand.ts";
import { sum } from "./reduce.ts";
import { slice } from "./slicing.ts";

/** A tensor whose axes have names. */
interface Term {
  readonly x: Tensor;
  readonly axes: readonly string[];
}

type Sides = ReadonlyMap<string, number>;

/**
 * Sums of products over named axes: `einsum("bhqd,bhkd->bhqk", q, k)`. Letters name axes; those not in the output are
 * summed; a letter twice in one operand takes the diagonal; `...` stands for leading batch axes, which broadcast. The
 * output must be written out. More than two operands are multiplied in an order that keeps intermediate results small.
 * The equation is checked at compile time where it is a literal. Throws an ArgumentError for an equation that makes no
 * sense, a ShapeError (with all shapes) where sides differ.
 */
export const einsum = operation(
  "einsum",
  <const E extends string>(equation: CheckedEquation<E>, ...operands: EinsumOperands<E>): Tensor => {
    const tensors = operands as readonly Tensor[];
    for (const [i, operand] of tensors.entries()) checkTensor("einsum", operand, `operand ${i}`);
    const { inputs, output } = parse(equation, tensors);
    const sides = measure(equation, inputs, tensors);
    let terms: Term[] = inputs.map((axes, i) => diagonal({ x: tensors[i], axes }, sides));
    while (terms.length > 1) {
      const [i, j] = cheapestPair(terms, output, sides);
      const rest = terms.filter((_, at) => at !== i && at !== j);
      const kept = new Set([...output, ...rest.flatMap((term) => term.axes)]);
      terms = [...rest, multiply(terms[i], terms[j], kept)];
    }
    return arrange(sumExcept(terms[0], new Set(output)), output, sides);
  },
);

function parse(equation: string, operands: readonly Tensor[]) {
  const text = equation.replaceAll(" ", "");
  const match = /^([A-Za-z.,]*)->([A-Za-z.]*)$/.exec(text);
  if (match === null) throw new ArgumentError("einsum", `"${equation}" is not of the form "ab,bc->ac"`);
  const parts = match[1].split(",");
  if (parts.length !== operands.length) {
    throw new ArgumentError("einsum", `"${equation}" takes ${parts.length} operands, got ${operands.length}`);
  }
  const leading = parts.map((part, i) => (part.includes("...") ? operands[i].rank - (part.length - 3) : 0));
  const widest = Math.max(0, ...leading);
  const axesOf = (part: string, count: number): string[] => {
    const names = Array.from({ length: count }, (_, i) => `...${widest - count + i}`);
    const axes = part.split(/(\.\.\.|[A-Za-z])/).filter((token) => token !== "");
    const stray = axes.find((token) => token !== "..." && token.startsWith("."));
    if (stray !== undefined || axes.filter((token) => token === "...").length > 1) {
      throw new ArgumentError("einsum", `"${equation}": write "..." once per operand for leading axes`);
    }
    return axes.flatMap((token) => (token === "..." ? names : [token]));
  };
  const inputs = parts.map((part, i) => axesOf(part, Math.max(0, leading[i])));
  const output = axesOf(match[2], widest);
  const unknown = output.find((name) => !inputs.some((axes) => axes.includes(name)));
  if (unknown !== undefined) {
    throw new ArgumentError("einsum", `"${equation}": output letter ${unknown} is in no operand`);
  }
  if (new Set(output).size !== output.length) {
    throw new ArgumentError("einsum", `"${equation}": a letter is twice in the output`);
  }
  return { inputs, output };
}

/** The side of each named axis. Axes of "..." broadcast, the others must agree. */
function measure(equation: string, inputs: readonly (readonly string[])[], operands: readonly Tensor[]): Sides {
  const shapes = operands.map((operand) => formatShape(operand.shape)).join(", ");
  const sides = new Map<string, number>();
  inputs.forEach((axes, i) => {
    const { shape } = operands[i];
    if (axes.length !== shape.length) {
      throw new ShapeError("einsum", `"${equation}" gives operand ${i} ${axes.length} axes; shapes are ${shapes}`);
    }
    axes.forEach((name, axis) => {
      const known = sides.get(name) ?? shape[axis];
      const broadcast = name.startsWith(".") && (known === 1 || shape[axis] === 1);
      if (known !== shape[axis] && !broadcast) {
        throw new ShapeError(
          "einsum",
          `"${equation}": ${name} is both ${known} and ${shape[axis]} in shapes ${shapes}`,
        );
      }
      sides.set(name, broadcast ? known * shape[axis] : known);
    });
  });
  return sides;
}

/** Names each axis once (a letter met twice: the diagonal) and repeats broadcast sides. */
function diagonal(term: Term, sides: Sides): Term {
  const twice = term.axes.findIndex((name, i) => term.axes.indexOf(name) !== i);
  if (twice < 0)
    return {
      x: broadcastTo(
        term.x,
        term.axes.map((name) => sides.get(name) as number),
      ),
      axes: term.axes,
    };
  const first = term.axes.indexOf(term.axes[twice]);
  const x = moveAxis(term.x, twice, first + 1);
  const n = x.shape[first];
  const joined = reshape(x, [...x.shape.slice(0, first), n * n, ...x.shape.slice(first + 2)]);
  const picks = joined.shape.map((_, axis) => (axis === first ? { step: n + 1 } : null));
  return diagonal({ x: slice(joined, picks), axes: term.axes.filter((_, i) => i !== twice) }, sides);
}

const sizeAlong = (axes: Iterable<string>, sides: Sides): number =>
  [...axes].reduce((size, name) => size * (sides.get(name) as number), 1);

/** The pair whose product grows memory least. */
function cheapestPair(terms: readonly Term[], output: readonly string[], sides: Sides): [number, number] {
  let best: [number, number] = [0, 1];
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i < terms.length; i++) {
    for (let j = i + 1; j < terms.length; j++) {
      const others = terms.filter((_, at) => at !== i && at !== j).flatMap((term) => term.axes);
      const kept = new Set(
        [...terms[i].axes, ...terms[j].axes].filter((n) => output.includes(n) || others.includes(n)),
      );
      const growth = sizeAlong(kept, sides) - sizeAlong(terms[i].axes, sides) - sizeAlong(terms[j].axes, sides);
      if (growth < least) {
        least = growth;
        best = [i, j];
      }
    }
  }
  return best;
}

function sumExcept({ x, axes }: Term, kept: ReadonlySet<string>): Term {
  const gone = axes.flatMap((name, i) => (kept.has(name) ? [] : [i]));
  return gone.length === 0 ? { x, axes } : { x: sum(x, gone), axes: axes.filter((name) => kept.has(name)) };
}

/** The term with its axes in this order; names it does not have become sides of 1. */
function arrange({ x, axes }: Term, order: readonly string[], sides: Sides): Tensor {
  const present = order.filter((name) => axes.includes(name));
  const sorted = permute(
    x,
    present.map((name) => axes.indexOf(name)),
  );
  return reshape(
    sorted,
    order.map((name) => (axes.includes(name) ? (sides.get(name) as number) : 1)),
  );
}

/** The product of two terms, summed over what is not kept. */
function multiply(left: Term, right: Term, kept: ReadonlySet<string>): Term {
  // What only one of them has and nobody keeps is summed before the product.
  const a = sumExcept(left, new Set([...kept, ...right.axes]));
  const b = sumExcept(right, new Set([...kept, ...left.axes]));
  const sides: Sides = new Map([...named(a), ...named(b)]);
  const shared = a.axes.filter((name) => b.axes.includes(name));
  const batch = shared.filter((name) => kept.has(name));
  const inner = shared.filter((name) => !kept.has(name));
  const rows = a.axes.filter((name) => !shared.includes(name));
  const columns = b.axes.filter((name) => !shared.includes(name));
  const axes = [...batch, ...rows, ...columns];
  // Without sums, or with one result per sum, there is no matrix product in it; and there is none of integers.
  const products = inner.length === 0 || (rows.length === 0 && columns.length === 0);
  if (products || !isFloat(promote(a.x.dtype, b.x.dtype))) {
    const all = [...axes, ...inner];
    return sumExcept({ x: mul(arrange(a, all, sides), arrange(b, all, sides)), axes: all }, new Set(axes));
  }
  const outer = batch.map((name) => sides.get(name) as number);
  const [m, k, n] = [rows, inner, columns].map((names) => sizeAlong(names, sides));
  const x = reshape(arrange(a, [...batch, ...rows, ...inner], sides), [...outer, m, k]);
  const y = reshape(arrange(b, [...batch, ...inner, ...columns], sides), [...outer, k, n]);
  return {
    x: reshape(
      matmul(x, y),
      axes.map((name) => sides.get(name) as number),
    ),
    axes,
  };
}

const named = ({ x, axes }: Term): [string, number][] => axes.map((name, i) => [name, x.shape[i]]);
