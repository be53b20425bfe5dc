// Views: tensors of one shape that lie in memory in every way there is. What works on contiguous ones only fails here.

import fc from "fast-check";
import { flip, permute, reshape, type Shape, sizeOf, slice, type Tensor } from "../engine/index.ts";

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

/** Axes joined, or sides of 1 put in, underneath. */
const reshaped = (shape: Shape): fc.Arbitrary<View> =>
  fc.tuple(fc.nat(shape.length), fc.boolean()).map(([at, join]) => {
    const base =
      join && at + 1 < shape.length ? shape.toSpliced(at, 2, shape[at] * shape[at + 1]) : shape.toSpliced(at, 0, 1);
    return { name: `reshape of [${base}]`, base, apply: (x) => reshape(x, shape) };
  });

export interface ViewOptions {
  /** At most this many views on top of each other; default 2. */
  readonly depth?: number;
  /** The tensor underneath has at most this many elements (or as many as the view, where that is more). */
  readonly maxSize?: number;
  /** No element is seen twice: nothing is expanded. */
  readonly distinct?: boolean;
}

/** A way to see a tensor of `shape`: as it lies, permuted, sliced, flipped, reshaped, expanded, or several of these. */
export function views(shape: Shape, options: ViewOptions = {}): fc.Arbitrary<View> {
  const { depth = 2, maxSize = 2048, distinct = false } = options;
  const kinds = [permuted, sliced, flipped, reshaped, ...(distinct ? [] : [expanded])];
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
