// What TypeScript can know about an einsum equation: how many operands it takes and whether its output makes sense.

import type { Tensor } from "../tensor.ts";

/** The text without its spaces. */
export type Compact<S extends string> = S extends `${infer A} ${infer B}` ? Compact<`${A}${B}`> : S;

/** The characters of a text. */
export type Characters<S extends string> = S extends `${infer C}${infer Rest}` ? C | Characters<Rest> : never;

type Inputs<S extends string> = S extends `${infer Left}->${string}` ? Left : S;
type Output<S extends string> = S extends `${string}->${infer Right}` ? Right : never;

/** One tensor for each part between commas. */
type PerComma<S extends string> = S extends `${string},${infer Rest}` ? [x: Tensor, ...PerComma<Rest>] : [x: Tensor];

/** The operands an equation takes; any number where the equation is not known at compile time. */
export type EinsumOperands<E extends string> = string extends E ? Tensor[] : PerComma<Inputs<Compact<E>>>;

type Unknown<E extends string> = Exclude<Characters<Output<E>>, Characters<Inputs<E>>>;

type Judge<E extends string> = E extends `${string}->${string}`
  ? [Unknown<E>] extends [never]
    ? unknown
    : `output letter ${Unknown<E>} is in no operand`
  : "needs an output: write inputs->output";

/** The equation itself, or a text that says what is wrong with it. */
export type CheckedEquation<E extends string> = string extends E
  ? E
  : Judge<Compact<E>> extends infer Problem extends string
    ? Problem
    : E;
