// The seed of every property test in a run: fixed, so that two runs test the same cases, unless a replay asks for another.

const DEFAULT_SEED = 20240607;

/** What a replay sets, by environment variables read here and nowhere else: `SLUICE_SEED` and `SLUICE_PATH` (fast-check's path). */
export interface Replay {
  readonly seed: number;
  readonly path: string | undefined;
}

/** The seed and path of this run. Throws when `SLUICE_SEED` isn't a 32-bit integer. */
export function replay(env: Readonly<Record<string, string | undefined>> = process.env): Replay {
  const text = env.SLUICE_SEED;
  const seed = text === undefined || text === "" ? DEFAULT_SEED : Number(text);
  if (!Number.isInteger(seed) || (seed | 0) !== seed)
    throw new Error(`SLUICE_SEED must be a 32-bit integer, got "${text}"`);
  return { seed, path: env.SLUICE_PATH || undefined };
}
