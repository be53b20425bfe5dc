// Column sums: added up by the kernel that makes or reads the rows; the same bits in a kernel of their own, on any
// number of threads, and the right numbers.

import fc from "fast-check";
import { expect, test } from "vitest";
import { referenceBackend } from "../../engine/backends/reference/index.ts";
import { WasmExecutable, wasmTarget } from "../../engine/backends/wasm/index.ts";
import { Heap } from "../../engine/backends/wasm/memory/heap.ts";
import { Runner } from "../../engine/backends/wasm/threads/runner.ts";
import { compileGraph } from "../../engine/compile/index.ts";
import type { Program } from "../../engine/compile/ir.ts";
import { type DType, hostArray } from "../../engine/dtype.ts";
import { dataNode, type Node } from "../../engine/graph/node.ts";
import { Storage } from "../../engine/graph/storage.ts";
import { build } from "../../engine/primitives/index.ts";
import { cutGraph, inputStorages } from "../../engine/runtime/realize.ts";
import { sizeOf } from "../../engine/shape.ts";
import { interpret } from "../support/interpret.ts";

const cases = fc.record({
  dtype: fc.constantFrom("f32" as const, "f64" as const),
  lead: fc.constantFrom([128], [131], [160], [8, 16], [4, 40], [12, 11], [5, 3, 10]),
  side: fc.constantFrom([32], [33], [3, 13], [130]),
  rows: fc.constantFrom("map", "maximum", "sum", "none"),
  seed: fc.nat({ max: 1000 }),
});
type Case = typeof cases extends fc.Arbitrary<infer C> ? C : never;

function leaf(dtype: DType, shape: readonly number[], seed: number): Node {
  const values = hostArray(dtype, sizeOf(shape));
  // Zeros of both signs too: a sum starts at 0.
  for (let i = 0; i < values.length; i++) values[i] = (((i + seed) * 7919) % 9) - 4 || -0;
  return dataNode(new Storage(dtype, values.length, values), shape);
}

/** Rows made of x, and the column sums of them, of x, and of their product. */
function graphOf({ dtype, lead, side, rows, seed }: Case): Node[] {
  const shape = [...lead, ...side];
  const x = leaf(dtype, shape, seed);
  const along = side.map((_, i) => lead.length + i);
  const over = lead.map((_, i) => i);
  const kept = (y: Node): Node => build.unreduce(y, shape, along);
  const made = {
    none: () => x,
    map: () => build.mul(build.abs(x), leaf(dtype, shape, seed + 1)),
    maximum: () => build.sub(x, kept(build.max(x, along))),
    sum: () => build.sub(x, kept(build.sum(x, along))),
  }[rows as "map"]();
  return [made, build.sum(made, over), build.sum(x, over), build.sum(build.mul(made, x), over)];
}

const always = { splitFrom: 0, wakeFrom: 0 };
const one = new Runner(new Heap(), always);
one.threads = 1;

function onWasm(runner: Runner, graph: ReturnType<typeof cutGraph>, program: Program): string[] {
  const executable = new WasmExecutable(runner, program);
  const storages = graph.outputs.map((node) => new Storage(node.dtype, sizeOf(node.shape)));
  executable.run(inputStorages(graph), storages);
  executable.release();
  return storages.map(({ host }) => Array.from(host ?? [], (v) => (Object.is(v, -0) ? "-0" : String(v))).join());
}

const adds = ({ kernels }: Program): number =>
  kernels
    .flatMap((kernel) => (kernel.kind === "loop" ? kernel.stages : []))
    .flatMap(({ stores }) => stores.filter((store) => store.add)).length;

test("fused or not, interpreted or generated, the sums are those of the graph, to the bit", () => {
  let found = 0;
  fc.assert(
    fc.property(cases, (c) => {
      const graph = cutGraph(graphOf(c));
      const storages = graph.outputs.map((node) => new Storage(node.dtype, sizeOf(node.shape)));
      referenceBackend().prepare(graph).run(inputStorages(graph), storages);
      const expected = storages.map(({ host }) => Array.from(host ?? []));
      const fused = compileGraph(graph, { target: wasmTarget });
      found += adds(fused);
      const inputs = inputStorages(graph).map(({ host }) => Float64Array.from(host ?? []));
      // Whole numbers: no order of addition rounds.
      expect(interpret(fused, inputs).map((values) => Array.from(values))).toEqual(expected);
      const bits = onWasm(one, graph, fused);
      expect(bits).toEqual(expected.map((values) => values.map((v) => (Object.is(v, -0) ? "-0" : String(v))).join()));
      expect(onWasm(one, graph, compileGraph(graph, { fuse: false }))).toEqual(bits);
      const apart = compileGraph(graph, { target: { ...wasmTarget, columnSums: false } });
      expect(adds(apart)).toBe(0);
      expect(onWasm(one, graph, apart)).toEqual(bits);
    }),
    { numRuns: 60 },
  );
  expect(found).toBeGreaterThan(20);
});

test("threads share the parts and get the same bits where additions round", async () => {
  const several = new Runner(new Heap(), always);
  several.threads = 3;
  const x = leaf("f32", [160, 48], 3);
  const y = build.sub(build.exp(x), build.unreduce(build.max(x, [1]), x.shape, [1]));
  const graph = cutGraph([y, build.sum(y, [0]), build.sum(x, [0])]);
  const program = compileGraph(graph, { target: wasmTarget });
  expect(adds(program)).toBe(2);
  const expected = onWasm(one, graph, program);
  const executable = new WasmExecutable(several, program);
  for (let i = 0; i < 200; i++) {
    const storages = graph.outputs.map((node) => new Storage(node.dtype, sizeOf(node.shape)));
    executable.run(inputStorages(graph), storages);
    expect(
      storages.map(({ host }) => Array.from(host ?? [], (v) => (Object.is(v, -0) ? "-0" : String(v))).join()),
    ).toEqual(expected);
    if (several.activeThreads === 3 && i > 20) break;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  expect(several.activeThreads).toBe(3);
  executable.release();
  several.threads = 1;
});
