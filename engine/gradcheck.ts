// Gradients checked against central differences, in f64: the judge of every derivative in the library.

import { vjp } from "./autodiff.ts";
import { isFloat } from "./dtype.ts";
import { ArgumentError, GradientError } from "./errors.ts";
import { Storage } from "./graph/storage.ts";
import { cast } from "./ops/elementwise.ts";
import { threefry2x32, uniformF64 } from "./random.ts";
import { realize } from "./runtime/realize.ts";
import { formatShape, type Shape, sizeOf } from "./shape.ts";
import { leafTensor, Tensor } from "./tensor.ts";

/** A function to check: of tensors, to one tensor of any shape or several. */
export type Checkable = (...inputs: Tensor[]) => Tensor | readonly Tensor[];

export interface GradcheckOptions {
  /** Step of the central difference; default 1e-6. */
  readonly eps?: number;
  /** Absolute tolerance; default 1e-5. */
  readonly atol?: number;
  /** Tolerance relative to the difference quotient; default 1e-3. */
  readonly rtol?: number;
  /** false: a failure is reported, not thrown. */
  readonly throws?: boolean;
}

/** One derivative: of the check's scalar with respect to one element of one input. */
export interface Derivative {
  readonly input: number;
  /** Position in the input, one number per axis. */
  readonly element: readonly number[];
  /** What the gradient graph says. */
  readonly gradient: number;
  /** What the central difference says. */
  readonly difference: number;
}

export interface GradcheckReport {
  readonly ok: boolean;
  /** How many derivatives were compared. */
  readonly checked: number;
  readonly failures: readonly Derivative[];
}

/** Shown in an error; the report has them all. */
const shown = 5;

/**
 * Compares the gradients of `fn` at `inputs` with central differences, for every element of every float input (f32 is
 * widened to f64; i32 and bool pass through). The outputs are weighed by fixed numbers, so one pass checks all of them;
 * weighing is done in JavaScript, so that no gradient but those of `fn` is relied on. `fn` must be smooth within eps of
 * the inputs and the same at each call. Needs a synchronous backend with f64 ("wasm" or "reference"). Throws a
 * GradientError that names input, element and both values.
 */
export function gradcheck(fn: Checkable, inputs: readonly Tensor[], options: GradcheckOptions = {}): GradcheckReport {
  const { eps = 1e-6, atol = 1e-5, rtol = 1e-3 } = options;
  const values = inputs.map((input) => (isFloat(input.dtype) ? Float64Array.from(input.dataSync()) : undefined));
  if (values.every((value) => value === undefined))
    throw new ArgumentError("gradcheck", "needs at least one float input");
  const at = inputs.map((input, i) => leafOf(values[i], input));
  const floats = inputs.flatMap((_, i) => (values[i] === undefined ? [] : [i]));
  /** The function with the float inputs replaced. */
  const outputs = (...replaced: Tensor[]): readonly Tensor[] =>
    listOf(fn(...at.map((x, i) => replaced[floats.indexOf(i)] ?? x)));
  const scalar = (...replaced: Tensor[]): number =>
    valuesOf(outputs(...replaced)).reduce((total, output, k) => total + weighed(output, k), 0);

  const gradients = pulledBack(
    outputs,
    floats.map((i) => at[i]),
  );
  const failures: Derivative[] = [];
  let checked = 0;
  floats.forEach((input, position) => {
    const base = values[input] as Float64Array;
    const moved = (i: number, by: number): number => {
      const shifted = leafOf(base.with(i, base[i] + by), inputs[input]);
      return scalar(...floats.map((other) => (other === input ? shifted : at[other])));
    };
    for (let i = 0; i < base.length; i++) {
      const difference = (moved(i, eps) - moved(i, -eps)) / (2 * eps);
      const gradient = gradients[position][i];
      checked += 1;
      // Written so that a NaN on either side fails.
      if (!(Math.abs(gradient - difference) <= atol + rtol * Math.abs(difference))) {
        failures.push({ input, element: unravel(i, inputs[input].shape), gradient, difference });
      }
    }
  });
  if (failures.length > 0 && options.throws !== false) throw failed("gradcheck", failures, checked, inputs);
  return { ok: failures.length === 0, checked, failures };
}

/** `gradcheck` of the gradients of `fn`, with respect to its inputs and to the gradient that flows in. */
export function gradgradcheck(
  fn: Checkable,
  inputs: readonly Tensor[],
  options: GradcheckOptions = {},
): GradcheckReport {
  const floats = inputs.flatMap((input, i) => (isFloat(input.dtype) ? [i] : []));
  const wide = inputs.map((input) => (isFloat(input.dtype) ? cast(input, "f64").detach() : input));
  const seeds = listOf(fn(...wide)).map((output, k) => weights(output.shape, k + 1));
  const gradientsOf = (...args: Tensor[]): Tensor[] => {
    const [xs, vs] = [args.slice(0, inputs.length), args.slice(inputs.length)];
    const outputs = (...replaced: Tensor[]) => listOf(fn(...xs.map((x, i) => replaced[floats.indexOf(i)] ?? x)));
    return vs.flatMap((v, k) => {
      const [, pullBack] = vjp((...replaced: Tensor[]) => outputs(...replaced)[k], ...floats.map((i) => xs[i]));
      return pullBack(v);
    });
  };
  return gradcheck(gradientsOf, [...wide, ...seeds], options);
}

/** The gradients of the weighed outputs, one per argument. */
function pulledBack(outputs: (...args: Tensor[]) => readonly Tensor[], args: readonly Tensor[]): Float64Array[] {
  const total = args.map((arg) => new Float64Array(arg.size));
  checkF64(outputs(...args)).forEach(({ shape }, k) => {
    const [, pullBack] = vjp((...replaced: Tensor[]) => outputs(...replaced)[k], ...args);
    valuesOf(pullBack(weights(shape, k))).forEach((gradient, i) => {
      gradient.forEach((value, j) => {
        total[i][j] += value;
      });
    });
  });
  return total;
}

const leafOf = (values: Float64Array | undefined, like: Tensor): Tensor =>
  values === undefined ? like : leafTensor(new Storage("f64", values.length, values), like.shape);

const listOf = (outputs: Tensor | readonly Tensor[]): readonly Tensor[] =>
  outputs instanceof Tensor ? [outputs] : outputs;

/** Fixed numbers in [0.5, 1.5): no two alike, so that errors do not cancel. */
const weight = (stream: number, i: number): number => uniformF64(...threefry2x32(stream, 0, i, 0)) + 0.5;

function weights(shape: Shape, stream: number): Tensor {
  const values = Float64Array.from({ length: sizeOf(shape) }, (_, i) => weight(stream, i));
  return leafTensor(new Storage("f64", values.length, values), shape);
}

/** Values of f64 tensors, evaluated as one program. */
function valuesOf(outputs: readonly Tensor[]): Float64Array[] {
  void realize(outputs.map((output) => output.node));
  return outputs.map((output) => output.dataSync() as Float64Array);
}

function checkF64(outputs: readonly Tensor[]): readonly Tensor[] {
  const narrow = outputs.find((output) => output.dtype !== "f64");
  if (outputs.length === 0 || narrow !== undefined) {
    throw new ArgumentError("gradcheck", `the function must return f64 tensors, got ${narrow?.dtype ?? "none"}`);
  }
  return outputs;
}

/** Sum of an output's values, each times its weight. */
function weighed(values: Float64Array, stream: number): number {
  let total = 0;
  for (let i = 0; i < values.length; i++) total += weight(stream, i) * values[i];
  return total;
}

function unravel(flat: number, shape: Shape): number[] {
  const index = new Array<number>(shape.length);
  let rest = flat;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    index[axis] = rest % shape[axis];
    rest = Math.floor(rest / shape[axis]);
  }
  return index;
}

function failed(
  op: string,
  failures: readonly Derivative[],
  checked: number,
  inputs: readonly Tensor[],
): GradientError {
  const lines = failures.slice(0, shown).map(({ input, element, gradient, difference }) => {
    const where = `input ${input} ${formatShape(inputs[input].shape)} at [${element.join(", ")}]`;
    return `${where}: gradient ${gradient}, central difference ${difference}`;
  });
  const more = failures.length > shown ? [`and ${failures.length - shown} more`] : [];
  return new GradientError(op, [`${failures.length} of ${checked} derivatives differ`, ...lines, ...more].join("\n  "));
}
