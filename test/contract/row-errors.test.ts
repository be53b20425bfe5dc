// What a row of the primitive table says to inputs and attributes that do not fit. Operations check before; these are
// the last to know, and what a rule that builds a wrong graph meets.

import { describe, expect, it } from "vitest";
import { bodyLeaf } from "../../engine/autograd/scan.ts";
import { selectiveSecondOrder } from "../../engine/autograd/selective.ts";
import type { Attrs, Body, Node, Op } from "../../engine/graph/node.ts";
import { SluiceError } from "../../engine/index.ts";
import { build } from "../../engine/primitives/index.ts";

const of = (shape: readonly number[], dtype: "f32" | "f64" | "i32" | "bool" = "f32"): Node =>
  bodyLeaf({ shape, dtype });
const x = of([2, 3]);
const i32 = of([2, 3], "i32");

type Refusal = readonly [inputs: readonly Node[], attrs?: unknown];
const window = { axes: [1], sizes: [2], strides: [1], dilations: [1] };
const along = { axis: 1, reverse: false, lag: false };
const body = { leaves: [of([2])], carries: 1, sequences: 0, results: [of([2])], length: 2 } as unknown as Body;
const scanned = (...shapes: (readonly number[])[]): Refusal => [
  shapes.map((shape) => of(shape)),
  { second: selectiveSecondOrder },
];

const refusals: { readonly [P in Op]?: readonly Refusal[] } = {
  exp: [[[i32]]],
  neg: [[[of([2], "bool")]]],
  logicalNot: [[[x]]],
  add: [[[x, of([3, 2])]], [[x, i32]], [[of([2], "bool"), of([2], "bool")]]],
  less: [[[x, of([2])]]],
  where: [[[x, x, x]], [[of([2, 3], "bool"), x, i32]], [[of([2], "bool"), x, x]]],
  sum: [[[of([2], "bool")], { axes: [0] }]],
  reshape: [
    [[x], { shape: [4] }],
    [[x], { shape: [2, -3] }],
  ],
  permute: [
    [[x], { order: [0] }],
    [[x], { order: [0, 0] }],
  ],
  expand: [
    [[x], { shape: [2, 4] }],
    [[x], { shape: [6] }],
  ],
  slice: [
    [[x], { starts: [0, 0], stops: [3, 3], steps: [1, 1] }],
    [[x], { starts: [0, 0], stops: [2, 3], steps: [1, 0] }],
    [[x], { starts: [0], stops: [2], steps: [1] }],
  ],
  pad: [
    [[x], { lo: [-1, 0], hi: [0, 0], value: 0 }],
    [[x], { lo: [0], hi: [0], value: 0 }],
  ],
  flip: [[[x], { axes: [2] }]],
  concat: [
    [[], { axis: 0 }],
    [[x, of([2, 4])], { axis: 0 }],
    [[x, i32], { axis: 0 }],
    [[x], { axis: 2 }],
  ],
  windows: [
    [[x], { ...window, sizes: [4] }],
    [[x], { ...window, strides: [0] }],
    [[x], { ...window, axes: [2] }],
  ],
  contract: [[[x, x]], [[of([2]), x]], [[i32, of([3, 2], "i32")]], [[of([4, 2, 3]), of([5, 3, 2])]]],
  groupedContract: [
    [[x, x, of([2], "i32")]],
    [[x, of([1, 3, 2]), of([2])]],
    [[i32, of([1, 3, 2], "i32"), of([2], "i32")]],
  ],
  groupedOuter: [[[x, of([3, 2]), of([2], "i32")]]],
  gather: [
    [[x, x], along],
    [[x, of([3, 3], "i32")], along],
    [[x, i32], { axis: 2 }],
  ],
  scatterAdd: [
    [[x, i32, of([2, 2])], along],
    [[x, i32, i32], along],
    [[x, x, x], along],
  ],
  argsort: [[[of([])], { descending: false, kept: 0 }]],
  recurrence: [
    [[x, of([3, 2])], along],
    [[x, x], { ...along, axis: 2 }],
    [[of([2], "bool"), of([2], "bool")], { ...along, axis: 0 }],
  ],
  cumsum: [
    [[x], { axis: 2, reverse: false }],
    [[of([2], "bool")], { axis: 0, reverse: false }],
  ],
  cummax: [[[x], { axis: -1, reverse: false }]],
  scan: [
    [[of([3])], { body }],
    [[of([2], "i32")], { body }],
  ],
  selectiveScan: [scanned([1, 2, 3], [1, 2, 3], [2, 2], [1, 2, 2], [1, 2, 2], [1, 3, 2])],
  data: [[[]]],
  full: [[[], { shape: [2, -1], dtype: "f32", value: 0 }]],
  iota: [[[], { shape: [0.5], axis: 0 }]],
  uniform: [
    [[of([2], "i32")], { shape: [2], dtype: "f32", call: 0 }],
    [[of([3])], { shape: [2], dtype: "f32", call: 0 }],
    [[of([3], "i32")], { shape: [2], dtype: "i32", call: 0 }],
    [[of([3], "i32")], { shape: [2], dtype: "i32", call: 0, bound: 2 ** 32 + 1 }],
    [[of([3], "i32")], { shape: [2], dtype: "f32", call: 0, bound: 3 }],
  ],
};

describe.each(Object.entries(refusals) as [Op, readonly Refusal[]][])("%s", (op, list) => {
  it.each(list.map((refusal, i) => [i, refusal] as const))("refusal %i", (_, [inputs, attrs = {}]) => {
    const apply = (): Node => build.apply(op, inputs, attrs as Attrs[Op]);
    expect(apply).toThrow(SluiceError);
    expect(apply).toThrowErrorMatchingSnapshot();
  });
});
