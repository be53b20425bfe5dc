// Matrix products in every layout; A^T and B^T are stored transposed.

import type { Group, Workload } from "../harness/protocol.ts";
import { floats } from "./inputs.ts";

interface Shape {
  /** Axes of the operands before rows and columns. */
  readonly batch?: readonly [a: readonly number[], b: readonly number[]];
  readonly m: number;
  readonly n: number;
  readonly k: number;
}

/** Whichever is the bound of such a product: the multiply-adds, or reading and writing the matrices once. */
type Bound = "flop" | "bytes";

const elements = (sides: readonly number[]): number => sides.reduce((n, side) => n * side, 1);

function product(id: string, layout: string, { batch = [[], []], m, n, k }: Shape, bound: Bound = "flop"): Workload {
  const [transposeA, transposeB] = [layout[0] === "T", layout[1] === "T"];
  const a = [...batch[0], ...(transposeA ? [k, m] : [m, k])];
  const b = [...batch[1], ...(transposeB ? [n, k] : [k, n])];
  const products = Math.max(...batch.map(elements));
  return {
    id: `matmul ${layout} ${id}`,
    op: "matmul",
    params: { transposeA, transposeB },
    inputs: { a: floats(1, a), b: floats(2, b) },
    ...(bound === "flop"
      ? { flop: 2 * products * m * n * k }
      : { bytes: 4 * (elements(a) + elements(b) + products * m * n) }),
    tolerance: 1e-3,
  };
}

const square = (layout: string, n: number): Workload => product(String(n), layout, { m: n, n, k: n });

const products = (sizes: readonly number[]): Workload[] =>
  ["NN", "NT", "TN"].flatMap((layout) => sizes.map((n) => square(layout, n)));

export const matmul: Group = { name: "matmul", workloads: products([256, 512, 1024]) };

export const oddMatmul: Group = {
  name: "odd matmul",
  workloads: products([65, 100, 127, 255, 333, 511, 777, 1000]),
};

const cube = { m: 128, n: 128, k: 128 };

export const otherMatmul: Group = {
  name: "other matmul",
  workloads: [
    ...["NN", "NT", "TN", "TT"].map((layout) => product("16 x 128", layout, { ...cube, batch: [[16], [16]] })),
    product("16 x 128, one B", "NN", { ...cube, batch: [[16], []] }),
    product("16 x 128, one A", "NN", { ...cube, batch: [[], [16]] }),
    product("attention scores, 8x4 x 128x32 x 128", "NT", {
      m: 128,
      n: 128,
      k: 32,
      batch: [
        [8, 4],
        [8, 4],
      ],
    }),
    product("attention values, 8x4 x 128x128 x 32", "NN", {
      m: 128,
      n: 32,
      k: 128,
      batch: [
        [8, 4],
        [8, 4],
      ],
    }),
    square("TT", 512),
    product("2048x256x1024", "NN", { m: 2048, n: 1024, k: 256 }),
    product("64x784x256", "NN", { m: 64, n: 256, k: 784 }),
    product("16x1024x1024", "NN", { m: 16, n: 1024, k: 1024 }),
    product("3x1024x1024", "NN", { m: 3, n: 1024, k: 1024 }, "bytes"),
    product("1x1024x1024", "NN", { m: 1, n: 1024, k: 1024 }, "bytes"),
    product("1x1024x1024", "NT", { m: 1, n: 1024, k: 1024 }, "bytes"),
    product("1024x1024x1", "NN", { m: 1024, n: 1, k: 1024 }, "bytes"),
    product("1024x1x1024", "NN", { m: 1024, n: 1024, k: 1 }, "bytes"),
    { ...square("NN", 512), id: "matmul NN 512, f64", op: "matmulF64" },
    { ...square("NT", 512), id: "matmul NT 512, f64", op: "matmulF64" },
  ],
};
