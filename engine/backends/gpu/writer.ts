// Writes the source of one gpu.js kernel. Every value is a float, every name is unique, every loop has a literal bound,
// indices are exact: what gpu.js gets wrong (see each method) cannot be written with it.

import { type HelperName, helperSource } from "./functions.ts";

/** The most elements of a buffer: positions are kept in f32, which counts exactly up to here. */
export const maxElements = 2 ** 24;

/** A number an executable passes at each call: fixed, one limb of a random key, or a position (see `Writer.position`). */
export type Scalar = "inf" | "nan" | "zero" | "one" | `key${number}` | `at${number}`;

/** Where a kernel finds the elements of a slot: an argument, from some position on. */
export interface Place {
  readonly slot: number;
  readonly start: number;
}

/** Below this, (p + 0.5) * (1 / n) rounds to the right side of every whole number. */
const reciprocalLimit = 2 ** 22;

export class Writer {
  /** Slots that are read, in the order of the arguments. */
  readonly slots: number[] = [];
  readonly scalars: Scalar[] = [];
  readonly #helpers = new Set<HelperName>();
  readonly #lines: string[] = [];
  readonly #placeOf: (slot: number) => Place;
  #names = 0;
  #depth = 1;

  constructor(placeOf: (slot: number) => Place = (slot) => ({ slot, start: 0 })) {
    this.#placeOf = placeOf;
  }

  line(text: string): void {
    this.#lines.push(`${"  ".repeat(this.#depth)}${text}`);
  }

  name(): string {
    return `v${this.#names++}`;
  }

  /** A name for the value of an expression; gpu.js makes it a float whatever the expression was. */
  const(expression: string): string {
    const name = this.name();
    this.line(`const ${name} = ${expression};`);
    return name;
  }

  let(expression: string): string {
    const name = this.name();
    this.line(`let ${name} = ${expression};`);
    return name;
  }

  if(condition: string, body: () => void): void {
    this.#block(`if (${condition}) {`, body);
  }

  /** Counts from 0 to `count` - 1 (a literal: other bounds are cut at 1000 rounds), as a float. */
  loop(count: number, body: (k: string) => void): void {
    if (count === 1) body(this.const("0"));
    else this.integerLoop(count, (counter) => body(this.const(counter)));
  }

  /** Likewise, with the counter itself: an integer, and so is arithmetic on it as long as no variable holds it. */
  integerLoop(count: number, body: (k: string) => void): void {
    if (count === 0) return;
    const counter = this.name();
    this.#block(`for (let ${counter} = 0; ${counter} < ${count}; ${counter}++) {`, () => body(counter));
  }

  /** Leaves the innermost loop. */
  breakIf(condition: string): void {
    this.line(`if (${condition}) { break; }`);
  }

  #block(head: string, body: () => void): void {
    this.line(head);
    this.#depth += 1;
    body();
    this.#depth -= 1;
    this.line("}");
  }

  /** The element of a slot at a position that is in range. */
  read(slot: number, position: string): string {
    const place = this.#placeOf(slot);
    let at = this.slots.indexOf(place.slot);
    if (at < 0) at = this.slots.push(place.slot) - 1;
    return `a${at}[${place.start === 0 ? position : `${position} + ${place.start}`}]`;
  }

  /** A scalar argument: infinities, NaN and a zero that no compiler folds cannot be literals. */
  scalar(name: Scalar): string {
    if (!this.scalars.includes(name)) this.scalars.push(name);
    return name;
  }

  /** A position as an argument, so that kernels that differ in nothing else are one. One a kernel. */
  position(value: number): string {
    this.scalars.push(`at${value}`);
    return "at";
  }

  helper(name: HelperName): string {
    this.#helpers.add(name);
    return name;
  }

  /** An f32 as an expression. */
  literal(value: number): string {
    const rounded = Math.fround(value);
    if (Number.isNaN(rounded)) return this.scalar("nan");
    if (rounded === Number.POSITIVE_INFINITY) return this.scalar("inf");
    if (rounded === Number.NEGATIVE_INFINITY) return `(-${this.scalar("inf")})`;
    // A zero is passed, so that x * 0 stays a multiplication.
    if (rounded === 0) return Object.is(rounded, -0) ? `(-${this.scalar("zero")})` : this.scalar("zero");
    return rounded < 0 ? `(-${-rounded})` : String(rounded);
  }

  /** Quotient and remainder of a whole number in [0, bound) by a whole number, exactly. */
  divide(position: string, by: number, bound: number): readonly [quotient: string, remainder: string] {
    if (by >= bound) return ["0", position];
    if (by === 1) return [position, "0"];
    const quotient = this.quotient(position, by, bound);
    return [quotient, this.const(`${position} - ${quotient} * ${by}`)];
  }

  quotient(position: string, by: number, bound: number): string {
    if (by >= bound) return "0";
    if (by === 1) return position;
    // A power of two has an exact reciprocal; gpu.js' own division may be off by more than a rounding.
    if ((by & (by - 1)) === 0) return this.const(`Math.floor(${position} * ${1 / by})`);
    if (bound <= reciprocalLimit) return this.const(`Math.floor((${position} + 0.5) * ${1 / by})`);
    const quotient = this.let(`Math.floor(${position} / ${by})`);
    const rest = this.const(`${position} - ${quotient} * ${by}`);
    this.if(`${rest} < 0`, () => this.line(`${quotient} = ${quotient} - 1;`));
    this.if(`${rest} >= ${by}`, () => this.line(`${quotient} = ${quotient} + 1;`));
    return quotient;
  }

  /** An index over `sides` from its flat, row-major position. */
  unravel(position: string, sides: readonly number[]): string[] {
    const at: string[] = new Array(sides.length).fill("0");
    let bound = sides.reduce((n, side) => n * side, 1);
    let rest = position;
    for (let axis = sides.length - 1; axis >= 0; axis--) {
      if (sides[axis] === 1) continue;
      const [above, here] = this.divide(rest, sides[axis], bound);
      at[axis] = here;
      rest = above;
      bound /= sides[axis];
    }
    return at;
  }

  /** The source; `result` is what the kernel returns. */
  source(result: string): string {
    this.line(`return ${result};`);
    const scalars = this.scalars.map((name) => (name.startsWith("at") ? "at" : name));
    const parameters = [...this.slots.map((_, i) => `a${i}`), ...scalars];
    return `function kernel(${parameters.join(", ")}) {\n${this.#lines.join("\n")}\n}`;
  }

  get helpers(): string[] {
    return helperSource(this.#helpers);
  }
}

/** offset + sum of at * stride, without the terms that are zero. */
export function affine(offset: number, at: readonly string[], strides: readonly number[]): string {
  const terms: string[] = [];
  at.forEach((index, axis) => {
    const stride = strides[axis];
    if (index === "0" || stride === 0) return;
    const size = Math.abs(stride);
    const term = size === 1 ? index : `${index} * ${size}`;
    terms.push(terms.length === 0 ? (stride < 0 ? `(-${term})` : term) : `${stride < 0 ? "-" : "+"} ${term}`);
  });
  if (terms.length === 0) return String(offset);
  if (offset !== 0) terms.push(`${offset < 0 ? "-" : "+"} ${Math.abs(offset)}`);
  return terms.join(" ");
}
