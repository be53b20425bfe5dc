// Convolutions: what holds whatever the numbers are, what is never stored, and what is refused.

import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { compileGraph } from "../../engine/compile/index.ts";
import * as S from "../../engine/index.ts";
import { cutGraph } from "../../engine/runtime/realize.ts";
import { tensorOf, valuesOf } from "../../testing/index.ts";
import { expectClose, nd } from "./plain.ts";
import { convolve, positionsOf, type Spec, shapesOf, specs } from "./samples/convolutions.ts";

const real = (shape: readonly number[], salt: number, dtype: S.DType = "f64"): S.Tensor =>
  tensorOf(valuesOf("real", S.sizeOf(shape), 11, salt), shape, dtype);
const close = (actual: S.Tensor, expected: S.Tensor, tolerance = 1e-10): void =>
  expectClose(actual, nd(expected), { relative: tolerance, absolute: tolerance });

const optionsOf = ({ strides: stride, dilations: dilation, padding, groups }: Spec) => ({
  stride,
  dilation,
  padding,
  groups,
});
const convOf = (spec: Spec) => (spec.taps.length === 1 ? S.conv1d : S.conv2d);
const transposeOf = (spec: Spec) => (spec.taps.length === 1 ? S.convTranspose1d : S.convTranspose2d);
const anySpec = (most: number) => fc.oneof(specs(1, 2 * most), specs(2, most));

describe.each(["reference", "wasm"] as const)("convolutions on %s", (backend) => {
  beforeAll(() => S.setBackend(backend));
  afterAll(() => S.setBackend("reference"));

  it("are their definition at sizes of several tiles", () => {
    fc.assert(
      fc.property(
        anySpec(backend === "wasm" ? 19 : 7),
        fc.constantFrom("f32" as const, "f64" as const),
        (spec, dtype) => {
          const { x, w } = shapesOf(spec);
          const [a, b] = [real(x, 1, dtype), real(w, 2, dtype)];
          const bound = dtype === "f64" ? 1e-10 : 2e-3;
          expectClose(convOf(spec)(a, b, optionsOf(spec)), convolve(spec, nd(a), nd(b)), {
            relative: bound,
            absolute: bound,
          });
        },
      ),
      { numRuns: 60 },
    );
  });

  it("have their transpose for adjoint: <conv(x), y> = <x, convT(y)> = <w, gradient>", () => {
    fc.assert(
      fc.property(anySpec(12), (spec) => {
        const shapes = shapesOf(spec);
        const [x, w] = [real(shapes.x, 1), real(shapes.w, 2)];
        const conv = (a: S.Tensor, b: S.Tensor) => convOf(spec)(a, b, optionsOf(spec));
        const [z, pull] = S.vjp(conv, x, w);
        const y = real(z.shape, 3);
        const positions = positionsOf(spec);
        const outputPadding = spec.sides.map((side, i) => {
          const reach = (spec.taps[i] - 1) * spec.dilations[i] + 1;
          return side + spec.padding[i][0] + spec.padding[i][1] - (positions[i] - 1) * spec.strides[i] - reach;
        });
        const back = transposeOf(spec)(y, w, { ...optionsOf(spec), outputPadding });
        const [dx, dw] = pull(y);
        close(back, dx);
        const inner = (p: S.Tensor, q: S.Tensor): number => p.mul(q).sum().item();
        const product = inner(z, y);
        const bound = 1e-9 * (1 + Math.abs(product));
        expect(Math.abs(inner(x, back) - product)).toBeLessThanOrEqual(bound);
        expect(Math.abs(inner(w, dw) - product)).toBeLessThanOrEqual(bound);
      }),
      { numRuns: 60 },
    );
  });

  it("of one tap are a matrix product, of whole patches a linear layer, and groups know nothing of each other", () => {
    const x = real([2, 6, 8, 8], 1);
    const one = real([5, 6, 1, 1], 2);
    close(S.conv2d(x, one), S.einsum("nchw,oc->nohw", x, one.reshape([5, 6])));
    const patch = real([5, 6, 4, 4], 2);
    const patches = S.rearrange("n c (h p) (w q) -> n (h w) (c p q)", x, { p: 4, q: 4 });
    const linear = patches.matmul(patch.reshape([5, 96]).t());
    close(S.conv2d(x, patch, { stride: 4 }), linear.permute([0, 2, 1]).reshape([2, 5, 2, 2]));
    const w = real([4, 3, 3, 3], 2);
    const halves = [0, 1].map((g) => S.conv2d(x.narrow(1, 3 * g, 3), w.narrow(0, 2 * g, 2)));
    close(S.conv2d(x, w, { groups: 2 }), S.concat(halves, 1));
  });

  it("same keeps ceil(side / stride) positions, causal looks at nothing ahead", () => {
    for (const [side, taps, stride, dilation] of [
      [7, 3, 1, 1],
      [7, 4, 2, 1],
      [8, 5, 3, 2],
      [1, 3, 1, 3],
    ]) {
      const y = S.conv1d(real([1, 1, side], 1), real([1, 1, taps], 2), { padding: "same", stride, dilation });
      expect(y.shape).toEqual([1, 1, Math.ceil(side / stride)]);
    }
    const [x, w] = [real([2, 3, 9], 1), real([3, 1, 4], 2)];
    const options = { padding: "causal", groups: 3, dilation: 2 } as const;
    const y = S.conv1d(x, w, options);
    expect(y.shape).toEqual([2, 3, 9]);
    close(S.conv1d(x.narrow(2, 0, 5), w, options), y.narrow(2, 0, 5));
    close(S.conv1d(x.select(0, 1), w, options), y.select(0, 1));
  });

  it("are empty where the batch is, and sums of padding where sides are 0", () => {
    expect(S.conv2d(real([0, 2, 5, 5], 1), real([3, 2, 3, 3], 2)).shape).toEqual([0, 3, 3, 3]);
    close(S.conv1d(real([1, 1, 0], 1), real([1, 1, 2], 2), { padding: 1 }), S.zeros([1, 1, 1], { dtype: "f64" }));
    const [, pull] = S.vjp(S.conv2d, real([0, 2, 5, 5], 1), real([3, 2, 3, 3], 2));
    close(pull(real([0, 3, 3, 3], 3))[1], S.zeros([3, 2, 3, 3], { dtype: "f64" }));
    expect(S.conv1d(real([2, 3, 4], 1), real([0, 3, 2], 2)).shape).toEqual([2, 0, 3]);
  });
});

it("no window is ever copied: buffers hold no more than the padded input", () => {
  const [x, w] = [S.zeros([4, 8, 16, 16]), S.zeros([8, 8, 3, 3])];
  for (const groups of [1, 8]) {
    const weight = w.narrow(1, 0, 8 / groups);
    const [y, pull] = S.vjp((a, b) => S.conv2d(a, b, { padding: 1, groups }), x, weight);
    const { buffers } = compileGraph(cutGraph([y, ...pull(S.ones(y.shape))].map((tensor) => tensor.node)));
    expect(Math.max(...buffers.map(({ length }) => length))).toBeLessThanOrEqual(4 * 8 * 18 * 18);
  }
});

describe("what does not fit is refused before anything runs", () => {
  const [x, w] = [S.zeros([2, 4, 8, 8]), S.zeros([6, 4, 3, 3])];
  const cases: readonly [string, () => unknown, new (...args: never[]) => Error, string][] = [
    ["channels", () => S.conv2d(x, S.zeros([6, 3, 3, 3])), S.ShapeError, "[2, 4, 8, 8] and weight [6, 3, 3, 3]"],
    ["rank", () => S.conv2d(S.zeros([8, 8]), w), S.ShapeError, "got x [8, 8]"],
    ["groups of inputs", () => S.conv2d(x, w, { groups: 3 }), S.ShapeError, "3 groups do not divide"],
    ["groups of outputs", () => S.conv2d(x, S.zeros([3, 1, 3, 3]), { groups: 4 }), S.ShapeError, "[3, 1, 3, 3]"],
    ["no groups", () => S.conv2d(x, w, { groups: 0 }), S.ArgumentError, "groups must be >= 1"],
    ["negative output", () => S.conv2d(x, S.zeros([6, 4, 9, 3])), S.ShapeError, "axis -2 of [2, 4, 8, 8]"],
    ["dilation too far", () => S.conv2d(x, w, { dilation: 4 }), S.ShapeError, "over 9 elements"],
    [
      "dilation 0",
      () => S.conv2d(x, w, { dilation: 0 }),
      S.ArgumentError,
      "dilation must be 2 whole numbers in 1..2147483647",
    ],
    ["stride 0", () => S.conv2d(x, w, { stride: [1, 0] }), S.ArgumentError, "stride"],
    ["fractions", () => S.conv2d(x, w, { stride: 1.5 }), S.ArgumentError, "got 1.5"],
    ["negative padding", () => S.conv2d(x, w, { padding: -1 }), S.ArgumentError, "padding"],
    ["padding per axis", () => S.conv2d(x, w, { padding: [1] }), S.ArgumentError, "padding"],
    ["padding by name", () => S.conv2d(x, w, { padding: "full" as "same" }), S.ArgumentError, '"full"'],
    ["bias", () => S.conv2d(x, w, { bias: S.zeros([5]) }), S.ShapeError, "bias must be [6], got [5]"],
    ["no taps", () => S.conv2d(x, S.zeros([6, 4, 0, 3])), S.ShapeError, "no taps"],
    ["transposed channels", () => S.convTranspose2d(x, w), S.ShapeError, "the 4 channels"],
    [
      "transposed padding",
      () => S.convTranspose1d(S.zeros([1, 1, 1]), S.zeros([1, 1, 2]), { padding: 2 }),
      S.ShapeError,
      "would give sides [-2]",
    ],
    [
      "output padding",
      () => S.convTranspose1d(S.zeros([1, 1, 2]), S.zeros([1, 1, 2]), { outputPadding: 1 }),
      S.ArgumentError,
      "outputPadding 1",
    ],
    ["pool", () => S.maxPool2d(x, 9), S.ShapeError, "axis -2 of [2, 4, 8, 8]"],
    ["pool size", () => S.avgPool1d(x, 0), S.ArgumentError, "size"],
    ["pool rank", () => S.maxPool2d(S.zeros([3]), 1), S.ShapeError, "[3]"],
    ["adaptive", () => S.adaptiveAvgPool2d(S.zeros([2, 0, 3]), 2), S.ShapeError, "[2, 0, 3]"],
  ];
  it.each(cases)("%s", (_, run, type, message) => {
    expect(run).toThrow(type);
    expect(run).toThrow(message);
  });
});
