// Matrix products in every layout; A^T and B^T are stored transposed.

import type { Group, Workload } from "../harness/protocol.ts";
import { floats } from "./inputs.ts";

const layouts = ["NN", "NT", "TN"];

const product = (layout: string, n: number): Workload => ({
  id: `matmul ${layout} ${n}`,
  op: "matmul",
  params: { transposeA: layout[0] === "T", transposeB: layout[1] === "T" },
  inputs: { a: floats(1, [n, n]), b: floats(2, [n, n]) },
  flop: 2 * n ** 3,
  tolerance: 1e-3,
});

const products = (sizes: readonly number[]): Workload[] =>
  layouts.flatMap((layout) => sizes.map((n) => product(layout, n)));

export const matmul: Group = { name: "matmul", workloads: products([256, 512, 1024]) };

export const oddMatmul: Group = {
  name: "odd matmul",
  workloads: products([65, 100, 127, 255, 333, 511, 777, 1000]),
};
