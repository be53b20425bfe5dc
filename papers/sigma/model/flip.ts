// The partial flip of PF-Mamba: the early part of a history reversed, its last r items in place.

import { iota, type Tensor, takeAlongAxis, where } from "../../../engine/index.ts";

/**
 * What counts as the early part. "valid": all but the last r items of each history, whatever its padding (the paper's
 * text). "padded": the first L - r positions of the padded batch (the released code; in short histories the kept part
 * is then all padding). "off": nothing is flipped.
 */
export type FlipMode = "valid" | "padded" | "off";

/**
 * Which position each position of the flipped batch reads: i32 [B, L]. With m = max(len - r, 0): m - 1 - t before m and
 * t from m on. It is its own inverse.
 */
export function flipOrder(lengths: Tensor, steps: number, kept: number, mode: FlipMode): Tensor {
  const at = iota([lengths.shape[0], steps]);
  if (mode === "off") return at;
  const ends = mode === "valid" ? lengths.unsqueeze(1) : steps;
  const cut = (typeof ends === "number" ? at.mul(0).add(ends) : ends).sub(kept).maximum(0);
  return where(at.less(cut), cut.sub(1).sub(at), at);
}

/** x [B, L, ...] in the given order of positions [B, L]. */
export const reorder = (x: Tensor, order: Tensor): Tensor => takeAlongAxis(x, order.unsqueeze(-1), 1);
