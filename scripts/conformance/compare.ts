// Whether an output is what a case expects.

import { formatShape } from "../../engine/index.ts";
import type { OnnxValue } from "../../engine/io/onnx/index.ts";

export interface Tolerance {
  readonly rtol: number;
  readonly atol: number;
}

/** Two steps of bfloat16, which has 8 bits: what ONNX's own runner allows it. */
const bfloat16Rtol = 2 ** -6;

/** What differs first, in words; undefined where nothing does. Floats: |got - want| <= atol + rtol * |want|. */
export async function difference(got: OnnxValue, want: OnnxValue, tolerance: Tolerance): Promise<string | undefined> {
  if (got.type !== want.type) return `is ${got.type.name}, expected ${want.type.name}`;
  const [a, b] = [formatShape(got.shape), formatShape(want.shape)];
  if (a !== b) return `has shape ${a}, expected ${b}`;
  if (want.type.kind !== "float") return firstUnequal(await got.bigints(), await want.bigints(), (x, y) => x === y);
  const { atol } = tolerance;
  const rtol = want.type.name === "bfloat16" ? Math.max(tolerance.rtol, bfloat16Rtol) : tolerance.rtol;
  const close = (x: number, y: number): boolean =>
    Object.is(x, y) || x === y || (Number.isNaN(x) && Number.isNaN(y)) || Math.abs(x - y) <= atol + rtol * Math.abs(y);
  // An infinity is close to itself only: Inf <= Inf would let everything pass.
  const finite = (x: number, y: number): boolean => (Number.isFinite(y) ? close(x, y) : Object.is(x, y));
  return firstUnequal(Array.from(await got.numbers()), Array.from(await want.numbers()), finite);
}

function firstUnequal<T>(got: readonly T[], want: readonly T[], same: (x: T, y: T) => boolean): string | undefined {
  const wrong = want.flatMap((value, i) => (same(got[i], value) ? [] : [i]));
  if (wrong.length === 0) return undefined;
  const [i] = wrong;
  return `element ${i} is ${got[i]}, expected ${want[i]} (${wrong.length} of ${want.length} differ)`;
}
