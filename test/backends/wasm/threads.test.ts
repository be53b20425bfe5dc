// Threads change how fast results come, never which: one thread and several agree bit for bit on generated programs.

import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { WasmExecutable, wasmTarget } from "../../../engine/backends/wasm/index.ts";
import { Heap } from "../../../engine/backends/wasm/memory/heap.ts";
import { Runner } from "../../../engine/backends/wasm/threads/runner.ts";
import { compileGraph } from "../../../engine/compile/index.ts";
import type { HostArray } from "../../../engine/dtype.ts";
import { dataNode, type Node } from "../../../engine/graph/node.ts";
import { Storage } from "../../../engine/graph/storage.ts";
import { build } from "../../../engine/primitives/index.ts";
import { cutGraph, inputStorages } from "../../../engine/runtime/realize.ts";
import { sizeOf } from "../../../engine/shape.ts";
import { recipes } from "../../../testing/index.ts";
import { nodesOf } from "../../support/nodes.ts";

/** Every call is split and every program wakes the workers, however small. */
const always = { splitFrom: 0, wakeFrom: 0 };

function runner(threads: number): Runner {
  const made = new Runner(new Heap(), always);
  made.threads = threads;
  return made;
}

const one = runner(1);
const several = [runner(2), runner(3)];
afterAll(() => {
  for (const r of several) r.threads = 1;
});

function run(r: Runner, outputs: readonly Node[], fuse = true): HostArray[] {
  const graph = cutGraph(outputs);
  const executable = new WasmExecutable(r, compileGraph(graph, { fuse, target: wasmTarget }));
  const storages = outputs.map((node) => new Storage(node.dtype, sizeOf(node.shape)));
  executable.run(inputStorages(graph), storages);
  executable.release();
  return storages.map((storage) => storage.host as HostArray);
}

/** Equal bits: NaN equals NaN, and zeros have their sign. */
const bits = (values: HostArray): string => Array.from(values, (v) => (Object.is(v, -0) ? "-0" : String(v))).join();

/** A matrix of values with many digits. */
const noise = (rows: number, cols: number): Node =>
  dataNode(
    new Storage(
      "f32",
      rows * cols,
      Float32Array.from({ length: rows * cols }, (_, i) => Math.sin(i * i + cols)),
    ),
    [rows, cols],
  );

/** Lets the workers start: until then every program runs on one thread. */
async function warm(r: Runner): Promise<void> {
  const x = dataNode(Storage.zeros("f32", 64), [8, 8]);
  for (let i = 0; i < 200 && r.activeThreads < r.threads; i++) {
    run(r, [build.exp(x)]);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  expect(r.activeThreads).toBe(r.threads);
}

describe("threads", () => {
  test("one thread and several give the same bits on generated programs", async () => {
    for (const r of several) await warm(r);
    await fc.assert(
      fc.asyncProperty(recipes, async (recipe) => {
        const expected = run(one, nodesOf(recipe)).map(bits);
        for (const r of several) {
          // A worker must have loaded a program before it can take part: give it the time.
          const graph = cutGraph(nodesOf(recipe));
          const executable = new WasmExecutable(r, compileGraph(graph, { target: wasmTarget }));
          for (let i = 0; i < 3; i++) {
            const storages = graph.outputs.map((node) => new Storage(node.dtype, sizeOf(node.shape)));
            executable.run(inputStorages(graph), storages);
            expect(storages.map((storage) => bits(storage.host as HostArray))).toEqual(expected);
            await new Promise((resolve) => setTimeout(resolve, i));
          }
          executable.release();
        }
      }),
      { numRuns: 150 },
    );
  });

  test("small programs in a loop of calls, alone at first and with workers once these are awake, give the same bits", async () => {
    const side = fc.integer({ min: 50, max: 90 });
    const r = new Runner(new Heap());
    r.threads = 2;
    try {
      await fc.assert(
        fc.asyncProperty(side, side, side, fc.boolean(), async (m, n, k, transposed) => {
          const a = noise(m, k);
          const b = transposed ? build.permute(noise(n, k), [1, 0]) : noise(k, n);
          const outputs = [build.apply("contract", [a, b], {})];
          const expected = run(one, outputs).map(bits);
          const graph = cutGraph(outputs);
          const executable = new WasmExecutable(r, compileGraph(graph, { target: wasmTarget }));
          const inputs = inputStorages(graph);
          for (let i = 0; i < 3; i++) {
            // Long enough a pause for the workers to start, to load the program, and to fall asleep.
            await new Promise((resolve) => setTimeout(resolve, 5));
            const results = Array.from({ length: 20 }, () => new Storage("f32", m * n));
            for (const out of results) executable.run(inputs, [out]);
            for (const out of results) expect(bits(out.host as HostArray)).toEqual(expected[0]);
          }
          executable.release();
        }),
        { numRuns: 30 },
      );
      for (let i = 0; i < 200 && r.activeThreads < 2; i++) await new Promise((resolve) => setTimeout(resolve, 10));
      // The loops have started workers, which no single program of this size would.
      expect(r.activeThreads).toBe(2);
    } finally {
      r.threads = 1;
    }
  });

  test("a worker that dies is an error or a slower run, never a wrong result, and the next call works", async () => {
    const r = runner(2);
    await warm(r);
    const x = dataNode(new Storage("f32", 4, Float32Array.of(1, 2, 3, 4)), [4]);
    r.killWorkers();
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(run(r, [build.neg(x)])[0]).toEqual(Float32Array.of(-1, -2, -3, -4));
    await warm(r);
    expect(run(r, [build.neg(x)])[0]).toEqual(Float32Array.of(-1, -2, -3, -4));
    r.threads = 1;
  });
});
