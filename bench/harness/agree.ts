// Which implementations computed the same numbers. A time is believed only where the numbers agree.

/** Whether two results agree: |a - b| <= tolerance * max(1, |a|, |b|) for all values. */
export function close(a: Float32Array, b: Float32Array, tolerance: number): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) {
    if (!(Math.abs(a[i] - b[i]) <= tolerance * Math.max(1, Math.abs(a[i]), Math.abs(b[i])))) return false;
  }
  return true;
}

/**
 * The names that agree with the result most others agree with (the first of them, where several tie). Nobody, where
 * there are several results and no two agree: then none is confirmed.
 */
export function majority(results: ReadonlyMap<string, Float32Array>, tolerance: number): Set<string> {
  let best: string[] = [];
  for (const mine of results.values()) {
    const agreeing = [...results].filter(([, other]) => close(mine, other, tolerance)).map(([name]) => name);
    if (agreeing.length > best.length) best = agreeing;
    if (best.length > results.size / 2) break;
  }
  return new Set(best.length === 1 && results.size > 1 ? [] : best);
}
