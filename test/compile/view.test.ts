// Views joined one after the other find the same elements as views followed one by one.

import fc from "fast-check";
import { expect, it } from "vitest";
import {
  appendView,
  flipView,
  identityView,
  locate,
  padView,
  permuteView,
  sliceView,
  type View,
} from "../../engine/compile/view.ts";
import { sizeOf } from "../../engine/index.ts";
import { shapes } from "../../testing/index.ts";
import { unravel } from "../ops/plain.ts";

/** The other shapes with as many elements that a reshape may lead to. */
const reshaped = (shape: readonly number[], pick: number): number[] => {
  const size = sizeOf(shape);
  const divisors = Array.from({ length: size }, (_, i) => i + 1).filter((d) => size % d === 0);
  const first = divisors[pick % divisors.length];
  return pick % 3 === 0 ? [size] : [first, size / first];
};

/** One movement of a tensor of this shape: its view, from the moved index to a position in the tensor. */
function movement(shape: readonly number[], kind: number, pick: number): View {
  const rank = shape.length;
  switch (kind) {
    case 0: {
      const order = shape.map((_, i) => (i + pick) % rank);
      return permuteView(shape, pick % 2 === 0 ? order : order.reverse());
    }
    case 1:
      return identityView(reshaped(shape, pick));
    case 2:
      return flipView(shape, [pick % rank]);
    case 3: {
      const starts = shape.map((side, i) => (i === pick % rank && side > 1 ? 1 : 0));
      return sliceView(
        shape,
        shape.map((side, i) => side - starts[i]),
        starts,
        shape.map(() => 1),
      );
    }
    default:
      return padView(
        shape,
        shape.map((side, i) => (i === pick % rank ? side + 1 : side)),
        shape.map(() => 0),
      );
  }
}

it("whatever is moved, and back again", () => {
  const moves = fc.array(fc.tuple(fc.integer({ min: 0, max: 4 }), fc.nat(11)), { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(shapes({ minRank: 1, minSide: 1, maxSide: 4, maxSize: 48 }), moves, (shape, drawn) => {
      // From the tensor on; the index space of the last comes first in an access.
      const views: View[] = [];
      for (const [kind, pick] of drawn) views.unshift(movement(views[0]?.shape ?? shape, kind, pick));
      const joined = views.slice(1).reduce<readonly View[]>((access, view) => appendView(access, view), [views[0]]);
      const { shape: space } = views[0];
      for (let flat = 0; flat < sizeOf(space); flat++) {
        const index = unravel(flat, space);
        expect(locate(joined, index)).toBe(locate(views, index));
      }
    }),
    { numRuns: 300 },
  );
});

it("a permutation behind a reshape, undone, is nothing", () => {
  const [shape, turned] = [
    [4, 6, 2, 3],
    [4, 6, 3, 2],
  ];
  const there = permuteView(shape, [0, 1, 3, 2]);
  const back = permuteView(turned, [0, 1, 3, 2]);
  expect(appendView(appendView([identityView([24, 6])], back), there)).toHaveLength(1);
});
