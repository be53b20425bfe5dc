// Counter-based randomness: Threefry-2x32 with 20 rounds (Salmon et al. 2011, "Parallel random numbers: as easy as
// 1, 2, 3"). A number is a pure function of (key, counter), so streams depend on neither threads, backend nor order.

const parity = 0x1bd11bda;
/** Rotation distances, four per round group, used alternately. */
export const threefryRotations = [
  [13, 15, 26, 6],
  [17, 29, 16, 24],
] as const;

const rotl = (x: number, r: number): number => (x << r) | (x >>> (32 - r));

/** Threefry-2x32-20. All arguments and both results are i32. */
export function threefry2x32(k0: number, k1: number, c0: number, c1: number): [number, number] {
  const keys = [k0 | 0, k1 | 0, parity ^ k0 ^ k1];
  let x0 = (c0 + keys[0]) | 0;
  let x1 = (c1 + keys[1]) | 0;
  for (let group = 0; group < 5; group++) {
    for (const r of threefryRotations[group & 1]) {
      x0 = (x0 + x1) | 0;
      x1 = rotl(x1, r) ^ x0;
    }
    x0 = (x0 + keys[(group + 1) % 3]) | 0;
    x1 = (x1 + keys[(group + 2) % 3] + group + 1) | 0;
  }
  return [x0, x1];
}

/** Uniform f32 in [0, 1) with 24 random bits. */
export const uniformF32 = (bits: number): number => (bits >>> 8) * 2 ** -24;

/** Uniform f64 in [0, 1) with 53 random bits: 21 high bits of `hi`, all of `lo`. */
export const uniformF64 = (hi: number, lo: number): number => ((hi >>> 11) * 4294967296 + (lo >>> 0)) * 2 ** -53;

/**
 * A whole number in [0, bound), the product of `bound` (at most 2^32) and the f64 of the same bits, rounded down; as i32:
 * numbers from 2^31 on wrap around. Every step is exact in f64.
 */
export function uniformBelow(bits: number, more: number, bound: number): number {
  const [high, low] = [bits >>> 11, more >>> 0];
  const [boundHigh, boundLow] = [Math.floor(bound / 65536), bound % 65536];
  const carried = Math.floor((low * boundHigh + Math.floor((low * boundLow) / 65536)) / 65536);
  return Math.floor((high * bound + carried) / 2 ** 21) | 0;
}

/** FNV-1a: a 32-bit stream number from a name, so that a parameter's values depend on its name alone. */
export function hashName(name: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
  return hash | 0;
}
