// Fusion changes no bit, sums that round included: the order of their terms belongs to the reduction, not to the kernel
// that it ends up in. Generated programs over numbers that round, fused and not; and the judge judged.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { WasmExecutable, wasmTarget } from "../../engine/backends/wasm/index.ts";
import { Heap } from "../../engine/backends/wasm/memory/heap.ts";
import { Runner } from "../../engine/backends/wasm/threads/runner.ts";
import { compileGraph } from "../../engine/compile/index.ts";
import type { Program as Compiled, Kernel, Stage } from "../../engine/compile/ir.ts";
import type { Graph } from "../../engine/graph/graph.ts";
import type { Node } from "../../engine/graph/node.ts";
import { Storage } from "../../engine/graph/storage.ts";
import * as S from "../../engine/index.ts";
import { cutGraph, inputStorages } from "../../engine/runtime/realize.ts";
import { inputsOf, type Program, play, programs, recipes, seeds, tensorOf, valuesOf } from "../../testing/index.ts";
import { nodesOf } from "../support/nodes.ts";

const one = new Runner(new Heap());
one.threads = 1;

const text = (value: number): string => (Object.is(value, -0) ? "-0" : String(value));

function bits(graph: Graph, program: Compiled, inputs: readonly Storage[]): string[][] {
  const executable = new WasmExecutable(one, program);
  const storages = graph.outputs.map((node) => new Storage(node.dtype, S.sizeOf(node.shape)));
  executable.run(inputs, storages);
  executable.release();
  return storages.map(({ host }) => Array.from(host ?? [], text));
}

/** Bits of the results, fused and not; `plant` changes the fused program. */
function both(outputs: readonly Node[], inputs?: (storage: Storage, i: number) => Storage, plant = same) {
  const graph = cutGraph(outputs);
  const storages = inputStorages(graph).map((storage, i) => inputs?.(storage, i) ?? storage);
  const fused = bits(graph, plant(compileGraph(graph, { target: wasmTarget })), storages);
  return { fused, unfused: bits(graph, compileGraph(graph, { fuse: false }), storages) };
}

const same = (program: Compiled): Compiled => program;

/** As many numbers, that round. */
const rounding = (storage: Storage, i: number): Storage =>
  new Storage("f64", storage.length, Float64Array.from(valuesOf("real", storage.length, 77, i), Math.sin));

/** Rows as long as it takes for several accumulators, whole and in pieces, and what is made of them. */
const rows = fc.record({
  dtype: fc.constantFrom("f32" as const, "f64" as const),
  shape: fc.array(fc.constantFrom(2, 3, 5, 8, 14, 16, 17, 50, 64, 100), { minLength: 2, maxLength: 3 }),
  axes: fc.nat(7),
  steps: fc.array(fc.nat(8), { minLength: 1, maxLength: 4 }),
  gradients: fc.boolean(),
  seed: seeds,
});
type Rows = typeof rows extends fc.Arbitrary<infer C> ? C : never;

const steps: readonly ((x: S.Tensor, axes: readonly number[], w: S.Tensor) => S.Tensor)[] = [
  (x) => S.softmax(x, -1),
  (x, axes) => S.softmax(x, axes[0]),
  (x) => S.layerNorm(x, x.shape.slice(-1), { eps: 1e-3 }),
  (x, axes) => S.sub(x, S.mean(x, axes, { keepDims: true })),
  (x, axes) => S.mul(x, S.rsqrt(S.add(S.mean(S.square(x), axes, { keepDims: true }), 1))),
  (x) => S.exp(S.tanh(x)),
  (x, _, w) => (x.shape.at(-1) === w.shape[0] ? S.mul(x, w) : S.add(x, 1)),
  (x) => S.permute(x, [x.rank - 1, ...x.shape.map((_, i) => i).slice(0, -1)]),
  (x) => S.logSoftmax(x, -1),
];

function graphOf({ dtype, shape, axes, steps: picks, gradients, seed }: Rows): Node[] {
  const input = (sides: readonly number[], salt: number) =>
    tensorOf(valuesOf("real", S.sizeOf(sides), seed, salt).map(Math.sin), sides, dtype);
  const run = (x: S.Tensor, w: S.Tensor): S.Tensor[] => {
    const along = shape.flatMap((_, i) => ((axes >> i) & 1 ? [i] : []));
    const over = along.length === 0 ? [shape.length - 1] : along;
    const y = picks.reduce((value, pick) => steps[pick](value, over, w), x);
    return [y, S.sum(y, over), S.mean(S.square(y))];
  };
  const leaves = [input(shape, 0), input(shape.slice(-1), 1)] as const;
  if (!gradients) return run(...leaves).map(({ node }) => node);
  const loss = (x: S.Tensor, w: S.Tensor) =>
    run(x, w).reduce((sum, y) => S.add(sum, S.sum(S.square(y))), S.zeros([], { dtype }));
  return S.grad(loss)(...leaves).map(({ node }) => node);
}

const gradientsOf = (program: Program): Node[] => {
  const loss = (...inputs: S.Tensor[]): S.Tensor =>
    play(program, inputs)
      .map(({ x, bound }) => S.mean(S.mul(x, 1 / Math.max(1, bound))))
      .reduce((sum, x) => S.add(sum, x), S.zeros([], { dtype: program.dtype }));
  return S.grad(loss)(...inputsOf(program)).map(({ node }) => node);
};

function expectSame(outputs: readonly Node[], inputs?: (storage: Storage, i: number) => Storage): void {
  const { fused, unfused } = both(outputs, inputs);
  expect(fused).toEqual(unfused);
}

describe("fused programs have the bits of unfused ones", () => {
  it("structures over numbers that round", () => {
    fc.assert(
      fc.property(recipes, (recipe) => expectSame(nodesOf({ ...recipe, outputs: 3 }), rounding)),
      { numRuns: 150 },
    );
  });

  it.each(["f32", "f64"] as const)("%s programs, and their gradients", (dtype) => {
    fc.assert(
      fc.property(programs({ dtype }), (program) => {
        expectSame(play(program, inputsOf(program)).map(({ x }) => x.node));
      }),
      { numRuns: 60 },
    );
    fc.assert(
      fc.property(programs({ dtype, smooth: true, length: 25 }), (program) => expectSame(gradientsOf(program))),
      { numRuns: 30 },
    );
  });

  it("long rows, norms and softmax, and their gradients", () => {
    fc.assert(
      fc.property(rows, (c) => expectSame(graphOf(c))),
      { numRuns: 100 },
    );
  });

  it("the largest of zeros is one zero, whichever comes first", () => {
    const x = tensorOf([0, -0, -0, -0, 0, -0, -0, -0, -1, 0], [5, 2], "f32");
    for (const axis of [0, 1])
      expectSame([S.max(x, axis), S.min(S.neg(x), axis), S.max(S.abs(S.neg(x)), axis)].map((y) => y.node));
  });
});

/** Changes the row stages of a program. */
const inStages =
  (change: (stage: Stage) => Stage) =>
  (program: Compiled): Compiled => ({
    ...program,
    kernels: program.kernels.map(
      (kernel): Kernel => (kernel.kind === "loop" ? { ...kernel, stages: kernel.stages.map(change) } : kernel),
    ),
  });

describe("a planted error is caught", () => {
  it.each([
    [
      "fewer accumulators where a stage is heavy",
      inStages((stage) => ({
        ...stage,
        folds: stage.folds.map((fold) =>
          fold.parts !== undefined && fold.parts > 4 && stage.instrs.length > 2 ? { ...fold, parts: 4 } : fold,
        ),
      })),
    ],
  ])("%s", (_, plant) => {
    const holds = (c: Rows) => {
      const { fused, unfused } = both(graphOf(c), undefined, plant);
      return fused.join() === unfused.join();
    };
    expect(fc.check(fc.property(rows, holds), { numRuns: 100, endOnFailure: true }).failed).toBe(true);
  });
});
