// Softmax and the normalisations over the rows of 1024 x 1024, and reductions over its axes.

import type { Group, InputSpec, Workload } from "../harness/protocol.ts";
import { floats } from "./inputs.ts";

const side = 1024;
const bytes = 4 * side * side;
const x = floats(1, [side, side], -3, 3);
const seed = floats(2, [side, side]);
const weight = floats(3, [side], 0.5, 1.5);
const bias = floats(4, [side]);

const operations: Readonly<Record<string, Readonly<Record<string, InputSpec>>>> = {
  softmax: { x },
  logSoftmax: { x },
  layerNorm: { x, weight, bias },
  rmsNorm: { x, weight },
};

/** Forward reads x and writes y; backward reads x (or y) and the seed, and writes the gradient of x. */
export const rows: Group = {
  name: "rows",
  workloads: Object.entries(operations).flatMap(([op, inputs]): Workload[] => [
    { id: `${op} 1024^2`, op, params: { backward: false }, inputs, bytes: 2 * bytes, tolerance: 1e-4 },
    {
      id: `${op} 1024^2 + gradient`,
      op,
      params: { backward: true },
      inputs: { ...inputs, seed },
      bytes: 4 * bytes,
      tolerance: 1e-3,
    },
  ]),
};

export const reductions: Group = {
  name: "reductions",
  workloads: ["last", "first", "both"].map((axes) => ({
    id: `sum over ${axes} of 1024^2`,
    op: "sum",
    params: { axes },
    inputs: { x: floats(1, [side, side], 0, 1) },
    bytes,
    tolerance: 1e-3,
  })),
};
