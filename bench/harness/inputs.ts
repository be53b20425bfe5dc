// Inputs from their specification: the same bits in every process, whatever the order of evaluation.

import type { HostInput, InputSpec, Inputs } from "./protocol.ts";

/** A 24-bit fraction in [0, 1) from a counter and a seed (a finaliser of MurmurHash3: enough for benchmarks). */
function fraction(index: number, seed: number): number {
  let h = Math.imul(index + 1, 0x9e3779b1) ^ Math.imul(seed + 1, 0x85ebca77);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return ((h ^ (h >>> 16)) >>> 8) / 0x1000000;
}

export function makeInput({ shape, dtype, low, high, seed }: InputSpec): HostInput {
  const size = shape.reduce((product, side) => product * side, 1);
  const data = dtype === "f32" ? new Float32Array(size) : new Int32Array(size);
  for (let i = 0; i < size; i++) {
    const value = low + (high - low) * fraction(i, seed);
    data[i] = dtype === "f32" ? value : Math.floor(value);
  }
  return { shape: [...shape], dtype, data };
}

export const makeInputs = (specs: Readonly<Record<string, InputSpec>>): Inputs =>
  Object.fromEntries(Object.entries(specs).map(([name, spec]) => [name, makeInput(spec)]));
