// Every error a user can meet: typed, naming the operation the user called, the argument, shapes and dtypes, and what
// to do.

import { callingOperation } from "./operation.ts";

/** Base class of all errors Sluice throws on purpose. */
export class SluiceError extends Error {
  override readonly name: string = "SluiceError";
  /** The operation or function that refused, e.g. "matmul". */
  readonly op: string;

  constructor(op: string, message: string, options?: ErrorOptions) {
    const name = callingOperation() ?? op;
    super(name === op ? `${op}: ${message}` : `${name}: ${message} (in ${op})`, options);
    this.op = name;
  }
}

/** Shapes that do not fit together, an axis or index out of range. */
export class ShapeError extends SluiceError {
  override readonly name = "ShapeError";
}

/** A dtype an operation does not take. */
export class DTypeError extends SluiceError {
  override readonly name = "DTypeError";
}

/** An argument outside its domain (k > n, gamma <= 0, an unknown option). */
export class ArgumentError extends SluiceError {
  override readonly name = "ArgumentError";
}

/** A graph that cannot be differentiated or a gradient asked of the wrong thing. */
export class GradientError extends SluiceError {
  override readonly name = "GradientError";
}

/** A value that is no longer there: computed from a parameter that was since overwritten in place. */
export class StaleTensorError extends SluiceError {
  override readonly name = "StaleTensorError";
}

/** Memory that could not be had; the message says how much and for what. */
export class OutOfMemoryError extends SluiceError {
  override readonly name = "OutOfMemoryError";
}

/** A file that is missing, truncated or not what it should be. */
export class DataError extends SluiceError {
  override readonly name = "DataError";
}

/** A NaN or Inf where a finite number is needed (a loss, a gradient norm). */
export class NumericError extends SluiceError {
  override readonly name = "NumericError";
}
