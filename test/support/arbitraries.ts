// What property tests draw from: shapes, broadcast partners, values, and views of tensors.

import fc from "fast-check";
import { hostArray, roundTo } from "../../engine/dtype.ts";
import { type DType, flip, permute, type Shape, slice, type Tensor, tensor } from "../../engine/index.ts";

export interface ShapeOptions {
  readonly minRank?: number;
  readonly maxRank?: number;
  readonly minSide?: number;
  readonly maxSide?: number;
  /** No shape has more elements. */
  readonly maxSize?: number;
}

export const sizeOf = (shape: Shape): number => shape.reduce((size, side) => size * side, 1);

/** Sides from `minSide` to `maxSide`; 0 (where allowed) and 1 are always likely. */
export const sides = (minSide = 0, maxSide = 7): fc.Arbitrary<number> =>
  fc.oneof(
    { weight: 6, arbitrary: fc.integer({ min: Math.max(1, minSide), max: maxSide }) },
    { weight: minSide <= 1 ? 2 : 0, arbitrary: fc.constant(1) },
    { weight: minSide <= 0 ? 1 : 0, arbitrary: fc.constant(0) },
  );

/** Shapes of rank 0 to 4 with sides 0 to 7. Those too big lose their longest sides. */
export function shapes(options: ShapeOptions = {}): fc.Arbitrary<number[]> {
  const { minRank = 0, maxRank = 4, minSide = 0, maxSide = 7, maxSize = 256 } = options;
  return fc.array(sides(minSide, maxSide), { minLength: minRank, maxLength: maxRank }).map((drawn) => {
    const shape = [...drawn];
    while (sizeOf(shape) > maxSize) {
      const longest = shape.indexOf(Math.max(...shape));
      shape[longest] = Math.max(1, minSide, Math.ceil(shape[longest] / 2));
    }
    return shape;
  });
}

/** Two shapes that broadcast to `shape` together: sides set to 1 and leading axes dropped, in one of them at most. */
export const broadcastPartners = (shape: Shape): fc.Arbitrary<[number[], number[]]> =>
  fc
    .tuple(
      fc.array(fc.integer({ min: 0, max: 2 }), { minLength: shape.length, maxLength: shape.length }),
      fc.integer({ min: 0, max: shape.length }),
      fc.boolean(),
    )
    .map(([ones, dropped, swap]) => {
      const x = shape.map((side, i) => (ones[i] === 1 ? 1 : side));
      const y = shape.map((side, i) => (ones[i] === 2 ? 1 : side));
      // A leading axis may be missing from one shape where the other has it in full.
      const cut = shape.findIndex((side, i) => i >= dropped || x[i] !== side);
      const short = y.slice(cut < 0 ? shape.length : cut);
      return swap ? [short, x] : [x, short];
    });

/** Which values a tensor is filled with. */
export type Domain = "real" | "positive" | "unit" | "integer" | "bool" | { readonly below: number };

/** The dtype a domain belongs to: indices are i32, truths bool, all else the float under test. */
export const dtypeOf = (domain: Domain, float: DType): DType =>
  typeof domain === "object" ? "i32" : domain === "bool" ? "bool" : float;

/**
 * Values from a seed, in random order: distinct and off the corners of every function we have (except "integer", "bool"
 * and indices), so that derivatives exist. `salt` keeps the values of two inputs apart.
 */
export function valuesOf(domain: Domain, count: number, seed: number, salt = 0): number[] {
  let state = (seed ^ (salt * 0x9e3779b9)) >>> 0;
  const next = (bound: number): number => {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x6d2b79f5) >>> 0;
    return bound === 0 ? 0 : (state >>> 3) % bound;
  };
  const order = Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const j = next(i + 1);
    [order[i], order[j]] = [order[j], order[i]];
  }
  const step = Math.min(0.13, 5 / Math.max(1, count));
  switch (domain) {
    case "real":
      return order.map((i) => (i - (count - 1) / 2) * step + 0.037 + 0.0113 * salt);
    case "positive":
      return order.map((i) => 0.31 + i * step + 0.0113 * salt);
    case "unit":
      return order.map((i) => (i + 0.4 + 0.01 * salt) / (count + 1));
    case "integer":
      return order.map(() => next(9) - 4);
    case "bool":
      return order.map(() => next(2));
    default:
      return order.map(() => next(domain.below));
  }
}

/** Numbers that break kernels, beside ordinary ones. */
export const specialValues = [0, -0, 1, -1, 0.5, -2.5, 1e-40, -1e-40, 3e38, -3e38, Infinity, -Infinity, NaN] as const;

/** Floats of all kinds: special ones, small whole ones, any f32. */
export const anyFloat: fc.Arbitrary<number> = fc.oneof(
  fc.constantFrom(...specialValues),
  fc.integer({ min: -8, max: 8 }),
  fc.float({ noDefaultInfinity: false }),
);

/** A tensor of this shape over given values. */
export function tensorOf(values: readonly number[], shape: Shape, dtype: DType = "f32"): Tensor {
  const host = hostArray(dtype, values.length);
  for (let i = 0; i < values.length; i++) host[i] = roundTo(dtype, values[i]);
  return tensor(host, { shape, dtype });
}

/** How to make a tensor of some shape out of another that lies differently in memory. */
export interface View {
  readonly name: string;
  /** Shape of the tensor underneath. */
  readonly base: Shape;
  apply(x: Tensor): Tensor;
}

const plain = (shape: Shape): View => ({ name: "contiguous", base: shape, apply: (x) => x });

const permuted = (shape: Shape): fc.Arbitrary<View> =>
  fc
    .shuffledSubarray(
      shape.map((_, i) => i),
      { minLength: shape.length },
    )
    .map((order) => ({
      name: `permute [${order}]`,
      base: shape.map((_, i) => shape[order.indexOf(i)]),
      apply: (x) => permute(x, order),
    }));

const sliced = (shape: Shape): fc.Arbitrary<View> =>
  fc
    .array(fc.tuple(fc.nat(2), fc.nat(2), fc.integer({ min: 1, max: 2 })), {
      minLength: shape.length,
      maxLength: shape.length,
    })
    .map((cuts) => {
      const stops = cuts.map(([before, , step], i) => before + (shape[i] === 0 ? 0 : (shape[i] - 1) * step + 1));
      return {
        name: `slice ${JSON.stringify(cuts)}`,
        base: cuts.map(([, after], i) => stops[i] + after),
        apply: (x) =>
          slice(
            x,
            cuts.map(([start, , step], i) => ({ start, stop: stops[i], step })),
          ),
      };
    });

const flipped = (shape: Shape): fc.Arbitrary<View> =>
  fc
    .subarray(shape.map((_, i) => i))
    .map((axes) => ({ name: `flip [${axes}]`, base: shape, apply: (x) => flip(x, axes) }));

const expanded = (shape: Shape): fc.Arbitrary<View> =>
  fc.subarray(shape.map((_, i) => i)).map((axes) => ({
    name: `expand [${axes}]`,
    base: shape.map((side, i) => (axes.includes(i) ? 1 : side)),
    apply: (x) => x.broadcastTo(shape),
  }));

export interface ViewOptions {
  /** At most this many views on top of each other; default 2. */
  readonly depth?: number;
  /** The tensor underneath has at most this many elements (or as many as the view, where that is more). */
  readonly maxSize?: number;
  /** No element is seen twice: nothing is expanded. */
  readonly distinct?: boolean;
}

/** A way to see a tensor of `shape`: as it lies, permuted, sliced, flipped, expanded, or several of these. */
export function views(shape: Shape, options: ViewOptions = {}): fc.Arbitrary<View> {
  const { depth = 2, maxSize = 2048, distinct = false } = options;
  const kinds = distinct ? [permuted, sliced, flipped] : [permuted, sliced, flipped, expanded];
  const one = (of: Shape) => fc.oneof(fc.constant(plain(of)), ...kinds.map((kind) => kind(of)));
  const stacked = one(shape).chain((outer) => {
    if (depth <= 1) return fc.constant(outer);
    return views(outer.base, { ...options, depth: depth - 1 }).map((inner) => ({
      name: `${inner.name} then ${outer.name}`,
      base: inner.base,
      apply: (x: Tensor) => outer.apply(inner.apply(x)),
    }));
  });
  return stacked.map((view) => (sizeOf(view.base) <= maxSize ? view : plain(shape)));
}

/** A seed for `valuesOf`. */
export const seeds = fc.nat(0x7fffffff);
