// Normalisations, optimizer steps and Fourier transforms of the ONNX table against their formulas.

import fc from "fast-check";
import { beforeAll, test } from "vitest";
import { setBackend } from "../../../engine/index.ts";
import { type Given, given, runNode, runOne, whole } from "./build.ts";
import { expectClose, forAll, numbers, shapeOf } from "./check.ts";
import { at, build, type Plain, places, range, sum } from "./plain.ts";

beforeAll(() => setBackend("wasm"));

const eps = 0.25;
const small = (max: number) => fc.integer({ min: 1, max });

/** Mean and variance of the elements that agree with `index` outside the axes. */
function moments(x: Plain, axes: readonly number[], index: readonly number[]) {
  const inner = places(x.shape.map((side, axis) => (axes.includes(axis) ? side : 1)));
  const values = inner.map((place) => at(x, ...index.map((i, axis) => (axes.includes(axis) ? place[axis] : i))));
  const mean = sum(values) / values.length;
  return {
    mean,
    variance: sum(values.map((v) => (v - mean) ** 2)) / values.length,
    square: sum(values.map((v) => v * v)) / values.length,
  };
}

const channelled = shapeOf(3, 4).chain((shape) => fc.tuple(numbers(shape), ...range(4).map(() => numbers([shape[1]]))));

test("BatchNormalization: with given statistics, and in training with its own, which it blends in", () =>
  forAll(channelled, async ([x, scale, bias, mean, spread]) => {
    const variance: Given = { ...spread, data: spread.data.map(Math.abs) };
    const inputs = [x, scale, bias, mean, variance];
    const attributes = { epsilon: { float: eps }, momentum: { float: 0.75 } };
    const given1 = build(
      x.shape,
      ([n, c, ...rest]) =>
        ((at(x, n, c, ...rest) - mean.data[c]) / Math.sqrt(variance.data[c] + eps)) * scale.data[c] + bias.data[c],
    );
    expectClose(await runOne("BatchNormalization", inputs, { attributes }), given1, 1e-4);
    const axes = range(x.shape.length).filter((axis) => axis !== 1);
    const own = (c: number) =>
      moments(
        x,
        axes,
        x.shape.map((_, axis) => (axis === 1 ? c : 0)),
      );
    const trained = build(x.shape, ([n, c, ...rest]) => {
      const { mean: m, variance: v } = own(c);
      return ((at(x, n, c, ...rest) - m) / Math.sqrt(v + eps)) * scale.data[c] + bias.data[c];
    });
    const [y, nextMean, nextVariance] = await runNode("BatchNormalization", inputs, {
      outputs: 3,
      attributes: { ...attributes, training_mode: 1 },
    });
    expectClose(y, trained, 1e-4);
    expectClose(
      nextMean,
      build(mean.shape, ([c]) => 0.75 * mean.data[c] + 0.25 * own(c).mean),
      1e-4,
    );
    expectClose(
      nextVariance,
      build(mean.shape, ([c]) => 0.75 * variance.data[c] + 0.25 * own(c).variance),
      1e-4,
    );
  }));

test("InstanceNormalization, and GroupNormalization with scales per channel or (before opset 21) per group", () =>
  forAll(
    fc
      .tuple(small(2), small(3), small(3), small(4))
      .chain(([n, groups, per, d]) =>
        fc.tuple(
          numbers([n, groups * per, d]),
          numbers([groups * per]),
          numbers([groups * per]),
          fc.constant({ groups, per }),
        ),
      ),
    async ([x, scale, bias, { groups, per }]) => {
      const attributes = { epsilon: { float: eps } };
      const instance = build(x.shape, ([n, c, i]) => {
        const { mean, variance } = moments(x, [2], [n, c, 0]);
        return ((at(x, n, c, i) - mean) / Math.sqrt(variance + eps)) * scale.data[c] + bias.data[c];
      });
      expectClose(await runOne("InstanceNormalization", [x, scale, bias], { attributes }), instance, 1e-4);
      const split: Plain = { shape: [x.shape[0], groups, per * x.shape[2]], data: x.data };
      const grouped = (s: (c: number) => number): Plain =>
        build(x.shape, ([n, c, i]) => {
          const { mean, variance } = moments(split, [2], [n, Math.floor(c / per), 0]);
          return ((at(x, n, c, i) - mean) / Math.sqrt(variance + eps)) * s(c) + 1;
        });
      const ones = (count: number): Given =>
        given(
          [count],
          range(count).map(() => 1),
        );
      const options = { attributes: { ...attributes, num_groups: groups } };
      const late = await runOne("GroupNormalization", [x, scale, ones(groups * per)], { ...options, opset: 21 });
      expectClose(
        late,
        grouped((c) => scale.data[c]),
        1e-4,
      );
      const perGroup = given([groups], scale.data.slice(0, groups));
      const early = await runOne("GroupNormalization", [x, perGroup, ones(groups)], { ...options, opset: 18 });
      expectClose(
        early,
        grouped((c) => perGroup.data[Math.floor(c / per)]),
        1e-4,
      );
    },
  ));

test("LayerNormalization (with its statistics) and RMSNormalization from any axis on", () =>
  forAll(
    shapeOf(1, 4).chain((shape) =>
      fc
        .nat(shape.length - 1)
        .chain((axis) =>
          fc.tuple(numbers(shape), numbers(shape.slice(axis)), numbers(shape.slice(axis)), fc.constant(axis)),
        ),
    ),
    async ([x, scale, bias, axis]) => {
      const axes = range(x.shape.length).slice(axis);
      const attributes = { axis, epsilon: { float: eps } };
      const normal = (index: number[], centre: boolean): number => {
        const { mean, variance, square } = moments(x, axes, index);
        const value = centre
          ? (at(x, ...index) - mean) / Math.sqrt(variance + eps)
          : at(x, ...index) / Math.sqrt(square + eps);
        return value * at(scale, ...index.slice(axis));
      };
      const kept = x.shape.map((side, i) => (i < axis ? side : 1));
      const [y, mean, factor] = await runNode("LayerNormalization", [x, scale, bias], { outputs: 3, attributes });
      expectClose(
        y,
        build(x.shape, (index) => normal(index, true) + at(bias, ...index.slice(axis))),
        1e-4,
      );
      expectClose(
        mean,
        build(kept, (index) => moments(x, axes, index).mean),
        1e-4,
      );
      expectClose(
        factor,
        build(kept, (index) => 1 / Math.sqrt(moments(x, axes, index).variance + eps)),
        1e-4,
      );
      const rms = await runOne("RMSNormalization", [x, scale], { opset: 23, attributes });
      expectClose(
        rms,
        build(x.shape, (index) => normal(index, false)),
        1e-4,
      );
    },
  ));

test("LRN over neighbouring channels, LpNormalization along an axis", () =>
  forAll(fc.tuple(shapeOf(3, 4).chain(numbers), small(4)), async ([x, size]) => {
    const [alpha, beta, bias] = [0.5, 0.75, 1.5];
    const before = Math.floor((size - 1) / 2);
    const local = build(x.shape, ([n, c, ...rest]) => {
      const near = range(size)
        .map((i) => c - before + i)
        .filter((k) => k >= 0 && k < x.shape[1]);
      const total = sum(near.map((k) => at(x, n, k, ...rest) ** 2));
      return at(x, n, c, ...rest) / (bias + (alpha / size) * total) ** beta;
    });
    const attributes = { size, alpha: { float: alpha }, beta: { float: beta }, bias: { float: bias } };
    expectClose(await runOne("LRN", [x], { attributes }), local, 1e-4);
    const unit = build(x.shape, (index) => {
      const total = sum(range(x.shape[1]).map((k) => Math.abs(at(x, ...index.with(1, k)))));
      return total === 0 ? 0 : at(x, ...index) / total;
    });
    expectClose(await runOne("LpNormalization", [x], { opset: 22, attributes: { axis: 1, p: 1 } }), unit);
  }));

test("Adagrad, Adam and Momentum steps of several parameters at once", () =>
  forAll(
    fc
      .tuple(small(3), small(3))
      .chain(([a, b]) =>
        fc.tuple(
          fc.tuple(...[a, b].map((n) => fc.tuple(numbers([n]), numbers([n]), numbers([n]), numbers([n])))),
          fc.nat(3),
        ),
      ),
    async ([parameters, count]) => {
      const [rate, decay] = [0.125, 0.25];
      const scalars = [given([], [rate]), given([], [count], "int64")];
      const positive = (x: Given): Given => ({ ...x, data: x.data.map(Math.abs) });
      const lists = (k: number): Given[] => parameters.map((list) => (k === 3 ? positive(list[k]) : list[k]));
      const each = (fn: (x: number, g: number, v: number, h: number) => number): Plain[] =>
        parameters.map((_, p) => {
          const [x, g, v, h] = [0, 1, 2, 3].map((k) => lists(k)[p]);
          return build(x.shape, ([i]) => fn(x.data[i], g.data[i] + decay * x.data[i], v.data[i], h.data[i]));
        });
      const options = { opset: 23, domain: "ai.onnx.preview.training" };
      const common = { norm_coefficient: { float: decay } };
      const compare = async (op: string, states: number[], attributes: object, want: Plain[][]): Promise<void> => {
        const inputs = [...scalars, ...lists(0), ...lists(1), ...states.flatMap(lists)];
        const found = await runNode(op, inputs, {
          ...options,
          outputs: 2 * want.length,
          attributes: { ...common, ...attributes },
        });
        want.flat().forEach((one, i) => {
          expectClose(found[i], one, 1e-4);
        });
      };
      const step = rate / (1 + count * 0.5);
      const total = (g: number, h: number): number => h + g * g;
      await compare("Adagrad", [3], { decay_factor: { float: 0.5 }, epsilon: { float: 0.5 } }, [
        each((x, g, _, h) => x - (step * g) / (Math.sqrt(total(g, h)) + 0.5)),
        each((_x, g, _v, h) => total(g, h)),
      ]);
      const [alpha, beta] = [0.5, 0.875];
      const first = (g: number, v: number): number => alpha * v + (1 - alpha) * g;
      const second = (g: number, h: number): number => beta * h + (1 - beta) * g * g;
      const corrected = count === 0 ? rate : (rate * Math.sqrt(1 - beta ** count)) / (1 - alpha ** count);
      await compare("Adam", [2, 3], { alpha: { float: alpha }, beta: { float: beta }, epsilon: { float: 0.5 } }, [
        each((x, g, v, h) => x - (corrected * first(g, v)) / (Math.sqrt(second(g, h)) + 0.5)),
        each((_, g, v) => first(g, v)),
        each((_x, g, _v, h) => second(g, h)),
      ]);
      const velocity = (g: number, v: number): number => alpha * v + (count > 0 ? beta : 1) * g;
      await compare("Momentum", [2], { alpha: { float: alpha }, beta: { float: beta }, mode: "nesterov" }, [
        each((x, g, v) => x - rate * (g + alpha * velocity(g, v))),
        each((_, g, v) => velocity(g, v)),
      ]);
    },
    10,
  ));

test("DFT: forward and back, cut or filled up, half or whole", () =>
  forAll(
    fc
      .tuple(small(6), small(8), fc.boolean(), fc.boolean())
      .chain(([side, n, complex, inverse]) =>
        fc.tuple(numbers([2, side, complex ? 2 : 1]), fc.constant({ n, inverse })),
      ),
    async ([x, { n, inverse }]) => {
      const [rows, side, parts] = x.shape;
      const whole2 = build([rows, n, 2], ([r, k, part]) => {
        const terms = range(Math.min(n, side)).map((j) => {
          const [a, b] = [at(x, r, j, 0), parts === 2 ? at(x, r, j, 1) : 0];
          const angle = ((inverse ? 2 : -2) * Math.PI * j * k) / n;
          return part === 0 ? a * Math.cos(angle) - b * Math.sin(angle) : a * Math.sin(angle) + b * Math.cos(angle);
        });
        return sum(terms) / (inverse ? n : 1);
      });
      const inputs = [x, whole(n), whole(1)].map((input, i) => (i === 0 ? input : { ...input, shape: [] }));
      const attributes = { inverse: Number(inverse) };
      expectClose(await runOne("DFT", inputs, { opset: 20, attributes }), whole2, 1e-4);
      if (inverse) return;
      const half = build([rows, Math.floor(n / 2) + 1, 2], (index) => at(whole2, ...index));
      expectClose(await runOne("DFT", inputs, { opset: 20, attributes: { onesided: 1 } }), half, 1e-4);
    },
  ));
