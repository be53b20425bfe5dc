// Checks that constructors share.

import { ArgumentError } from "../engine/index.ts";

/** Throws an ArgumentError unless every size (named, or all called "a size") is a whole number of at least 1. */
export function checkSizes(op: string, sizes: Readonly<Record<string, number>> | readonly number[]): void {
  for (const [key, size] of Object.entries(sizes)) {
    const name = Array.isArray(sizes) ? "a size" : key;
    if (!Number.isInteger(size) || size < 1) throw new ArgumentError(op, `${name} must be at least 1, got ${size}`);
  }
}

/** Throws an ArgumentError unless `part` divides `whole`. */
export function checkDivides(op: string, what: string, part: number, whole: number): void {
  if (whole % part !== 0) throw new ArgumentError(op, `${what}: ${part} does not divide ${whole}`);
}

/** Throws an ArgumentError unless the value is a finite number in [0, 1). */
export function checkRate(op: string, what: string, value: number): void {
  if (!(value >= 0 && value < 1)) throw new ArgumentError(op, `${what} must be in [0, 1), got ${value}`);
}
