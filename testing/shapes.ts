// Arbitrary shapes: every rank up to 4, sides of 0 and 1 always likely, and shapes that broadcast together.

import fc from "fast-check";
import { type Shape, sizeOf } from "../engine/index.ts";

export interface ShapeOptions {
  readonly minRank?: number;
  readonly maxRank?: number;
  readonly minSide?: number;
  readonly maxSide?: number;
  /** No shape has more elements. */
  readonly maxSize?: number;
}

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
