// What follows a product, run on its blocks: the same bits as loops of their own, whatever computes the product, on any
// number of threads; and what the oracle says.

import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { WasmExecutable, wasmTarget } from "../../../engine/backends/wasm/index.ts";
import { Heap } from "../../../engine/backends/wasm/memory/heap.ts";
import { Runner } from "../../../engine/backends/wasm/threads/runner.ts";
import { compileGraph } from "../../../engine/compile/index.ts";
import type { Program } from "../../../engine/compile/ir.ts";
import type { HostArray } from "../../../engine/dtype.ts";
import type { Graph } from "../../../engine/graph/graph.ts";
import { Storage } from "../../../engine/graph/storage.ts";
import * as S from "../../../engine/index.ts";
import { cutGraph, inputStorages } from "../../../engine/runtime/realize.ts";
import { plants } from "../../compile/plants.ts";
import { oracle } from "../../support/oracle.ts";

type Float = "f32" | "f64";

/** Every call is split and every program wakes the workers, however small. */
const runners = [1, 2, 3].map((threads) => {
  const made = new Runner(new Heap(), { splitFrom: 0, wakeFrom: 0 });
  made.threads = threads;
  return made;
});
afterAll(() => {
  for (const runner of runners) runner.threads = 1;
});

const wave = (shape: readonly number[], salt: number, dtype: Float): S.Tensor => {
  const values = Float64Array.from({ length: S.sizeOf(shape) }, (_, i) => Math.sin(i * 1.7 + salt));
  return S.tensor(dtype === "f32" ? Float32Array.from(values) : values, { shape });
};

interface Step {
  readonly name: keyof typeof steps;
  readonly salt: number;
}

/** What may follow a product `y`: each takes the value so far, and gives the next. */
const steps = {
  relu: (y: S.Tensor) => S.relu(y),
  tanh: (y: S.Tensor) => S.tanh(y),
  gelu: (y: S.Tensor) => S.gelu(y),
  square: (y: S.Tensor) => S.mul(y, y),
  scale: (y: S.Tensor, salt: number) => S.mul(y, salt),
  rowBias: (y: S.Tensor, salt: number, d: Float) => S.add(y, wave(y.shape.slice(-1), salt, d)),
  columnBias: (y: S.Tensor, salt: number, d: Float) => S.add(y, wave([...y.shape.slice(-2, -1), 1], salt, d)),
  residual: (y: S.Tensor, salt: number, d: Float) => S.add(y, wave(y.shape, salt, d)),
  batchScale: (y: S.Tensor, salt: number, d: Float) => S.mul(y, wave([...y.shape.slice(0, -2), 1, 1], salt, d)),
  mask: (y: S.Tensor, salt: number) =>
    S.where(S.less(wave(y.shape, salt, "f32"), 0.2), y, S.zeros([], { dtype: y.dtype })),
  padded: (y: S.Tensor, salt: number, d: Float) => {
    const rest = y.shape.slice(0, -1);
    const last = y.shape[rest.length];
    const before = Math.min(2, last - 1);
    const part = wave([...rest, Math.max(1, last - 3)], salt, d);
    const after = last - before - part.shape[rest.length];
    return after < 0 ? y : S.add(y, S.pad(part, [...rest.map(() => [0, 0] as const), [before, after]], 0.5));
  },
  across: (y: S.Tensor, salt: number, d: Float) =>
    S.add(y, S.transpose(wave([...y.shape.slice(0, -2), ...y.shape.slice(-2).toReversed()], salt, d), -1, -2)),
} satisfies Record<string, (y: S.Tensor, salt: number, dtype: Float) => S.Tensor>;

const names = Object.keys(steps) as (keyof typeof steps)[];
const chains = fc.array(fc.record({ name: fc.constantFrom(...names), salt: fc.integer({ min: 2, max: 9 }) }), {
  minLength: 1,
  maxLength: 4,
});

const follow = (y: S.Tensor, chain: readonly Step[], dtype: Float): S.Tensor =>
  chain.reduce((value, { name, salt }) => steps[name](value, salt, dtype), y);

interface Product {
  readonly kind: "matmul" | "conv";
  readonly batch: readonly number[];
  readonly sides: readonly [m: number, k: number, n: number];
  readonly flips: readonly [boolean, boolean];
}

function product({ kind, batch, sides: [m, k, n], flips }: Product, dtype: Float): S.Tensor {
  if (kind === "conv") {
    const [channels, side, groups] = [1 + (k % 4), 3 + (n % 30), flips[0] ? 1 + (k % 4) : 1];
    const x = wave([1 + batch.length, channels, side, side + 1], 1, dtype);
    return S.conv2d(x, wave([groups * (1 + (m % 9)), channels / groups, 3, 3], 2, dtype), { padding: 1, groups });
  }
  const operand = (rows: number, cols: number, flip: boolean, salt: number) =>
    flip ? S.transpose(wave([...batch, cols, rows], salt, dtype), -1, -2) : wave([...batch, rows, cols], salt, dtype);
  return S.matmul(operand(m, k, flips[0], 1), operand(k, n, flips[1], 2));
}

const side = fc.oneof(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 10, max: 70 }));
interface Case {
  readonly dtype: Float;
  readonly product: Product;
  readonly chain: readonly Step[];
  /** A second chain that starts from the product, and whether the product is a result, too. */
  readonly other: readonly Step[] | null;
  readonly kept: boolean;
}

const cases: fc.Arbitrary<Case> = fc.record({
  dtype: fc.constantFrom<Float>("f32", "f64"),
  product: fc.record({
    kind: fc.constantFrom("matmul", "matmul", "conv") as fc.Arbitrary<Product["kind"]>,
    batch: fc.array(fc.integer({ min: 1, max: 3 }), { maxLength: 2 }),
    sides: fc.tuple(side, side, side),
    flips: fc.tuple(fc.boolean(), fc.boolean()),
  }),
  chain: chains,
  other: fc.option(chains),
  kept: fc.boolean(),
});
/** The same values, asked for in the same order. */
function graphOf({ dtype, product: which, chain, other, kept }: Case): Graph {
  const y = product(which, dtype);
  const values = [follow(y, chain, dtype), ...(other === null ? [] : [follow(y, other, dtype)]), ...(kept ? [y] : [])];
  return cutGraph(values.map(({ node }) => node));
}

const alone = { ...wasmTarget, epilogue: () => false };

function run(runner: Runner, graph: Graph, program: Program): HostArray[] {
  const executable = new WasmExecutable(runner, program);
  const storages = graph.outputs.map(({ dtype, shape }) => new Storage(dtype, S.sizeOf(shape)));
  executable.run(inputStorages(graph), storages);
  executable.release();
  return storages.map((storage) => storage.host as HostArray);
}

const bits = (values: readonly HostArray[]): string =>
  values.map((each) => Buffer.from(each.buffer, each.byteOffset, each.byteLength).toString("hex")).join("|");

const followed = (program: Program): number =>
  program.kernels.filter((kernel) => kernel.kind === "contract" && kernel.epilogue !== undefined).length;

/** Lets the workers start: until then every program runs on one thread. */
async function warm(): Promise<void> {
  const graph = graphOf({
    dtype: "f32",
    product: { kind: "matmul", batch: [], sides: [20, 20, 20], flips: [false, false] },
    chain: [{ name: "relu", salt: 2 }],
    other: null,
    kept: false,
  });
  for (const runner of runners) {
    for (let i = 0; i < 200 && runner.activeThreads < runner.threads; i++) {
      run(runner, graph, compileGraph(graph, { target: wasmTarget }));
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    expect(runner.activeThreads).toBe(runner.threads);
  }
}

/** Runs a graph as it is compiled, on every number of threads and without a memory plan, and without epilogues. */
function expectSame(graph: Graph): Program {
  const fused = compileGraph(graph, { target: wasmTarget });
  const expected = bits(run(runners[0], graph, compileGraph(graph, { target: alone })));
  expect(bits(run(runners[0], graph, compileGraph(graph, { target: wasmTarget, plan: false })))).toBe(expected);
  for (const runner of runners) expect(bits(run(runner, graph, fused))).toBe(expected);
  return fused;
}

/** Sides that take every path: blocks of k, of rows and of columns, their edges, dots, few rows, one column. */
const large: readonly { readonly sides: Product["sides"]; readonly batch: readonly number[] }[] = [
  { sides: [130, 600, 70], batch: [] },
  { sides: [37, 300, 1040], batch: [] },
  { sides: [250, 33, 530], batch: [] },
  { sides: [1, 515, 700], batch: [] },
  { sides: [700, 515, 1], batch: [] },
  { sides: [3, 900, 41], batch: [5] },
  { sides: [130, 12, 9], batch: [2, 2] },
];
const long: readonly Step[] = [
  { name: "rowBias", salt: 3 },
  { name: "columnBias", salt: 4 },
  { name: "square", salt: 2 },
  { name: "residual", salt: 5 },
];

describe("what follows a product", () => {
  test("gives the bits of loops of their own, on any number of threads, planned or not", {
    timeout: 60_000,
  }, async () => {
    await warm();
    let met = 0;
    fc.assert(
      fc.property(cases, (which) => {
        met += followed(expectSame(graphOf(which)));
      }),
      { numRuns: 60 },
    );
    expect(met).toBeGreaterThan(40);
  });

  test.each(large)("does so in large products: $sides of $batch", ({ sides, batch }) => {
    for (const dtype of ["f32", "f64"] as const) {
      for (const flips of [
        [false, false],
        [true, false],
        [false, true],
      ] as const) {
        const graph = graphOf({
          dtype,
          product: { kind: "matmul", batch, sides, flips },
          chain: long,
          other: long.slice(1, 3),
          kept: flips[0],
        });
        expect(followed(expectSame(graph))).toBe(1);
      }
    }
  });

  test("is what the oracle says", () => {
    fc.assert(
      fc.property(cases, (which) => {
        // Functions that double what the product was off by, again and again, tell nothing.
        const chain = which.chain.filter(({ name }, i) => name !== "square" || i === 0);
        const graph = graphOf({ ...which, dtype: "f64", chain, other: null });
        const actual = run(runners[0], graph, compileGraph(graph, { target: wasmTarget }));
        oracle(graph.outputs).forEach((values, i) => {
          values.forEach((value, at) => {
            expect(Math.abs(value - actual[i][at])).toBeLessThanOrEqual(1e-9 * Math.max(1, Math.abs(value)));
          });
        });
      }),
      { numRuns: 20 },
    );
  });

  test("is seen if it is done twice, not done, or done with other arguments", () => {
    const wrong = Object.entries(plants).filter(([name]) => name.startsWith("what follows a product"));
    expect(wrong.length).toBeGreaterThan(2);
    for (const [name, plant] of wrong) {
      const { failed } = fc.check(
        fc.property(cases, fc.nat(100), (which, pick) => {
          const graph = graphOf(which);
          const program = plant(compileGraph(graph, { target: wasmTarget }), pick);
          const right = run(runners[0], graph, compileGraph(graph, { target: alone }));
          return program === undefined || bits(run(runners[0], graph, program)) === bits(right);
        }),
        { numRuns: 150, endOnFailure: true },
      );
      expect(failed, name).toBe(true);
    }
  });

  test("runs in the body of a scan", () => {
    const [xs, w, u] = [wave([6, 5, 9], 1, "f32"), wave([9, 7], 2, "f32"), wave([7, 7], 3, "f32")];
    const [h, ys] = S.scan(
      (state: S.Tensor, x: S.Tensor) => {
        const gate = S.sigmoid(S.add(S.matmul(x, w), wave([7], 4, "f32")));
        const next = S.add(S.mul(gate, state), S.tanh(S.matmul(S.mul(gate, state), u)));
        return [next, S.relu(S.matmul(next, u))];
      },
      wave([5, 7], 5, "f32"),
      xs,
    );
    const { kernels } = expectSame(cutGraph([h.node, ys.node]));
    const bodies = kernels.flatMap((kernel) => (kernel.kind === "repeat" ? [kernel.body] : []));
    expect(bodies.map(followed)).toEqual([3]);
  });
});
