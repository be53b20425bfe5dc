// The rows under contract: for every primitive, what to draw to differentiate it. A row without an entry fails.

import fc from "fast-check";
import { bodyLeaf, scanNodes } from "../../engine/autograd/scan.ts";
import { selectiveSecondOrder } from "../../engine/autograd/selective.ts";
import type { Node, Op } from "../../engine/graph/node.ts";
import { binaryNumericOps, reduceOps, unaryFloatOps, unaryNumericOps } from "../../engine/graph/vocabulary.ts";
import { type gradcheck, sizeOf, Tensor } from "../../engine/index.ts";
import { build, primitives } from "../../engine/primitives/index.ts";
import { type Domain, dtypeOf, seeds, shapes, sides, tensorOf, valuesOf } from "../../testing/index.ts";

export type RowInput = readonly [shape: readonly number[], domain: Domain];
/** Inputs and a node made of them; null: the row says why it has no gradient. */
export type RowSample = fc.Arbitrary<readonly [inputs: readonly RowInput[], make: (...nodes: Node[]) => Node]> | null;

const small = { maxSize: 8, maxRank: 3 };
const domains: Readonly<Record<string, readonly Domain[]>> = {
  sqrt: ["positive"],
  rsqrt: ["positive"],
  log: ["positive"],
  log2: ["positive"],
  log1p: ["positive"],
  div: ["real", "positive"],
  pow: ["positive", "real"],
  remainder: ["real", "positive"],
};
const domain = (op: string, i: number): Domain => domains[op]?.[i] ?? "real";

const unary = (op: Op): RowSample =>
  typeof primitives[op].vjp === "string"
    ? null
    : shapes(small).map((shape) => [[[shape, domain(op, 0)]], (x) => build.apply(op, [x], {})] as const);

const binary = (op: Op): RowSample =>
  shapes(small).map(
    (shape) =>
      [
        [
          [shape, domain(op, 0)],
          [shape, domain(op, 1)],
        ],
        (x, y) => build.apply(op, [x, y], {}),
      ] as const,
  );

const reduction = (op: (typeof reduceOps)[number]): RowSample =>
  shapes({ ...small, minSide: 1, minRank: 1 }).chain((shape) =>
    fc
      .subarray(
        shape.map((_, i) => i),
        { minLength: 1 },
      )
      .map((axes) => [[[shape, "real"]], (x) => build.apply(op, [x], { axes })] as const),
  );

/** Along an axis in the middle: index [2, 3, 2] into [2, n, 2]. */
const indexed = (make: (x: Node, index: Node, more: Node) => Node): RowSample =>
  fc.tuple(sides(1, 3), fc.constantFrom(1, 3)).map(
    ([n, count]) =>
      [
        [
          [[2, n, 2], "real"],
          [[2, count, 2], { below: n }],
          [[2, count, 2], "real"],
        ],
        make,
      ] as const,
  );

const scanned = (
  inputs: number,
  make: (axis: number, reverse: boolean, lag: boolean) => (...nodes: Node[]) => Node,
): RowSample =>
  fc
    .tuple(shapes({ ...small, minRank: 1 }), fc.nat(), fc.boolean(), fc.boolean())
    .map(([shape, axis, reverse, lag]) => [
      Array.from({ length: inputs }, (): RowInput => [shape, "real"]),
      make(axis % shape.length, reverse, lag),
    ]);

/** h = tanh(h * w + x) and h * x as output, both results joined. */
const scanOf =
  (length: number, reverse: boolean) =>
  (init: Node, xs: Node, w: Node): Node => {
    const [h, x] = [bodyLeaf(init), bodyLeaf({ shape: [2], dtype: init.dtype })];
    const next = build.tanh(build.add(build.mul(h, w), x));
    const step = { carries: [h], elements: [x], next: [next], outputs: [build.mul(h, x)], length, reverse };
    const { last, outputs } = scanNodes(step, [init], [xs]);
    return build.apply("concat", [build.reshape(last[0], [1, 2]), outputs[0]], { axis: 0 });
  };

/** y and the last state, joined; with a gradient inside, for the kernel of the gradient. */
const selectiveSample: RowSample = fc.tuple(sides(1, 3), sides(1, 3), sides(1, 2)).map(([t, d, n]) => {
  const shapes = [
    [1, t, d],
    [1, t, d],
    [d, n],
    [1, t, n],
    [1, t, n],
    [1, d, n],
  ];
  const make = (...inputs: Node[]): Node => {
    const scan = build.apply("selectiveScan", inputs, { second: selectiveSecondOrder });
    const flat = [0, 1]
      .map((index) => build.apply("part", [scan], { index }))
      .map((x) => build.reshape(x, [sizeOf(x.shape)]));
    return build.apply("concat", flat, { axis: 0 });
  };
  return [shapes.map((shape): RowInput => [shape, "unit"]), make] as const;
});

const one = (shape: readonly number[], make: (x: Node) => Node): RowSample =>
  fc.constant([[[shape, "real"]], make] as const);

const pair = (a: readonly number[], b: readonly number[], make: (x: Node, y: Node) => Node): RowSample =>
  fc.constant([
    [
      [a, "real"],
      [b, "real"],
    ],
    make,
  ] as const);

/** Offsets [0, 2, 4] of two groups. */
const bounds = (): Node => {
  const positions = build.apply("iota", [], { shape: [3], axis: 0 });
  return build.mul(positions, build.fill(positions, 2));
};

type Table = { readonly [P in Op]?: RowSample };
const named = <K extends Op>(ops: readonly K[], make: (op: K) => RowSample): { readonly [P in K]: RowSample } =>
  Object.fromEntries(ops.map((op) => [op, make(op)])) as { readonly [P in K]: RowSample };

export const rows: Table = {
  ...named(unaryFloatOps, unary),
  ...named(unaryNumericOps, unary),
  ...named(binaryNumericOps, binary),
  ...named(reduceOps, reduction),
  ...named(["logicalNot", "less", "lessEqual", "equal", "notEqual", "logicalAnd", "logicalOr"], () => null),
  ...named(["tuple", "argsort", "data", "full", "iota", "uniform", "stopGradient"], () => null),
  where: shapes(small).map(
    (shape) =>
      [
        [
          [shape, "bool"],
          [shape, "real"],
          [shape, "real"],
        ],
        (condition, x, y) => build.where(condition, x, y),
      ] as const,
  ),
  cast: one([3], (x) => build.apply("cast", [x], { dtype: "f64" })),
  alias: one([3], (x) => build.apply("alias", [x], {})),
  custom: one([3], (x) =>
    build.apply("custom", [build.mul(x, x), x], { rule: (g) => [build.mul(g, build.add(x, x))] }),
  ),
  after: shapes(small).map(
    (shape) =>
      [
        [
          [shape, "real"],
          [shape, "real"],
        ],
        (x, token) => build.apply("after", [x, token], {}),
      ] as const,
  ),
  reshape: one([2, 3], (x) => build.apply("reshape", [x], { shape: [3, 1, 2] })),
  permute: one([2, 1, 3], (x) => build.apply("permute", [x], { order: [2, 0, 1] })),
  expand: one([2, 1, 3], (x) => build.apply("expand", [x], { shape: [2, 4, 3] })),
  slice: one([5, 4], (x) => build.apply("slice", [x], { starts: [1, 0], stops: [5, 4], steps: [2, 3] })),
  pad: one([2, 3], (x) => build.apply("pad", [x], { lo: [1, 0], hi: [0, 2], value: 0.5 })),
  flip: one([2, 3], (x) => build.apply("flip", [x], { axes: [1] })),
  windows: fc
    .tuple(fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 6, maxLength: 6 }), fc.integer({ min: 0, max: 2 }))
    .map(([[size, stride, dilation, size2, stride2, dilation2], more]) => {
      const [axes, sizes] = [
        [2, 0],
        [size, size2],
      ];
      const reach = (n: number, d: number) => (n - 1) * d + 1 + more;
      const shape = [reach(size2, dilation2), 2, reach(size, dilation)];
      return [
        [[shape, "real"]],
        (x) =>
          build.apply("windows", [x], { axes, sizes, strides: [stride, stride2], dilations: [dilation, dilation2] }),
      ] as const;
    }),
  concat: fc.constant([
    [
      [[2, 1], "real"],
      [[2, 0], "real"],
      [[2, 3], "real"],
    ],
    (...nodes: Node[]) => build.apply("concat", nodes, { axis: 1 }),
  ] as const),
  contract: fc.tuple(sides(0, 3), sides(0, 3), sides(0, 3)).map(
    ([m, k, n]) =>
      [
        [
          [[2, m, k], "real"],
          [[2, k, n], "real"],
        ],
        (x, y) => build.apply("contract", [x, y], {}),
      ] as const,
  ),
  recurrence: scanned(2, (axis, reverse, lag) => (a, b) => build.apply("recurrence", [a, b], { axis, reverse, lag })),
  cumsum: scanned(1, (axis, reverse) => (x) => build.apply("cumsum", [x], { axis, reverse })),
  cummax: scanned(1, (axis, reverse) => (x) => build.apply("cummax", [x], { axis, reverse })),
  groupedContract: pair([5, 3], [2, 3, 2], (x, w) =>
    build.apply("groupedContract", [x, w, bounds()], { source: "groupedMatmul offsets" }),
  ),
  groupedOuter: pair([5, 3], [5, 2], (x, y) =>
    build.apply("groupedOuter", [x, y, bounds()], { source: "groupedMatmul offsets" }),
  ),
  scan: fc.tuple(fc.boolean(), sides(1, 3)).map(([reverse, length]) => [
    [
      [[2], "real"],
      [[length, 2], "real"],
      [[2], "real"],
    ],
    scanOf(length, reverse),
  ]),
  part: fc.constant([
    [
      [[2], "real"],
      [[3, 2], "real"],
      [[2], "real"],
    ],
    scanOf(3, false),
  ]),
  selectiveScan: selectiveSample,
  selectiveScanGrad: selectiveSample,
  gather: indexed((x, index) => build.apply("gather", [x, index], { axis: 1, source: "gather index" })),
  scatterAdd: indexed((x, index, more) =>
    build.apply("scatterAdd", [x, index, more], { axis: 1, source: "scatterAdd index" }),
  ),
};

/** Checks the derivatives of a row on its samples: throws a GradientError at the first that is wrong. */
export const checkRow = (
  sample: NonNullable<RowSample>,
  checker: typeof gradcheck,
  options: fc.Parameters<unknown>,
): void =>
  fc.assert(
    fc.property(sample, seeds, ([inputs, make], seed) => {
      const xs = inputs.map(([shape, on], i) =>
        tensorOf(valuesOf(on, sizeOf(shape), seed, i), shape, dtypeOf(on, "f64")),
      );
      checker((...tensors) => new Tensor(make(...tensors.map((x) => x.node))), xs);
    }),
    options as fc.Parameters<[readonly [readonly RowInput[], (...nodes: Node[]) => Node], number]>,
  );
