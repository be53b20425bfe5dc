// Convolutions, pools and Resize of the ONNX table against loops over positions and taps.

import fc from "fast-check";
import { beforeAll, test } from "vitest";
import { setBackend } from "../../../engine/index.ts";
import { type Attributes, type Given, given, runNode, runOne, whole } from "./build.ts";
import { expectClose, expectEqual, forAll, numbers } from "./check.ts";
import { at, atOr, build, flatOf, type Plain, places, range, sum } from "./plain.ts";

beforeAll(() => setBackend("wasm"));

const small = (max: number) => fc.integer({ min: 1, max });
const perAxis = <T>(axes: number, value: fc.Arbitrary<T>) => fc.array(value, { minLength: axes, maxLength: axes });

interface Layout {
  readonly sides: number[];
  readonly taps: number[];
  readonly strides: number[];
  readonly dilations: number[];
  readonly pads: number[];
}

/** Windows over one to three axes that fit at least once. */
const layouts: fc.Arbitrary<Layout> = small(3).chain((axes) =>
  fc
    .record({
      room: perAxis(axes, fc.nat(3)),
      taps: perAxis(axes, small(3)),
      strides: perAxis(axes, small(3)),
      dilations: perAxis(axes, small(2)),
      pads: perAxis(2 * axes, fc.nat(1)),
    })
    .map(({ room, taps, dilations, pads, ...rest }) => {
      // A pad smaller than the window keeps every window over at least one element.
      const spans = taps.map((size, i) => (size - 1) * dilations[i] + 1);
      const fitting = pads.map((pad, i) => Math.min(pad, taps[i % axes] - 1));
      return { ...rest, taps, dilations, pads: fitting, sides: room.map((n, i) => n + spans[i]) };
    }),
);

const attributesOf = ({ taps, strides, dilations, pads }: Layout): Attributes => ({
  kernel_shape: taps,
  strides,
  dilations,
  pads,
});

const spanOf = ({ taps, dilations }: Layout): number[] => taps.map((size, i) => (size - 1) * dilations[i] + 1);

/** Number of windows along each axis. */
const countsOf = (layout: Layout, ceil = false): number[] =>
  layout.sides.map((side, i) => {
    const before = layout.pads[i];
    const room = side + before + layout.pads[layout.sides.length + i] - spanOf(layout)[i];
    const last = (ceil ? Math.ceil : Math.floor)(room / layout.strides[i]);
    return last * layout.strides[i] >= side + before ? last : last + 1;
  });

/** Where tap `tap` of window `position` lies in x. */
const seen = ({ strides, dilations, pads }: Layout, position: readonly number[], tap: readonly number[]): number[] =>
  position.map((p, i) => p * strides[i] - pads[i] + tap[i] * dilations[i]);

test("Conv: groups, strides, dilations and pads over one to three axes", () =>
  forAll(
    fc
      .tuple(layouts, small(2), small(2), small(2), small(2))
      .chain(([layout, n, groups, c, o]) =>
        fc.tuple(
          numbers([n, groups * c, ...layout.sides]),
          numbers([groups * o, c, ...layout.taps]),
          numbers([groups * o]),
          fc.constant({ layout, groups }),
        ),
      ),
    async ([x, w, bias, { layout, groups }]) => {
      const [outputs, c] = w.shape;
      const want = build([x.shape[0], outputs, ...countsOf(layout)], ([b, o, ...position]) => {
        const group = Math.floor(o / (outputs / groups));
        const terms = places([c, ...layout.taps]).map(
          ([k, ...tap]) => atOr(x, [b, group * c + k, ...seen(layout, position, tap)], 0) * at(w, o, k, ...tap),
        );
        return sum(terms) + bias.data[o];
      });
      expectClose(
        await runOne("Conv", [x, w, bias], { attributes: { ...attributesOf(layout), group: groups } }),
        want,
        1e-4,
      );
    },
  ));

test("ConvTranspose: each element spreads its window; output padding and groups", () =>
  forAll(
    fc
      .tuple(layouts, small(2), small(2), small(2))
      .chain(([layout, groups, c, o]) =>
        fc.tuple(
          numbers([1, groups * c, ...countsOf(layout)]),
          numbers([groups * c, o, ...layout.taps]),
          fc.constant({ layout, groups }),
          perAxis(layout.taps.length, fc.nat(1)),
        ),
      ),
    async ([x, w, { layout, groups }, more]) => {
      const axes = layout.taps.length;
      const extra = more.map((n, i) => Math.min(n, layout.strides[i] - 1));
      const [channels, o] = w.shape;
      const sides = x.shape.slice(2).map((count, i) => {
        const pads = layout.pads[i] + layout.pads[axes + i];
        return (count - 1) * layout.strides[i] + spanOf(layout)[i] + extra[i] - pads;
      });
      const total = build([1, groups * o, ...sides], () => 0);
      const data = [...total.data];
      for (const [, channel, ...position] of places(x.shape))
        for (const [k, ...tap] of places([o, ...layout.taps])) {
          const target = [0, Math.floor(channel / (channels / groups)) * o + k, ...seen(layout, position, tap)];
          const inside = target.every((i, axis) => i >= 0 && i < total.shape[axis]);
          if (inside) data[flatOf(total.shape, target)] += at(x, 0, channel, ...position) * at(w, channel, k, ...tap);
        }
      const attributes = { ...attributesOf(layout), group: groups, output_padding: extra };
      expectClose(await runOne("ConvTranspose", [x, w], { attributes }), { shape: total.shape, data }, 1e-4);
    },
  ));

test("automatic pads give ceil(side / stride) windows, the odd one after or before", () =>
  forAll(
    fc
      .tuple(small(7), small(4), small(3), fc.constantFrom("SAME_UPPER", "SAME_LOWER"))
      .chain(([side, taps, stride, mode]) =>
        fc.tuple(numbers([1, 1, side]), numbers([1, 1, taps]), fc.constant({ stride, mode })),
      ),
    async ([x, w, { stride, mode }]) => {
      const [side, taps] = [x.shape[2], w.shape[2]];
      const count = Math.ceil(side / stride);
      const total = Math.max(0, (count - 1) * stride + taps - side);
      const before = (mode === "SAME_UPPER" ? Math.floor : Math.ceil)(total / 2);
      const want = build([1, 1, count], ([, , p]) =>
        sum(range(taps).map((t) => atOr(x, [0, 0, p * stride - before + t], 0) * at(w, 0, 0, t))),
      );
      expectClose(await runOne("Conv", [x, w], { attributes: { auto_pad: mode, strides: [stride] } }), want);
    },
  ));

test("pools: largest elements and where they are, means with and without pads, rounded up or down", () =>
  forAll(
    fc.tuple(layouts, fc.boolean(), fc.boolean()).chain(([layout, ceil, include]) =>
      fc.tuple(
        fc.shuffledSubarray(range(layout.sides.reduce((a, b) => a * b, 2)), {
          minLength: layout.sides.reduce((a, b) => a * b, 2),
        }),
        fc.constant({ layout, ceil, include }),
      ),
    ),
    async ([order, { layout, ceil, include }]) => {
      const x = given([1, 2, ...layout.sides], order);
      const axes = layout.sides.length;
      const shape = [1, 2, ...countsOf(layout, ceil)];
      const taps = places(layout.taps);
      const window = (c: number, position: number[]): number[][] =>
        taps.map((tap) => [0, c, ...seen(layout, position, tap)]);
      const inside = (index: number[]): boolean => index.every((i, axis) => i >= 0 && i < x.shape[axis]);
      const best = build(shape, ([, c, ...position]) =>
        Math.max(...window(c, position).map((i) => atOr(x, i, Number.NEGATIVE_INFINITY))),
      );
      const where = build(shape, ([, c, ...position]) => {
        const found = window(c, position).filter(inside);
        const value = Math.max(...found.map((i) => at(x, ...i)));
        return flatOf(x.shape, found.find((i) => at(x, ...i) === value) as number[]);
      });
      const attributes = { ...attributesOf(layout), ceil_mode: Number(ceil) };
      const [alone] = await runNode("MaxPool", [x], { attributes });
      const [values, positions] = await runNode("MaxPool", [x], { attributes, outputs: 2 });
      expectEqual(alone, best);
      expectEqual(values, best);
      expectEqual(positions, where);
      const mean = build(shape, ([, c, ...position]) => {
        const list = window(c, position);
        const counted = include
          ? list.filter((i) => i.slice(2).every((n, axis) => n < layout.sides[axis] + layout.pads[axes + axis]))
          : list.filter(inside);
        return sum(list.map((i) => atOr(x, i, 0))) / counted.length;
      });
      expectClose(
        await runOne("AveragePool", [x], { attributes: { ...attributes, count_include_pad: Number(include) } }),
        mean,
      );
      const power = build(
        shape,
        ([, c, ...position]) => sum(window(c, position).map((i) => atOr(x, i, 0) ** 3)) ** (1 / 3),
      );
      expectClose(await runOne("LpPool", [x], { attributes: { ...attributes, p: 3 } }), power);
    },
  ));

/** One axis, in the ways of `coordinate_transformation_mode`. */
const origins: Readonly<Record<string, (y: number, side: number, outputs: number) => number>> = {
  half_pixel: (y, side, outputs) => ((y + 0.5) * side) / outputs - 0.5,
  pytorch_half_pixel: (y, side, outputs) => (outputs === 1 ? -0.5 : ((y + 0.5) * side) / outputs - 0.5),
  align_corners: (y, side, outputs) => (outputs === 1 ? 0 : (y * (side - 1)) / (outputs - 1)),
  asymmetric: (y, side, outputs) => (y * side) / outputs,
};

const linear = (d: number): number => Math.max(0, 1 - Math.abs(d));
const cubic = (d: number): number => {
  const [x, a] = [Math.abs(d), -0.75];
  if (x <= 1) return (a + 2) * x ** 3 - (a + 3) * x ** 2 + 1;
  return x < 2 ? a * x ** 3 - 5 * a * x ** 2 + 8 * a * x - 4 * a : 0;
};

test("Resize to sizes: nearest, linear and cubic in each system of coordinates", () =>
  forAll(
    fc
      .tuple(small(5), small(5), small(7), small(7), fc.constantFrom(...Object.keys(origins)))
      .chain(([h, w, toH, toW, how]) => fc.tuple(numbers([1, 1, h, w]), fc.constant({ to: [toH, toW], how }))),
    async ([x, { to, how }]) => {
      const sides = x.shape.slice(2);
      const shape = [1, 1, ...to];
      const origin = (y: number, axis: number): number => origins[how](y, sides[axis], to[axis]);
      const clampTo = (i: number, axis: number): number => Math.min(Math.max(i, 0), sides[axis] - 1);
      const weighed = (weight: (d: number) => number, reach: number): Plain =>
        build(shape, ([, , ...y]) => {
          const taps = y.map((value, axis) => {
            const place = origin(value, axis);
            return range(2 * reach + 2).map((i): [number, number] => {
              const at = Math.floor(place) - reach + i;
              return [clampTo(at, axis), weight(at - place)];
            });
          });
          return sum(taps[0].flatMap(([i, a]) => taps[1].map(([j, b]) => a * b * at(x, 0, 0, i, j))));
        });
      const nearest = build(shape, ([, , ...y]) => {
        const chosen = y.map((value, axis) => clampTo(Math.floor(origin(value, axis) + 1e-9), axis));
        return at(x, 0, 0, ...chosen);
      });
      const inputs: (Given | null)[] = [x, null, null, whole(1, 1, ...to)];
      const run = (attributes: Attributes) =>
        runOne("Resize", inputs, { opset: 19, attributes: { coordinate_transformation_mode: how, ...attributes } });
      expectClose(await run({ mode: "linear" }), weighed(linear, 1), 1e-4);
      expectClose(await run({ mode: "cubic" }), weighed(cubic, 2), 1e-4);
      // Places that are whole but for rounding fall on either side: only exact ones are compared.
      const exact = places(to).every((y) =>
        y.every(
          (value, axis) =>
            Math.abs(origin(value, axis) - Math.round(origin(value, axis))) > 1e-9 ||
            Number.isInteger(origin(value, axis)),
        ),
      );
      if (exact) expectClose(await run({ mode: "nearest", nearest_mode: "floor" }), nearest, 0);
    },
  ));
