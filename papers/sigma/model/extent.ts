// Where the histories of a batch end: which positions are real, and how to read at the last of them only.

import { iota, type Tensor, takeAlongAxis } from "../../../engine/index.ts";

/** Vectors of a batch of histories. */
export interface Sequences {
  /** [B, L, size] */
  readonly x: Tensor;
  /** bool [B, L, 1], false at padding; undefined where padding is to be seen as it is (the release). */
  readonly real: Tensor | undefined;
}

/** Vectors of a batch of histories, whose lengths are i32 [B], each in [1, L]. */
export interface Histories extends Sequences {
  readonly lengths: Tensor;
}

/** bool [B, L, 1]: whether a position is before its history's end. */
export const realPositions = (lengths: Tensor, steps: number): Tensor =>
  iota([steps]).less(lengths.unsqueeze(1)).unsqueeze(-1);

/** x [B, L, size] with zeros where `real` is false. */
export const masked = (x: Tensor, real: Tensor | undefined): Tensor =>
  real === undefined ? x : x.maskedFill(real.logicalNot(), 0);

/**
 * Which positions are wanted: all of them, or those where the scores are read, the last of each history. What looks at
 * one position at a time is then computed for that one only.
 */
export type Focus = { readonly lengths: Tensor } | undefined;

/** The wanted positions: [B, L, size] -> [B, L, size] or [B, 1, size]. */
export const focused = (x: Tensor, focus: Focus): Tensor =>
  focus === undefined ? x : takeAlongAxis(x, focus.lengths.sub(1).reshape([-1, 1, 1]), 1);

/**
 * What a centred convolution of 3 taps needs to know for the wanted positions: all, to be padded by one zero at both
 * ends, or the last real one with its two neighbours, [B, 3, size], `real` false where there is none.
 */
export function surroundings({ x, real }: Sequences, focus: Focus): Sequences & { readonly padding: 0 | 1 } {
  if (focus === undefined) return { x, real, padding: 1 };
  const steps = x.shape[1];
  const wanted = focus.lengths.reshape([-1, 1, 1]).add(iota([1, 3, 1], 1).sub(2));
  const at = wanted.clamp(0, steps - 1);
  const inside = wanted.equal(at);
  const seen = real === undefined ? inside : inside.logicalAnd(takeAlongAxis(real, at, 1));
  return { x: takeAlongAxis(x, at, 1), real: seen, padding: 0 };
}
