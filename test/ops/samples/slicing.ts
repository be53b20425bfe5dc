// Samples of slicing, padding, splitting and joining.

import fc from "fast-check";
import * as S from "../../../engine/index.ts";
import { shapes } from "../../../testing/index.ts";
import { at, build, type Nd } from "../plain.ts";
import { along, front, moved, type Sample } from "./sample.ts";

type Shape = readonly number[];

/** Python's slice, element by element. */
function pythonRange(side: number, start: number | undefined, stop: number | undefined, step: number): number[] {
  const wrap = (i: number) => (i < 0 ? i + side : i);
  const taken: number[] = [];
  if (step > 0) {
    const from = Math.max(0, start === undefined ? 0 : wrap(start));
    const to = Math.min(side, stop === undefined ? side : wrap(stop));
    for (let i = from; i < to; i += step) taken.push(i);
  } else {
    const from = Math.min(side - 1, start === undefined ? side - 1 : wrap(start));
    const to = stop === undefined ? -1 : Math.max(-1, wrap(stop));
    for (let i = from; i > to; i += step) taken.push(i);
  }
  return taken;
}

const axisSlice = (side: number): fc.Arbitrary<S.AxisSlice> =>
  fc.oneof(
    fc.constant(null),
    ...(side > 0 ? [fc.integer({ min: -side, max: side - 1 })] : []),
    fc.tuple(fc.integer({ min: -8, max: 8 }), fc.integer({ min: -8, max: 8 })),
    fc.record(
      {
        start: fc.integer({ min: -8, max: 8 }),
        stop: fc.integer({ min: -8, max: 8 }),
        step: fc.constantFrom(1, 2, 3, -1, -2, -3),
      },
      { requiredKeys: [] },
    ),
  );

function sliced(x: Nd, ranges: readonly S.AxisSlice[]): Nd {
  const taken = x.shape.map((side, axis) => {
    const item = ranges[axis] ?? null;
    if (typeof item === "number") return [item < 0 ? item + side : item];
    const range: S.Range =
      item === null ? {} : Array.isArray(item) ? { start: item[0], stop: item[1] } : (item as S.Range);
    return pythonRange(side, range.start, range.stop, range.step ?? 1);
  });
  const all = build(
    taken.map((list) => list.length),
    (index) =>
      at(
        x,
        index.map((i, axis) => taken[axis][i]),
      ),
  );
  return { shape: all.shape.filter((_, axis) => typeof ranges[axis] !== "number"), data: all.data };
}

const widths = (shape: Shape) =>
  fc.tuple(
    ...shape.map((side) => fc.tuple(fc.integer({ min: -Math.min(1, side), max: 2 }), fc.integer({ min: 0, max: 2 }))),
  );

const joined = (xs: readonly Nd[], axis: number): Nd => {
  const total = xs.reduce((sum, x) => sum + x.shape[axis], 0);
  return build(xs[0].shape.with(axis, total), (index) => {
    let i = index[axis];
    const which = xs.findIndex((x) => {
      if (i < x.shape[axis]) return true;
      i -= x.shape[axis];
      return false;
    });
    return at(xs[which], index.with(axis, i));
  });
};

const concat: Sample = (maxSize) =>
  shapes({ maxSize: Math.ceil(maxSize / 2), minRank: 1 }).chain((shape) =>
    fc
      .tuple(
        fc.integer({ min: -shape.length, max: shape.length - 1 }),
        fc.array(fc.nat(3), { minLength: 1, maxLength: 4 }),
      )
      .map(([axis, sizes]) => ({
        label: `[${shape}] axis ${axis} sizes ${sizes}`,
        inputs: sizes.map((size) => ({ shape: shape.with(front(axis, shape.length), size), domain: "real" as const })),
        run: (...xs: S.Tensor[]) => S.concat(xs, axis),
        expected: (...xs: Nd[]) => joined(xs, front(axis, shape.length)),
      })),
  );

const stack: Sample = (maxSize) =>
  shapes({ maxSize: Math.ceil(maxSize / 2), maxRank: 3 }).chain((shape) =>
    fc.tuple(fc.integer({ min: 0, max: shape.length }), fc.integer({ min: 1, max: 3 })).map(([axis, count]) => ({
      label: `${count} of [${shape}] axis ${axis}`,
      inputs: Array.from({ length: count }, () => ({ shape, domain: "real" as const })),
      run: (...xs: S.Tensor[]) => S.stack(xs, axis - shape.length - 1),
      expected: (...xs: Nd[]) =>
        build(shape.toSpliced(axis, 0, count), (index) => at(xs[index[axis]], index.toSpliced(axis, 1))),
    })),
  );

const pieces = (x: Nd, axis: number, sizes: readonly number[]): Nd[] => {
  let start = 0;
  return sizes.map((size) => {
    const ranges = x.shape.map((_, i) => (i === axis ? ([start, start + size] as const) : null));
    start += size;
    return sliced(x, ranges);
  });
};

export const slicing: Record<string, Sample> = {
  slice: moved(
    (shape) => fc.tuple(...shape.map(axisSlice)),
    (_, ranges) => ({ run: (x) => S.slice(x, ranges), expected: (x) => sliced(x, ranges) }),
  ),
  narrow: along(1, (shape, axis) => {
    const a = front(axis, shape.length);
    const length = Math.ceil(shape[a] / 2);
    return {
      run: (x) => S.narrow(x, axis, -length, length),
      expected: (x) =>
        sliced(
          x,
          shape.map((side, i) => (i === a ? ([side - length, side] as const) : null)),
        ),
    };
  }),
  select: along(1, (shape, axis) => ({
    run: (x) => S.select(x, axis, -1),
    expected: (x) =>
      sliced(
        x,
        shape.map((_, i) => (i === front(axis, shape.length) ? -1 : null)),
      ),
  })),
  pad: moved(widths, (shape, drawn) => ({
    run: (x) => S.pad(x, drawn, 0.5),
    expected: (x) =>
      build(
        shape.map((side, i) => side + drawn[i][0] + drawn[i][1]),
        (index) => {
          const from = index.map((i, axis) => i - drawn[axis][0]);
          return from.every((i, axis) => i >= 0 && i < shape[axis]) ? at(x, from) : 0.5;
        },
      ),
  })),
  roll: along(0, (shape, axis) => ({
    run: (x) => S.roll(x, -2, axis),
    expected: (x) => {
      const a = front(axis, shape.length);
      return build(shape, (index) => at(x, index.with(a, (index[a] + 2) % shape[a])));
    },
  })),
  split: along(0, (shape, axis) => {
    const a = front(axis, shape.length);
    const first = Math.floor(shape[a] / 3);
    return {
      run: (x) => S.split(x, [first, 0, shape[a] - first], axis),
      expected: (x) => pieces(x, a, [first, 0, shape[a] - first]),
    };
  }),
  chunk: along(1, (shape, axis) => {
    const a = front(axis, shape.length);
    const size = Math.ceil(shape[a] / 2);
    return {
      run: (x) => S.chunk(x, 2, axis),
      expected: (x) => pieces(x, a, shape[a] === size ? [size] : [size, shape[a] - size]),
    };
  }),
  concat,
  stack,
};
